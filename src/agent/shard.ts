/**
 * One shard as the agent knows it at this moment: its record, its connection, its process, and what was last observed.
 * Callers: the supervision writes what it sees, the steps write the record; everybody reads. It decides nothing.
 */
import type { ControlConnection } from '#engine/control-connection.ts'
import type { ProcessIdentity } from '#engine/process.ts'
import { StepFailed } from '#plan/agent.ts'
import type { ObservedShard, ShardState } from '#plan/step.ts'
import { type ShardFolder, shardFolder } from './folder.ts'
import { OwnTraffic } from './own-traffic.ts'
import { type ShardRecord, writeRecord } from './record.ts'

export type ShardPorts = {
  readonly dataDir: string
  readonly now: () => number
  readonly changed: (observed: ObservedShard) => void
}

/** How often its engine looks after itself. */
export type Pace = 'fast' | 'slow'

export class Shard {
  readonly uid: number
  readonly folder: ShardFolder
  readonly #ports: ShardPorts
  #record: ShardRecord | null = null
  #writing: Promise<void> = Promise.resolve()
  #observed: ObservedShard
  readonly #waiting = new Set<() => void>()

  /** Written by the supervision; null while nobody answers. */
  connection: ControlConnection | null = null
  process: ProcessIdentity | null = null
  /** Null: not known on this connection. */
  pace: Pace | null = null
  /** By the monotonic clock; null: somebody is connected, or nobody has looked. */
  idleSince: number | null = null
  /** How far its stream had come when it was last asked as a primary; null: it never was. */
  primaryOffset: number | null = null
  /** How far it had read when it was promoted last; null: it never was. */
  promotedAtOffset: number | null = null
  /** A drill is about to kill the process: its successor has everything. */
  drilling = false
  /** What of the engine's counters is ours. */
  readonly own = new OwnTraffic()
  /** A step is ending the process: what a clean stop saves must not be tidied away. */
  stopping = false
  /** It sends keys to another shard, and waits for it while it does: it may be silent without hanging. */
  isSending = false

  constructor(uid: number, ports: ShardPorts) {
    this.uid = uid
    this.folder = shardFolder(ports.dataDir, uid)
    this.#ports = ports
    this.#observed = {
      uid,
      databaseUid: 0,
      state: 'stopped',
      pid: null,
      role: null,
      isLinked: false,
      linkLostAt: null,
      onlineReplicas: 0,
      completeTerm: null,
      engineVersion: null,
      cluster: null,
      withoutSlotsSince: null,
      spec: null,
      specDigest: null,
      flushes: 0,
      loadingPercent: null,
      diedInDrill: false,
      lastWords: null,
      since: ports.now(),
    }
  }

  /** Milliseconds since the epoch. */
  now(): number {
    return this.#ports.now()
  }

  get record(): ShardRecord | null {
    return this.#record
  }

  get observed(): ObservedShard {
    return this.#observed
  }

  /** There is, or may be, a process. */
  get isUp(): boolean {
    return (
      this.#observed.state === 'starting' || this.#observed.state === 'loading' || this.#observed.state === 'running'
    )
  }

  /** What was read from the disk. */
  adopt(record: ShardRecord): void {
    this.#record = record
    this.observe({})
  }

  /** Its folder is there now: it is seen, whatever becomes of it. */
  announce(): void {
    this.#ports.changed(this.#observed)
  }

  /** In memory at once, then on disk, one write after another; what the disk would not take is not so. */
  async keep(record: ShardRecord, options: { readonly durable?: boolean } = {}): Promise<void> {
    const before = this.#record
    this.#record = record
    this.observe({})
    const written = this.#writing.then(() => writeRecord(this.folder, record, options))
    this.#writing = written.catch(() => {})
    try {
      await written
    } catch (error) {
      if (this.#record === record) this.#record = before
      this.observe({})
      throw error
    }
  }

  async keepChanged(changes: Partial<ShardRecord>, options: { readonly durable?: boolean } = {}): Promise<void> {
    if (!this.#record) throw new StepFailed('missing', `shard ${this.uid} has no record`)
    await this.keep({ ...this.#record, ...changes }, options)
  }

  /** Tells everybody who listens, if it is news. */
  observe(
    changes: Partial<
      Omit<
        ObservedShard,
        'uid' | 'databaseUid' | 'spec' | 'specDigest' | 'flushes' | 'completeTerm' | 'since' | 'withoutSlotsSince'
      >
    >,
  ): void {
    const before = this.#observed
    const state: ShardState = changes.state ?? before.state
    const cluster = changes.cluster === undefined ? before.cluster : changes.cluster
    const hasNoSlots = cluster?.slots.length === 0
    const now: ObservedShard = {
      ...before,
      ...changes,
      withoutSlotsSince: hasNoSlots ? (before.withoutSlotsSince ?? this.#ports.now()) : null,
      databaseUid: this.#record?.spec?.databaseUid ?? before.databaseUid,
      spec: this.#record?.spec ?? null,
      specDigest: this.#record?.specDigest ?? null,
      flushes: this.#record?.flushes ?? before.flushes,
      completeTerm: this.#record?.completeTerm ?? null,
      since: state === before.state ? before.since : this.#ports.now(),
    }
    if (JSON.stringify(now) === JSON.stringify(before)) return
    this.#observed = now
    for (const wake of [...this.#waiting]) wake()
    this.#ports.changed(now)
  }

  /** Resolves as soon as the state is one of these; rejects with the signal's reason. */
  async until(states: readonly ShardState[], { signal }: { readonly signal: AbortSignal }): Promise<ShardState> {
    signal.throwIfAborted()
    if (states.includes(this.#observed.state)) return this.#observed.state
    return await new Promise((resolve, reject) => {
      const settle = (act: () => void) => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', abort)
        act()
      }
      const wake = () => {
        const { state } = this.#observed
        if (states.includes(state)) settle(() => resolve(state))
      }
      const abort = () => settle(() => reject(signal.reason))
      this.#waiting.add(wake)
      signal.addEventListener('abort', abort)
    })
  }

  /** The connection of a shard that has its data; a step that needs one has nothing to do without. */
  requireConnection(): ControlConnection {
    if (this.connection && this.#observed.state === 'running') return this.connection
    throw new StepFailed('missing', `shard ${this.uid} does not run`, this.#observed.lastWords)
  }
}
