/**
 * What alerts need to know of processes and machines, from what is sampled of them anyway.
 */
import type { Statistics } from '#model/statistics/contract.ts'
import { infoNumber } from '#model/statistics/readings.ts'

export type ShardFigures = {
  readonly usedMemoryBytes: number
  /** What of it is not data. */
  readonly overheadBytes: number
  /** Since the process began: writes that waited for a slow disk. */
  readonly delayedFsyncs: number
}

/** What clients ask of it. */
export type DatabaseFigures = {
  readonly commandsPerSecond: number
  /** On average; 0: there were no commands. */
  readonly latencyMicros: number
}

export type NodeFigures = {
  readonly cpuPercent: number
  readonly networkBytesPerSecond: number
}

export interface Figures {
  /** Undefined: it is not running, or has not been looked at yet. */
  shard(uid: number): ShardFigures | undefined
  database(uid: number): DatabaseFigures | undefined
  node(uid: number): NodeFigures | undefined
}

export function figuresOf(statistics: Pick<Statistics, 'latest' | 'live'>): Figures {
  return {
    shard: (uid) => {
      const reading = statistics.live.shards.get(uid)
      if (!reading) return undefined
      // An engine that does not say counts as one that needs nothing.
      const number = (name: Parameters<typeof infoNumber>[1]) => infoNumber(reading, name) || 0
      return {
        usedMemoryBytes: number('used_memory'),
        overheadBytes: number('used_memory_overhead'),
        delayedFsyncs: number('aof_delayed_fsync'),
      }
    },
    database: (uid) => {
      const sample = statistics.latest({ kind: 'database', uid })
      const commandsPerSecond = sample?.get('total_req')
      if (commandsPerSecond === undefined) return undefined
      return { commandsPerSecond, latencyMicros: sample?.ratio('avg_latency') ?? 0 }
    },
    node: (uid) => {
      const sample = statistics.latest({ kind: 'node', uid })
      const [idle, wait] = [sample?.get('cpu_idle'), sample?.get('cpu_iowait')]
      const [received, sent] = [sample?.get('ingress_bytes'), sample?.get('egress_bytes')]
      if (idle === undefined || received === undefined || sent === undefined) return undefined
      return {
        // Waiting for a disk is not work.
        cpuPercent: 100 * Math.min(1, Math.max(0, 1 - idle - (wait ?? 0))),
        networkBytesPerSecond: received + sent,
      }
    },
  }
}
