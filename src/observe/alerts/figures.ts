/**
 * What alerts need to know of processes and machines that changes all the time. Whoever samples them implements it.
 */

export type ShardFigures = {
  readonly usedMemoryBytes: number
  /** What of it is not data. */
  readonly overheadBytes: number
  readonly commandsPerSecond: number
  /** Null: there were no commands. */
  readonly latencyMicros: number | null
  /** Since the process began: writes that waited for a slow disk. */
  readonly delayedFsyncs: number
  /** Of the log of writes; 0: it keeps none. */
  readonly logBytes: number
}

export type NodeFigures = {
  readonly cpuPercent: number
  readonly networkBytesPerSecond: number
}

export interface Figures {
  /** Undefined: it is not running, or has not been looked at yet. */
  shard(uid: number): ShardFigures | undefined
  node(uid: number): NodeFigures | undefined
}
