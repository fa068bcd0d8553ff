/**
 * What a proxy counts of an endpoint, as plain numbers that can be added up over its workers. Callers: the endpoint makes
 * them when somebody asks; nothing here is done for a request.
 */
import type { RequestKind } from '#model/statistics/readings.ts'
import type { CommandTable } from './command-table.ts'
import { Latency } from './latency.ts'

const NAMES = [
  ...(['clients', 'connections', 'refused', 'ingressBytes', 'egressBytes', 'logins', 'loginsRefused'] as const),
  ...(['get', 'set', 'flush', 'touch'] as const),
] as const
const KINDS: readonly RequestKind[] = ['read', 'write', 'other']

export type RequestCounts = {
  /** Those that went to a shard, or that the proxy answered itself. */
  readonly requests: number
  /** Of those that were answered; a command that waits for others' data has no latency. */
  readonly microseconds: number
  readonly histogram: readonly number[]
}
type Numbers = { readonly [Name in (typeof NAMES)[number]]: number }
export type EndpointCounts = Numbers & { readonly [Kind in RequestKind]: RequestCounts }
/** By the database; so it can be sent. */
export type CountsOfAll = readonly (readonly [databaseUid: number, counts: EndpointCounts])[]

const NOTHING: EndpointCounts = madeOf(
  () => 0,
  () => ({ requests: 0, microseconds: 0, histogram: new Latency().counts }),
)

export function sumOfCounts(all: readonly CountsOfAll[]): CountsOfAll {
  const sums = new Map<number, EndpointCounts>()
  for (const [uid, counts] of all.flat()) {
    const sum = sums.get(uid) ?? NOTHING
    sums.set(
      uid,
      madeOf(
        (name) => sum[name] + counts[name],
        (kind) => sumOfRequests(sum[kind], counts[kind]),
      ),
    )
  }
  return [...sums]
}

/** Of a worker that has ended: it has no clients any more, and what it counted stays counted. */
export function countsOfPast(counts: CountsOfAll): CountsOfAll {
  return counts.map(([uid, one]) => [uid, { ...one, clients: 0 }])
}

export function countRequests(
  table: CommandTable,
): Pick<EndpointCounts, RequestKind | 'get' | 'set' | 'flush' | 'touch'> {
  const calls = { read: 0, write: 0, other: table.unknownCalls }
  for (const command of table.all()) calls[command.kind] += command.calls
  const of = (...names: string[]) => names.reduce((sum, name) => sum + table.callsOf(name), 0)
  const requests = (kind: RequestKind): RequestCounts => {
    const { microseconds, counts } = table.latencies[kind]
    return { requests: calls[kind], microseconds, histogram: [...counts] }
  }
  const kinds = { read: requests('read'), write: requests('write'), other: requests('other') }
  return { ...kinds, get: of('get'), set: of('set'), flush: of('flushall', 'flushdb'), touch: of('touch') }
}

function sumOfRequests(one: RequestCounts, other: RequestCounts): RequestCounts {
  return {
    requests: one.requests + other.requests,
    microseconds: one.microseconds + other.microseconds,
    histogram: one.histogram.map((count, index) => count + (other.histogram[index] ?? 0)),
  }
}

function madeOf(
  number: (name: (typeof NAMES)[number]) => number,
  requests: (kind: RequestKind) => RequestCounts,
): EndpointCounts {
  const entries = [...NAMES.map((name) => [name, number(name)]), ...KINDS.map((kind) => [kind, requests(kind)])]
  return Object.fromEntries(entries)
}
