/**
 * What the control plane can ask of one machine: the only door between them. The agent in this process implements it
 * now; one on another machine will implement it over the network, so everything here is plain data and asynchronous,
 * except the last observation, which is kept on this side.
 */
import type { PortRange } from '#model/port-range.ts'
import type { SlotRange } from '#model/slots.ts'
import type { Readings, ReadingsWanted } from '#model/statistics/readings.ts'
import type { SlotLoads } from './balance.ts'
import type { ObservedEndpoint, ObservedShard, Step } from './step.ts'

export type EngineBuild = {
  readonly name: 'redis' | 'valkey'
  /** Full version: `7.0.15`. */
  readonly version: string
  readonly path: string
  /** Some builds, Debian's among them, cannot defragment. */
  readonly activeDefrag: boolean
  readonly tls: boolean
}

export type HostFacts = {
  readonly hostname: string
  readonly architecture: string
  readonly cores: number
  readonly totalMemoryBytes: number
  readonly osName: string
  /** `12` of Debian 12, as /etc/os-release has it. */
  readonly osVersion: string
  readonly bootedAt: number
  readonly addresses: readonly {
    readonly address: string
    readonly format: 'ipv4' | 'ipv6'
    readonly interface: string
    readonly private: boolean
  }[]
  readonly persistentPath: string
  readonly ephemeralPath: string
  readonly engines: readonly EngineBuild[]
}

/** Read anew at each call: they change all the time. */
export type HostReadings = {
  readonly freeMemoryBytes: number
  readonly persistentStorageBytes: number
  readonly persistentStorageFreeBytes: number
  readonly ephemeralStorageBytes: number
  readonly ephemeralStorageFreeBytes: number
}

/** One thing that a machine should be or have; `problem` says in words what is wrong, null: nothing. */
export type NodeCheck = { readonly name: string; readonly problem: string | null }

/** In the folder of a shard: a dump, or an append-only file with all of its parts. */
export type DataFile = { readonly name: string; readonly bytes: number; readonly changedAtMs: number }

/** Whose log it is. */
export type LogOwner =
  | { readonly kind: 'control-plane' }
  | { readonly kind: 'proxy' }
  | { readonly kind: 'shard'; readonly shardUid: number }

/** A snapshot, or a log of writes; also drafts that a process has not finished, or left behind. */
export type DataFileFacts = {
  readonly shardUid: number
  readonly path: string
  readonly bytes: number
  readonly changedAtMs: number
}

/** That of a shard, or that of the proxy, without a `shardUid`. `mode` is null: it is not there. */
export type SocketFacts = { readonly shardUid: number | null; readonly path: string; readonly mode: string | null }

/** What was found out about one key. */
export type KeySample = {
  /** Its beginning, when it is long; bytes that are no text are replaced. */
  readonly name: string
  readonly type: string
  /** With everything that the engine keeps about it; of a large collection an estimate. */
  readonly bytes: number
  /** null: it does not expire. */
  readonly ttlMs: number | null
  /** Seconds since it was last used; null: the engine counts uses instead. */
  readonly idleSeconds: number | null
  /** The engine's own logarithmic count of uses, 0 to 255; null: it keeps idle times instead. */
  readonly frequency: number | null
}

export type KeySampling = {
  /** Keys that the shard has. */
  readonly total: number
  readonly samples: readonly KeySample[]
  /** Every key was looked at. */
  readonly isComplete: boolean
}

/** A reply of the engine, as JSON can hold it. Status replies are true: that is what the API's callers expect. */
export type EngineReply =
  | string
  | number
  | boolean
  | null
  | readonly EngineReply[]
  | { readonly [key: string]: EngineReply }

/** What a shard can be asked besides INFO; it answers at once, and changes nothing. */
export type ShardQuestion =
  | { readonly kind: 'clients' }
  | { readonly kind: 'slow-log'; readonly entries: number }
  /** What kept it longer than it should, newest of each kind. */
  | { readonly kind: 'delays' }
  /** How the times of each command are spread. */
  | { readonly kind: 'latencies' }

export interface Agent {
  readonly host: HostFacts
  /** The last observation of every shard that has a folder or a process on this machine. */
  observed(): ReadonlyMap<number, ObservedShard>
  /** `listener` is called with each new observation of a shard. Returns how to stop listening. */
  onChange(listener: (shard: ObservedShard) => void): () => void
  /** What this machine's proxy serves, by the database. */
  endpoints(): ReadonlyMap<number, ObservedEndpoint>
  onEndpointChange(listener: (databaseUid: number) => void): void
  /** Rejects with StepFailed when the step could not be carried out. Steps of one shard run one after another. */
  apply(step: Step, options: { readonly signal: AbortSignal }): Promise<void>
  /** Those of `ports` on which somebody else listens at `host` right now. */
  busyPorts(host: string, ports: readonly number[]): Promise<readonly number[]>
  readings(): Promise<HostReadings>
  /** Looks at the machine, and at what should run on it. `ports`: where endpoints and shards listen. */
  checks(ports: readonly PortRange[]): Promise<readonly NodeCheck[]>
  /** The kernel's own counters, by the name of their file in /proc/net. */
  networkCounters(): Promise<Readonly<Record<string, string>>>
  dataFiles(): Promise<readonly DataFileFacts[]>
  sockets(): Promise<readonly SocketFacts[]>
  /**
   * The newest lines of a log of this machine, at most so many bytes, oldest first: of a shard, or of the proxy. Null: there
   * is none.
   */
  logTail(of: LogOwner, maxBytes: number): Promise<string | null>
  /** What the next start of a shard would read; null: nothing. */
  dataFile(shardUid: number): Promise<DataFile | null>
  /** Counters of shards, endpoints and the machine as they stand. Never rejects: what cannot be read in time is missing. */
  counters(of: ReadingsWanted): Promise<Readings>
  /** INFO, all sections, as the engine names its fields; null when the shard does not answer within `timeoutMs`. */
  info(shardUid: number, timeoutMs: number): Promise<Readonly<Record<string, string>> | null>
  /** As the engine answers. It does not count as a request of an application. Rejects with EngineRefusal or StepFailed. */
  ask(shardUid: number, question: ShardQuestion, timeoutMs: number): Promise<EngineReply>
  /** What an engine of this machine does not understand about these ACL rules, in its words; null: all understand them. */
  aclProblem(rules: readonly string[]): Promise<string | null>
  /** Runs a command with full rights. Rejects with EngineRefusal when the engine answers with an error. */
  command(shardUid: number, words: readonly string[], timeoutMs: number): Promise<EngineReply>
  /**
   * The same for a database whose endpoint this machine's proxy serves: what a client of the endpoint would be told, with
   * full rights.
   */
  commandAtEndpoint(databaseUid: number, words: readonly string[], timeoutMs: number): Promise<EngineReply>
  /** Looks at so many keys of a shard, a few at a time, for so long at most. Rejects with StepFailed when it does not run. */
  sampleKeys(shardUid: number, options: { readonly keys: number; readonly timeoutMs: number }): Promise<KeySampling>
  /** What each of these slots of a shard weighs. Takes a second where time is told. Rejects with StepFailed. */
  slotLoads(shardUid: number, slots: readonly SlotRange[], timeoutMs: number): Promise<SlotLoads>
  /**
   * How many bytes of its stream a primary is known to have had that its successor did not have when it was promoted; null:
   * one of them never told.
   */
  replicationGap(primaryUid: number, successorUid: number): number | null
  /**
   * Has a successor take the place of this machine's proxy, as it is wanted now: clients that connect are served all the
   * while. Nothing when there is none, and, unless `always`, when it is as it is wanted. Rejects with StepFailed.
   */
  replaceProxy(options: { readonly always: boolean }): Promise<void>
  /** Has this machine's proxy, if there is one, take over what is set and needs no restart. Rejects with StepFailed. */
  configureProxy(): Promise<void>
  /** Whether this machine's proxy answers, and serves the endpoint of the database. */
  endpointServes(databaseUid: number, timeoutMs: number): Promise<boolean>
  /** Milliseconds until the shard answered PING over its endpoint port, or null: nobody, or somebody else, answers. */
  pingEndpoint(shardUid: number, timeoutMs: number): Promise<number | null>
}

/** A step could not be carried out. `message` is for people; `lastWords` is what the engine itself said, if it did. */
export class StepFailed extends Error {
  override name = 'StepFailed'
  readonly kind: 'engine' | 'port' | 'disk' | 'timeout' | 'missing' | 'aborted'
  readonly lastWords: string | null
  constructor(kind: StepFailed['kind'], message: string, lastWords: string | null = null, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
    this.lastWords = lastWords
  }
}

/** The engine understood and said no: its own error line, e.g. `ERR unknown command`. */
export class EngineRefusal extends Error {
  override name = 'EngineRefusal'
}
