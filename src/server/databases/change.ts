/**
 * Changing a database, whatever the route: read, edit, compare, write; again when somebody else was faster. The edit
 * says what people want; whether a process has to learn of it, and how, follows from comparing the two documents.
 */
import { randomUUID } from 'node:crypto'
import { apiStatus, isBusy } from '#model/database/status.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { newAction } from '#plan/action.ts'
import { applyEdit, type DatabaseEdit, type Impact } from '#plan/change.ts'
import { refuse } from '../errors.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { checkIfMatch, checkStateId, expectedStateId } from './locks.ts'
import { noSuchDatabase } from './read.ts'

const TRIES = 20

/** Returns a new edit for the document, or throws a Refusal. Called again when the document has changed meanwhile. */
export type Editor = (database: DatabaseDocument) => DatabaseEdit | Promise<DatabaseEdit>

export type Changed = {
  readonly before: DatabaseDocument
  readonly after: DatabaseDocument
  readonly impact: Impact
  readonly actionUid: string
}

export async function changeDatabase(
  request: ApiRequest,
  parts: Parts,
  options: {
    readonly dryRun: boolean
    readonly tellsAlways?: boolean
    readonly kind?: 'update-database' | 'upgrade-database'
  },
  edit: Editor,
): Promise<Changed> {
  const { state } = parts
  const uid = request.params.uid ?? ''
  const ifStateId = expectedStateId(request)
  for (let tries = 0; tries < TRIES; tries++) {
    const held = state.databases.get(uid)
    if (!held) return noSuchDatabase(uid)
    const before = held.value
    const counters = state.counters.get('')
    checkIfMatch(request, before)
    checkStateId(parts, ifStateId)
    checkSettled(parts, before)
    const nowMs = parts.now()
    const actionUid = randomUUID()
    const { after, impact } = applyEdit(before, await edit(before), {
      actionUid,
      nowIso: new Date(nowMs).toISOString(),
      around: parts.around,
      leads: state.statuses.get(uid)?.value.leads ?? [],
    })
    if (options.dryRun) return { before, after, impact, actionUid }
    const changes = [state.databases.put(uid, after)]
    if (impact.concernsProcesses || options.tellsAlways) {
      const { kind = 'update-database' } = options
      const description = 'applying the change to its processes'
      const action = newAction({ uid: actionUid, kind, databaseUid: before.uid, description }, nowMs)
      const done = { ...action, status: 'completed' as const, progressPercent: 100, description: 'it was so already' }
      changes.push(state.actions.put(actionUid, impact.concernsProcesses ? action : done))
    }
    const compare = [state.databases.unchanged(uid, held)]
    const known = new Set(before.shards.map(({ uid }) => uid))
    if (after.endpointPort !== before.endpointPort || after.shards.some(({ uid }) => !known.has(uid))) {
      // Whoever draws a port or a uid writes the counters, so that nobody draws the same one at the same time.
      if (!counters) return refuse('not_bootstrapped')
      const shard = Math.max(counters.value.shard, ...after.shards.map((place) => place.uid))
      compare.push(state.counters.unchanged('', counters))
      changes.push(state.counters.put('', { ...counters.value, shard }))
    }
    const outcome = await state.view.commit({ compare, changes, configuration: true, ifStateId })
    if (outcome.committed) return { before, after, impact, actionUid }
  }
  return refuse('busy')
}

/** Throws a Refusal while something is under way, or when there is nothing that could be changed. */
export function checkSettled(parts: Parts, database: DatabaseDocument): void {
  const status = parts.state.statuses.get(database.uid)
  if (isBusy(database)) {
    const action = database.actionUid ? parts.state.actions.get(database.actionUid) : undefined
    const what = action?.value.description ? `: ${action.value.description}` : ''
    refuse('busy', {
      description: `Database ${database.uid} is still being changed${what}. Try again when it is done.`,
    })
  }
  if (apiStatus(database, status?.value) === 'creation-failed') {
    const why = status?.value.reason ?? ''
    refuse('db_not_active', {
      description: `Database ${database.uid} could not be created and can only be deleted: ${why}`,
    })
  }
}
