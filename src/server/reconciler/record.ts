/**
 * What the reconciler writes down: each outcome of a plan as one transaction on the documents of one database. Pure
 * except for the ids and times that come in; the reconciler commits it, with its term, and plans again when it no longer
 * fits what is there.
 */
import { databaseCertificateId } from '#model/certificate-names.ts'
import { type ActionDocument, isOver } from '#model/documents/action.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { StatusDocument } from '#model/documents/status.ts'
import { newAction } from '#plan/action.ts'
import { settle, undoChange } from '#plan/change.ts'
import type { Plan } from '#plan/database.ts'
import type { Succession } from '#plan/leads.ts'
import { ACTION_DEADLINE_MS } from '#plan/limits.ts'
import type { Held } from '#store/collection.ts'
import type { Change, Compare } from '#store/contract.ts'
import type { State } from '#store/state.ts'

/** The documents of one database, as they were when the plan was made. */
export type Documents = {
  readonly uid: number
  readonly database: Held<DatabaseDocument> | undefined
  readonly status: Held<StatusDocument> | undefined
  readonly action: Held<ActionDocument> | undefined
}

export type Writing = {
  readonly compare: readonly Compare[]
  readonly changes: readonly Change[]
  /** It changes what people have configured, and not only what has come true of it. */
  readonly configuration: boolean
}

export function readDocuments(state: State, uid: number): Documents {
  const database = state.databases.get(uid)
  const actionUid = database?.value.actionUid
  return {
    uid,
    database,
    status: state.statuses.get(uid),
    action: actionUid ? state.actions.get(actionUid) : undefined,
  }
}

export class Recorder {
  readonly #state: State
  readonly #documents: Documents
  readonly #nowMs: number

  constructor(state: State, documents: Documents, nowMs: number) {
    this.#state = state
    this.#documents = documents
    this.#nowMs = nowMs
  }

  /** Another process leads from now on; what it was told of an older term counts no more. */
  leadPassed(succession: Succession, actionUid: string): Writing {
    const { lead, from, cause, mayHaveLostWrites, wasInStep } = succession
    const { uid, status, database } = this.#documents
    const others = (status?.value.leads ?? []).filter(({ group }) => group !== lead.group)
    const fields = { phase: 'converged' as const, generation: database?.value.generation ?? 0, reason: '' }
    const decidedAtMs = this.#nowMs
    const described = {
      uid: actionUid,
      kind: 'fail-over-shard' as const,
      databaseUid: uid,
      description: succession.reason,
    }
    const receipt: ActionDocument['receipt'] = {
      from,
      to: lead.shardUid,
      term: lead.term,
      cause,
      lostAtMs: succession.lostAtMs ?? decidedAtMs,
      decidedAtMs,
      servingAtMs: 0,
      mayHaveLostWrites,
      wasInStep,
      ...(database?.value.drillTargetMs && database.value.handOver.includes(from)
        ? { drillTargetMs: database.value.drillTargetMs }
        : {}),
    }
    const action = { ...newAction(described, decidedAtMs), status: 'completed' as const, progressPercent: 100, receipt }
    return this.#write([
      this.#status({ ...fields, ...status?.value, leads: [...others, lead] }),
      this.#state.actions.put(actionUid, action),
    ])
  }

  settled(phase: StatusDocument['phase'], reason: string): Writing {
    const { database } = this.#documents
    const generation = phase === 'converged' ? (database?.value.generation ?? 0) : 0
    return this.#write([this.#status({ phase, generation, reason }), ...this.#databaseChange(settle), ...this.#ended()])
  }

  creationFailed(reason: string): Writing {
    const failed = this.#status({ phase: 'creation-failed', generation: 0, reason })
    return this.#write([failed, ...this.#action({ error: reason, description: 'removing what there is of it' })])
  }

  changeUndone(reason: string): Writing {
    const undo = this.#databaseChange((database) => undoChange(database, new Date(this.#nowMs).toISOString()))
    const failed = this.#action({ error: reason, description: 'going back to what was before', progressPercent: 0 })
    return { ...this.#write([...undo, ...failed]), configuration: true }
  }

  purgeBegun(): Writing {
    return this.#write(this.#databaseChange((database) => ({ ...database, deletion: { purging: true } })))
  }

  forgotten(): Writing {
    const { uid, status } = this.#documents
    const changes: Change[] = [this.#state.databases.delete(uid), ...this.#ended()]
    if (status) changes.push(this.#state.statuses.delete(uid))
    const certificate = this.#state.certificates.get(databaseCertificateId(uid))
    if (certificate) changes.push(this.#state.certificates.delete(certificate.id))
    return { ...this.#write(changes), configuration: true }
  }

  /** A database that had come true is down: say so, and let people follow its recovery. */
  recovering(actionUid: string, reason: string): Writing {
    const { uid, database } = this.#documents
    const fields = { uid: actionUid, kind: 'recover-database' as const, databaseUid: uid, description: reason }
    const action = newAction(fields, this.#nowMs)
    return this.#write([
      this.#status({ phase: 'recovering', generation: database?.value.generation ?? 0, reason }),
      this.#state.actions.put(actionUid, action),
      ...this.#databaseChange((document) => ({ ...document, actionUid })),
    ])
  }

  /** The action has had its time; what it was about goes on being repaired without it. */
  overdue(reason: string): Writing {
    const release = this.#databaseChange(({ drillTargetMs: _over, ...document }) => ({
      ...document,
      actionUid: null,
      handOver: [],
    }))
    return this.#write([...release, ...this.#ended(reason)])
  }

  /** An action that gets ahead may take its time, and its progress never goes back. */
  progress(reason: string, progressPercent: number): Writing {
    const { action } = this.#documents
    const before = action?.value.progressPercent ?? 0
    const description = action?.value.status === 'cancelling' ? `undoing what was done: ${reason}` : reason
    if (progressPercent <= before) return this.#write(this.#action({ description }))
    const deadlineMs = this.#nowMs + ACTION_DEADLINE_MS
    return this.#write(this.#action({ description, progressPercent, deadlineMs }))
  }

  #write(changes: readonly Change[]): Writing {
    const { uid, database, action, status } = this.#documents
    const compare = [this.#state.databases.unchanged(uid, database), this.#state.statuses.unchanged(uid, status)]
    // Somebody may have asked to cancel it in the meantime: that must not be written over.
    if (action) compare.push(this.#state.actions.unchanged(action.id, action))
    return { compare, changes, configuration: false }
  }

  #status(fields: Omit<StatusDocument, 'databaseUid' | 'leads'> & Partial<Pick<StatusDocument, 'leads'>>): Change {
    const { uid, status } = this.#documents
    const leads = status?.value.leads ?? []
    return this.#state.statuses.put(uid, { leads, ...fields, databaseUid: uid })
  }

  #databaseChange(change: (database: DatabaseDocument) => DatabaseDocument): Change[] {
    const { uid, database } = this.#documents
    return database ? [this.#state.databases.put(uid, change(database.value))] : []
  }

  #action(fields: Partial<ActionDocument>): Change[] {
    const { action } = this.#documents
    if (!action || isOver(action.value)) return []
    return [this.#state.actions.put(action.id, { ...action.value, ...fields, changedAtMs: this.#nowMs })]
  }

  /** `failure` is why it failed, unless it was already known to have failed for another reason. */
  #ended(failure = ''): Change[] {
    const { action } = this.#documents
    if (!action) return []
    const error = action.value.error || failure
    if (action.value.status === 'cancelling')
      return this.#action({ status: 'cancelled', description: 'cancelled and undone' })
    if (error) return this.#action({ status: 'failed', description: 'failed', error })
    return this.#action({ status: 'completed', progressPercent: 100, description: 'done' })
  }
}

type Recorded = Exclude<Plan, { kind: 'nothing' | 'wait' | 'act' | 'pass-lead' }>

/** Of a plan that is carried out by writing it down. */
export function recordOf(plan: Recorded, recorder: Recorder): Writing {
  switch (plan.kind) {
    case 'settle':
      return recorder.settled(plan.phase, plan.reason)
    case 'give-up-creating':
      return recorder.creationFailed(plan.reason)
    case 'undo-change':
      return recorder.changeUndone(plan.reason)
    case 'begin-purge':
      return recorder.purgeBegun()
    case 'forget':
      return recorder.forgotten()
  }
}
