/**
 * Makes documents come true: observe, ask the planner, hand out its steps, write down what came of it, ask again.
 * Events of the store and of the agents only wake it; each pass reads everything anew. One pass at a time per database,
 * databases independently of each other. It acts only while it leads.
 */
import { randomUUID } from 'node:crypto'
import type { Agent } from '#plan/agent.ts'
import { StepFailed } from '#plan/agent.ts'
import { type Plan, planDatabase } from '#plan/database.ts'
import { HEALTHY_AFTER_MS, RECOVERY_ATTEMPTS, STEP_TIMEOUT_MS } from '#plan/limits.ts'
import type { Surroundings } from '#plan/shard-spec.ts'
import type { ObservedShard, Step } from '#plan/step.ts'
import type { Store } from '#store/contract.ts'
import type { State } from '#store/state.ts'
import { Copies } from './copies.ts'
import { type Desk, newDesk, tellOnce } from './desk.ts'
import { lead, pause, type Term } from './leadership.ts'
import { served } from './receipts.ts'
import { type Documents, Recorder, readDocuments, recordOf, type Writing } from './record.ts'
import { expiredRecords, PRUNE_EVERY_MS } from './retention.ts'
import { Sightings } from './sightings.ts'

export type ReconcilerLog = {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

export type ReconcilerParts = {
  readonly state: State
  readonly store: Store
  /** By node uid. */
  readonly agents: ReadonlyMap<number, Agent>
  readonly nodeUid: number
  /** What leads in this process's name: the id of its data folder. */
  readonly holder: string
  readonly around: Surroundings
  readonly now: () => number
  readonly log: ReconcilerLog
}

/** Trouble with the store is not the database's: try to write again at this pace. */
const STORE_RETRY_MS = 500
/** A running action's progress is written at most this often. */
const PROGRESS_EVERY_MS = 500
/** In between, whatever was missed is found. Each database has its own time, or all would be looked at together. */
const IDLE_MS = 50_000
const IDLE_SPREAD_MS = 20_000
const REFUSED_PAUSE_MS = 50

export class Reconciler {
  readonly #parts: ReconcilerParts
  readonly #desks = new Map<number, Desk>()
  readonly #sightings: Sightings
  readonly #copies: Copies
  #term: Term | undefined
  #stop = new AbortController()
  #running: Promise<void> = Promise.resolve()
  readonly #passes = new Set<Promise<void>>()

  constructor(parts: ReconcilerParts) {
    this.#parts = parts
    this.#sightings = new Sightings(parts.state, parts.agents)
    this.#copies = new Copies(parts.state, this.#sightings, (uid) => this.wake(uid))
  }

  /** Returns at once; leads and acts until `close`. */
  start(): void {
    const { state, agents } = this.#parts
    state.view.onChange((collection, id) => {
      const isShared = [state.users, state.redisAcls, state.cluster, state.certificates].some(
        (one) => one === collection,
      )
      if (isShared) this.#wakeShared()
      if (collection === state.cluster || collection === state.nodes) this.#copies.wakeAll()
      if (collection !== state.databases) return
      this.#interrupt(Number(id))
      this.wake(Number(id))
    })
    for (const agent of agents.values()) {
      agent.onChange((shard) => this.#noticed(shard))
      agent.onEndpointChange((uid) => this.wake(uid))
      for (const shard of agent.observed().values()) this.#sightings.remember(shard)
    }
    this.#running = this.#leadForEver()
  }

  /** Stops acting, waits for what is under way, and leaves every database as it is. */
  async close(): Promise<void> {
    this.#stop.abort(new Error('the control plane is stopping'))
    await this.#running
    await Promise.all(this.#passes)
    for (const desk of this.#desks.values()) clearTimeout(desk.timer)
    await this.#term?.resign()
  }

  wake(databaseUid: number): void {
    const desk = this.#desk(databaseUid)
    desk.dirty = true
    if (desk.busy || !this.#term || this.#stop.signal.aborted) return
    desk.busy = true
    const work: Promise<void> = this.#work(databaseUid, desk).finally(() => this.#passes.delete(work))
    this.#passes.add(work)
  }

  async #leadForEver(): Promise<void> {
    const { signal } = this.#stop
    const { store, holder, log } = this.#parts
    while (!signal.aborted) {
      try {
        const term = await lead(
          store,
          holder,
          (error) => log.warn({ err: error }, 'cannot take leadership yet'),
          signal,
        )
        this.#term = term
        log.info({ term: term.compare.modRevision }, 'leading')
        this.#wakeAll()
        await this.#pruneUntilOver(AbortSignal.any([term.over, signal])).catch(() => undefined)
        if (signal.aborted) return
        // Its lease may well be alive; then it must not keep the next one out.
        void term.resign()
        log.warn({ term: term.compare.modRevision }, 'leadership lost')
        this.#term = undefined
      } catch (error) {
        if (!signal.aborted) log.warn({ err: error }, 'leadership failed')
      }
    }
  }

  /** Rejects when the signal aborts. */
  async #pruneUntilOver(signal: AbortSignal): Promise<void> {
    const { state, now, log } = this.#parts
    for (;;) {
      const changes = expiredRecords(state, now())
      const writing = { compare: [], changes, configuration: false }
      const isWritten = await this.#commit(writing).catch((error) => log.warn({ err: error }, 'old records stay'))
      if (changes.length === 0 || !isWritten) await pause(PRUNE_EVERY_MS, signal)
      signal.throwIfAborted()
    }
  }

  /** Databases that let people in by their roles, or show a certificate. */
  #wakeShared(): void {
    for (const { value } of this.#parts.state.databases.values()) {
      const { roles_permissions, tls_mode, data_internode_encryption } = value.config
      if (roles_permissions.length > 0 || tls_mode === 'enabled' || data_internode_encryption) this.wake(value.uid)
    }
  }

  /** Every database there is a document or a process of. */
  #wakeAll(): void {
    const { state, agents } = this.#parts
    const uids = new Set([...state.databases.values()].map(({ value }) => value.uid))
    for (const agent of agents.values()) {
      for (const shard of agent.observed().values()) uids.add(this.#sightings.remember(shard))
      for (const uid of agent.endpoints().keys()) uids.add(uid)
    }
    for (const uid of uids) this.wake(uid)
  }

  /** A process that ended soon after it came up is a failed attempt, or it would be started again for ever. */
  #noticed(shard: ObservedShard): void {
    const owner = this.#sightings.remember(shard)
    this.#copies.noticed(shard)
    const desk = this.#desk(owner)
    if (shard.state === 'running') {
      if (!desk.upSinceMs.has(shard.uid)) desk.upSinceMs.set(shard.uid, shard.since)
    } else if (shard.state === 'exited') {
      const upSinceMs = desk.upSinceMs.get(shard.uid) ?? shard.since
      desk.upSinceMs.delete(shard.uid)
      if (shard.since - upSinceMs >= HEALTHY_AFTER_MS) desk.tries.forget()
      // While a step is under way the step itself fails, and counts.
      else if (!desk.outdated)
        desk.tries.shardEnded(shard.uid, shard.lastWords ?? `shard ${shard.uid} ended`, this.#parts.now())
    }
    this.wake(owner)
  }

  async #work(uid: number, desk: Desk): Promise<void> {
    const { log } = this.#parts
    let again = idleMs(uid)
    clearTimeout(desk.timer)
    try {
      while (desk.dirty && this.#term && !this.#stop.signal.aborted) {
        desk.dirty = false
        again = await this.#pass(uid, desk)
      }
    } catch (error) {
      log.warn({ err: error, databaseUid: uid }, 'a pass failed; trying again')
      again = STORE_RETRY_MS
    } finally {
      desk.busy = false
    }
    if (this.#stop.signal.aborted) return
    if (desk.dirty) return this.wake(uid)
    const { state } = this.#parts
    if (!state.databases.get(uid) && this.#sightings.isNothingLeft(uid)) {
      this.#desks.delete(uid)
      this.#sightings.forget(uid)
    } else {
      desk.timer = setTimeout(() => this.wake(uid), Math.max(1, again)).unref()
    }
  }

  /** Plans once and does what the plan says. Returns after how many milliseconds to look again. */
  async #pass(uid: number, desk: Desk): Promise<number> {
    const { state, around, now, log } = this.#parts
    const documents = readDocuments(state, uid)
    this.#forgetOldAttempts(uid, desk)
    const nowMs = now()
    const plan = planDatabase({
      database: documents.database?.value,
      status: documents.status?.value,
      action: documents.action?.value,
      observed: this.#sightings.of(uid),
      endpoint: this.#sightings.endpointOf(uid),
      attempts: desk.tries.attempts,
      around,
      room: this.#copies,
      nowMs,
    })
    this.#copies.planned(uid, plan)
    tellOnce(desk, plan, (facts) => log.info({ databaseUid: uid, ...facts }, 'planned'))
    const recorder = new Recorder(state, documents, nowMs)
    switch (plan.kind) {
      case 'nothing':
        return idleMs(uid)
      case 'wait':
        return await this.#wait(plan, documents, recorder, desk, nowMs)
      case 'act':
        await this.#act(uid, plan, documents, recorder, desk)
        desk.dirty = true
        return 0
      case 'pass-lead': {
        const actionUid = randomUUID()
        if (!(await this.#commit(recorder.leadPassed(plan.succession, actionUid)))) return REFUSED_PAUSE_MS
        desk.receipts.set(plan.succession.lead.shardUid, actionUid)
        // What failed was about another process: its successor must not wait for that.
        desk.tries.forget()
        desk.dirty = true
        return 0
      }
      default:
        // Refused by a compare: whatever was written meanwhile wakes us, unless it has already.
        if (!(await this.#commit(recordOf(plan, recorder)))) return REFUSED_PAUSE_MS
        desk.dirty = true
        return 0
    }
  }

  async #wait(
    plan: Plan & { kind: 'wait' },
    documents: Documents,
    recorder: Recorder,
    desk: Desk,
    nowMs: number,
  ): Promise<number> {
    const { action, status, database } = documents
    if (action) {
      const isRecovery = action.value.kind === 'recover-database'
      const givenUp = isRecovery && desk.tries.attempts.failures >= RECOVERY_ATTEMPTS
      if (nowMs > action.value.deadlineMs || givenUp) {
        await this.#commit(recorder.overdue(givenUp ? desk.tries.attempts.lastError : plan.reason))
      } else if (action.value.description !== plan.reason && nowMs - action.value.changedAtMs >= PROGRESS_EVERY_MS) {
        await this.#commit(recorder.progress(plan.reason, plan.progressPercent))
      }
    } else if (!plan.isHarmless && status?.value.phase === 'converged' && database && !database.value.deletion) {
      await this.#commit(recorder.recovering(randomUUID(), plan.reason))
    }
    return plan.untilMs - nowMs
  }

  async #act(
    uid: number,
    plan: Plan & { kind: 'act' },
    documents: Documents,
    recorder: Recorder,
    desk: Desk,
  ): Promise<void> {
    const { state, log, now } = this.#parts
    const term = this.#term
    if (!term) return
    using _ordered = this.#copies.order(uid, plan.steps)
    const outdated = new AbortController()
    desk.outdated = outdated
    if (wantedState(state, uid) !== desk.triesFor) outdated.abort()
    const given = AbortSignal.any([this.#stop.signal, term.over, outdated.signal])
    const signal = AbortSignal.any([given, AbortSignal.timeout(STEP_TIMEOUT_MS)])
    // Most steps are done long before anybody could read what they are.
    const toldMsAgo = now() - (documents.action?.value.changedAtMs ?? 0)
    const telling = setTimeout(
      () => {
        this.#commit(recorder.progress(plan.reason, plan.progressPercent)).catch((error) => {
          log.warn({ err: error }, 'progress cannot be written')
        })
      },
      Math.max(0, Math.min(PROGRESS_EVERY_MS, PROGRESS_EVERY_MS - toldMsAgo)),
    )
    const results = await Promise.allSettled(
      plan.steps.map((step) => this.#apply(step, signal).then(() => this.#applied(step, desk))),
    )
    clearTimeout(telling)
    desk.outdated = undefined
    const failures = given.aborted ? [] : results.flatMap((result, index) => failureOf(result, plan.steps[index]))
    for (const { step, reason } of failures) {
      desk.tries.stepFailed(step, tell(reason), now())
      log.warn({ err: reason }, 'a step failed')
    }
    if (failures.length > 0) return
    // What gets ahead for minutes may fail more often than what is done at once.
    if (plan.steps.every(({ kind }) => kind === 'move-slots')) desk.tries.forget()
  }

  async #apply(step: Step, signal: AbortSignal): Promise<void> {
    const { agents, nodeUid, state } = this.#parts
    const uid = 'spec' in step ? step.spec.uid : 'shardUid' in step ? step.shardUid : 0
    const places = 'spec' in step ? state.databases.get(step.spec.databaseUid)?.value.shards : undefined
    const home = places?.find((place) => place.uid === uid)?.nodeUid ?? this.#whoSees(uid) ?? nodeUid
    const agent = agents.get(home)
    if (!agent) throw new StepFailed('missing', `node ${home} cannot be reached`)
    await agent.apply(step, { signal })
  }

  /** A successor serves from the moment that its step is done, whatever else the plan still waits for. */
  async #applied(step: Step, { receipts }: Desk): Promise<void> {
    if (step.kind !== 'promote-shard') return
    const { state, agents, nodeUid, now, log } = this.#parts
    const agent = agents.get(this.#whoSees(step.spec.uid) ?? nodeUid)
    const gapOf = (from: number, to: number) => agent?.replicationGap(from, to) ?? null
    const told = served(state, receipts.get(step.spec.uid) ?? '', now(), gapOf)
    receipts.delete(step.spec.uid)
    if (!told) return
    log.info({ databaseUid: step.spec.databaseUid, ...told.receipt }, 'failover')
    await this.#commit(told.writing).catch((err) => log.warn({ err }, 'a failover is not written down in full'))
  }

  #whoSees(shardUid: number): number | undefined {
    for (const [uid, agent] of this.#parts.agents) if (agent.observed().has(shardUid)) return uid
    return undefined
  }

  /** Written only while the term holds. False: something else was written meanwhile, so that it fits no more. */
  async #commit({ compare, changes, configuration }: Writing): Promise<boolean> {
    const term = this.#term
    if (!term || changes.length === 0) return true
    const { view } = this.#parts.state
    const outcome = await view.commit({ compare: [...compare, term.compare], changes, configuration })
    if (!outcome.committed) await term.check()
    return outcome.committed
  }

  /** What is being done is not wanted any more: a step that waits for something must not hold up what is. */
  #interrupt(uid: number): void {
    const desk = this.#desks.get(uid)
    if (desk?.outdated && wantedState(this.#parts.state, uid) !== desk.triesFor) desk.outdated.abort()
  }

  /** A new document is a new try. */
  #forgetOldAttempts(uid: number, desk: Desk): void {
    const key = wantedState(this.#parts.state, uid)
    if (desk.triesFor !== key) desk.tries.forget()
    desk.triesFor = key
  }

  #desk(uid: number): Desk {
    const known = this.#desks.get(uid)
    if (known) return known
    const desk = newDesk()
    this.#desks.set(uid, desk)
    return desk
  }
}

function failureOf(result: PromiseSettledResult<void>, step: Step | undefined): { step: Step; reason: unknown }[] {
  return step && result.status === 'rejected' ? [{ step, reason: result.reason }] : []
}

/** Differs when the processes of the database are to be something else than before. */
function wantedState(state: State, uid: number): string {
  const database = state.databases.get(uid)?.value
  return `${database?.generation} ${database?.deletion?.purging}`
}

/** The engine's own last words are what helps people most. */
function tell(error: unknown): string {
  if (error instanceof StepFailed) return error.lastWords ? `${error.message}: ${error.lastWords}` : error.message
  return error instanceof Error ? error.message : String(error)
}

function idleMs(databaseUid: number): number {
  return IDLE_MS + ((databaseUid * 617) % IDLE_SPREAD_MS)
}
