/**
 * What a proxy counts of an endpoint, as plain numbers that can be added up over its workers. Callers: the endpoint makes
 * them when somebody asks; nothing here is done for a request.
 */
import type { CommandTable } from './command-table.ts'

const NAMES = [
  ...(['clients', 'connections', 'refused', 'ingressBytes', 'egressBytes'] as const),
  ...(['read', 'write', 'other', 'get', 'set', 'flush', 'touch'] as const),
] as const

export type EndpointCounts = { readonly [Name in (typeof NAMES)[number]]: number }
/** By the database; so it can be sent. */
export type CountsOfAll = readonly (readonly [databaseUid: number, counts: EndpointCounts])[]

const NOTHING: EndpointCounts = madeOf(() => 0)

export function sumOfCounts(all: readonly CountsOfAll[]): CountsOfAll {
  const sums = new Map<number, EndpointCounts>()
  for (const [uid, counts] of all.flat()) {
    const sum = sums.get(uid) ?? NOTHING
    sums.set(
      uid,
      madeOf((name) => sum[name] + counts[name]),
    )
  }
  return [...sums]
}

/** Of a worker that has ended: it has no clients any more, and what it counted stays counted. */
export function countsOfPast(counts: CountsOfAll): CountsOfAll {
  return counts.map(([uid, one]) => [uid, { ...one, clients: 0 }])
}

/** Requests are those that went to a shard, or that the proxy answered itself. */
export function countRequests(
  table: CommandTable,
): Pick<EndpointCounts, 'read' | 'write' | 'other' | 'get' | 'set' | 'flush' | 'touch'> {
  const kinds = { read: 0, write: 0, other: table.unknownCalls }
  for (const { kind, calls } of table.all()) kinds[kind] += calls
  const of = (...names: string[]) => names.reduce((sum, name) => sum + table.callsOf(name), 0)
  return { ...kinds, get: of('get'), set: of('set'), flush: of('flushall', 'flushdb'), touch: of('touch') }
}

function madeOf(value: (name: keyof EndpointCounts) => number): EndpointCounts {
  const counts = { clients: 0, connections: 0, refused: 0, ingressBytes: 0, egressBytes: 0 }
  const requests = { read: 0, write: 0, other: 0, get: 0, set: 0, flush: 0, touch: 0 }
  const all: { -readonly [Name in keyof EndpointCounts]: number } = { ...counts, ...requests }
  for (const name of NAMES) all[name] = value(name)
  return all
}
