/**
 * What engines say of their slow commands, their clients and their commands, as plain data. Pure.
 */
import type { EngineReply } from '#plan/agent.ts'

export type SlowCommand = {
  readonly id: number
  readonly atSeconds: number
  readonly tookMicroseconds: number
  /** The command with its arguments; the engine shortens them. */
  readonly words: readonly string[]
  readonly client: string
  readonly clientName: string
}

/** The reply of SLOWLOG GET. */
export function parseSlowLog(reply: EngineReply): SlowCommand[] {
  return listOf(reply).flatMap((entry) => {
    const [id, at, took, words, client, name] = listOf(entry)
    if (words === undefined) return []
    return {
      id: Number(id),
      atSeconds: Number(at),
      tookMicroseconds: Number(took),
      words: listOf(words).map(String),
      client: String(client ?? ''),
      clientName: String(name ?? ''),
    }
  })
}

export type Delay = {
  readonly event: string
  readonly atSeconds: number
  readonly latestMs: number
  readonly longestMs: number
}

/** The reply of LATENCY LATEST: the newest of each kind of event that took longer than it should. */
export function parseDelays(reply: EngineReply): Delay[] {
  return listOf(reply).map((entry) => {
    const [event, at, latest, longest] = listOf(entry)
    return { event: String(event), atSeconds: Number(at), latestMs: Number(latest), longestMs: Number(longest) }
  })
}

/** A map, which engines send as names and values in turn, and whatever maps it has within. */
export function mapsIn(reply: EngineReply): EngineReply {
  if (!Array.isArray(reply)) return reply
  const all = listOf(reply)
  const pairs = Array.from(
    { length: all.length >> 1 },
    (_, index) => [all[2 * index], all[2 * index + 1] ?? null] as const,
  )
  return Object.fromEntries(pairs.map(([name, value]) => [String(name), mapsIn(value)]))
}

export type EngineClient = Readonly<Record<string, string>>

/** The reply of CLIENT LIST: a line each, `id=7 addr=127.0.0.1:50000 name= …`. */
export function parseClients(reply: EngineReply): EngineClient[] {
  if (typeof reply !== 'string') return []
  const lines = reply.split('\n').filter((line) => line !== '')
  return lines.map((line) =>
    Object.fromEntries([...line.matchAll(/([\w-]+)=(\S*)/g)].map(([, name, value]) => [name, value])),
  )
}

export type CommandUse = {
  readonly calls: number
  readonly microseconds: number
  readonly rejected: number
  readonly failed: number
  /** Microseconds; null: the engine does not say. */
  readonly p50: number | null
  readonly p99: number | null
}

/** From INFO: each command with what was spent on it since its shard started. */
export function parseCommandUse(info: Readonly<Record<string, string>>): Map<string, CommandUse> {
  const used = new Map<string, CommandUse>()
  for (const [field, text] of Object.entries(info)) {
    if (!field.startsWith(CALLS)) continue
    const name = field.slice(CALLS.length)
    const counts = numbersOf(text)
    const latency = numbersOf(info[LATENCIES + name] ?? '')
    used.set(name, {
      calls: counts.calls ?? 0,
      microseconds: counts.usec ?? 0,
      rejected: counts.rejected_calls ?? 0,
      failed: counts.failed_calls ?? 0,
      p50: latency.p50 ?? null,
      p99: latency.p99 ?? null,
    })
  }
  return used
}

const CALLS = 'cmdstat_'
const LATENCIES = 'latency_percentiles_usec_'

/** Of all shards together. A percentile of several is at most the highest of them: that one is told. */
export function joinCommandUse(all: readonly ReadonlyMap<string, CommandUse>[]): Map<string, CommandUse> {
  const joined = new Map<string, CommandUse>()
  for (const [name, use] of all.flatMap((one) => [...one])) {
    const known = joined.get(name)
    joined.set(name, known ? together(known, use) : use)
  }
  return joined
}

function together(one: CommandUse, other: CommandUse): CommandUse {
  return {
    calls: one.calls + other.calls,
    microseconds: one.microseconds + other.microseconds,
    rejected: one.rejected + other.rejected,
    failed: one.failed + other.failed,
    p50: highest(one.p50, other.p50),
    p99: highest(one.p99, other.p99),
  }
}

function highest(one: number | null, other: number | null): number | null {
  return one === null || other === null ? (one ?? other) : Math.max(one, other)
}

/** `calls=1,usec=4,usec_per_call=4.00` */
function numbersOf(text: string): Record<string, number> {
  return Object.fromEntries(
    text.split(',').flatMap((pair) => {
      const [name, value] = pair.split('=')
      return name && value !== undefined ? [[name, Number(value)]] : []
    }),
  )
}

function listOf(reply: EngineReply | undefined): readonly EngineReply[] {
  return Array.isArray(reply) ? reply : []
}
