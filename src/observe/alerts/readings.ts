/**
 * Everything that alerts are held against, read in one go: the cluster, its nodes, its databases. What costs something to
 * find out is looked at less often than the rest.
 */
import { setImmediate as pause } from 'node:timers/promises'
import type { Readings } from '#model/alerts/evaluate.ts'
import { databaseObject, nodeObject, THE_CLUSTER } from '#model/alerts/object.ts'
import type { ActionDocument } from '#model/documents/action.ts'
import type { PortRange } from '#model/port-range.ts'
import type { Agent, NodeCheck } from '#plan/agent.ts'
import type { Store } from '#store/contract.ts'
import type { State } from '#store/state.ts'
import { CertificateExpiry, clusterReadings } from './cluster-readings.ts'
import { databaseReadings } from './database-readings.ts'
import { DelayedFsyncs } from './delayed-fsyncs.ts'
import type { Figures } from './figures.ts'
import { nodeReadings } from './node-readings.ts'

/** Writing to the store, and checking nodes, which writes a file. */
const COSTLY_EVERY_PERIODS = 6
/** Objects that are read before others get their turn. */
const AT_ONCE = 25
const STORE_PATIENCE_MS = 5_000
/** Of no document: its only purpose is to be written. */
const WRITE_CHECK_KEY = 'write-check'

export type ReaderOptions = {
  readonly state: State
  readonly store: Pick<Store, 'commit'>
  readonly agents: ReadonlyMap<number, Agent>
  readonly figures: Figures
  readonly ports: readonly PortRange[]
  readonly now: () => number
}

export class AlertReader {
  readonly #options: ReaderOptions
  readonly #expiry = new CertificateExpiry()
  readonly #checks = new Map<number, readonly NodeCheck[]>()
  readonly #fsyncs = new Map<number, DelayedFsyncs>()
  #period = 0
  #storeProblem: string | null = null

  constructor(options: ReaderOptions) {
    this.#options = options
  }

  /** Object by object, each as it is at that moment. Rejects only when `signal` aborts. */
  async *read(signal: AbortSignal): AsyncGenerator<[object: string, Readings]> {
    const { state, agents, figures, now } = this.#options
    if (!state.cluster.get('')) return
    const isCostly = this.#period++ % COSTLY_EVERY_PERIODS === 0
    const nodes = [...state.nodes.values()].map(({ value }) => value.uid)
    // What is wrong is looked at each time, for it to be seen when it is over.
    if (isCostly || this.#storeProblem !== null) this.#storeProblem = await this.#tryStore()
    await Promise.all(nodes.map((uid) => this.#check(uid, isCostly)))
    signal.throwIfAborted()
    const nowMs = now()
    yield [
      THE_CLUSTER,
      clusterReadings({ state, agents, nowMs, expiry: this.#expiry, storeProblem: this.#storeProblem }),
    ]
    for (const uid of nodes) {
      const facts = { uid, state, figures, nowMs, agent: agents.get(uid), expiry: this.#expiry }
      const fsyncs = this.#fsyncs.get(uid) ?? new DelayedFsyncs()
      this.#fsyncs.set(uid, fsyncs)
      yield [nodeObject(uid), await nodeReadings({ ...facts, checks: this.#checks.get(uid), fsyncs })]
    }
    const actions = byDatabase(state)
    for (const [index, { value }] of [...state.databases.values()].entries()) {
      yield [databaseObject(value.uid), databaseReadings(value, { state, agents, figures, nowMs, actions })]
      if (index % AT_ONCE === AT_ONCE - 1) await pause()
    }
  }

  async #check(uid: number, isCostly: boolean): Promise<void> {
    const wasWrong = this.#checks.get(uid)?.some(({ problem }) => problem !== null)
    if (!isCostly && !wasWrong) return
    const checks = await this.#options.agents
      .get(uid)
      ?.checks(this.#options.ports)
      .catch(() => undefined)
    if (checks) this.#checks.set(uid, checks)
  }

  /** Null: it can be written. */
  async #tryStore(): Promise<string | null> {
    const put = { kind: 'put', key: WRITE_CHECK_KEY, value: '' } as const
    const late = Promise.withResolvers<string>()
    const timer = setTimeout(() => late.resolve('the store does not answer'), STORE_PATIENCE_MS)
    try {
      return await Promise.race([
        this.#options.store.commit({ compare: [], changes: [put] }).then(() => null),
        late.promise,
      ])
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    } finally {
      clearTimeout(timer)
    }
  }
}

function byDatabase(state: State): Map<number, ActionDocument[]> {
  const actions = new Map<number, ActionDocument[]>()
  for (const { value } of state.actions.values()) {
    const others = actions.get(value.databaseUid)
    if (others) others.push(value)
    else actions.set(value.databaseUid, [value])
  }
  for (const of of actions.values()) of.sort((one, other) => one.createdAtMs - other.createdAtMs)
  return actions
}
