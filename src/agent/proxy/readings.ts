/** What the proxy tells of its work, as readings of its endpoints. Callers: the keeper of the proxy. */
import type { EndpointReading, RequestKind, RequestReading } from '#model/statistics/readings.ts'

export type ProxyReadings = {
  readonly endpoints: readonly EndpointReading[]
  /** Of its processes, first the one that lets clients in. */
  readonly pids: readonly number[]
}
export const NO_PROXY: ProxyReadings = { endpoints: [], pids: [] }

/** As the proxy sends it; one of an older version does not know the question, or tells less. */
type Told = {
  readonly counts?: readonly (readonly [number, Readonly<Record<string, unknown>>])[]
  readonly pids?: readonly number[]
}
type RequestsTold = {
  readonly requests?: number
  readonly microseconds?: number
  readonly histogram?: readonly number[]
}

/** Throws when the line is no JSON. */
export function readingsOf(line: string, atMs: number, clockMs: number): ProxyReadings {
  const { counts = [], pids = [] } = JSON.parse(line) as Told
  const endpoints = counts.map(([databaseUid, told]) => {
    const of = (name: string) => Number(told[name] ?? Number.NaN)
    const requests = (kind: RequestKind): RequestReading => {
      const { requests = Number.NaN, microseconds = Number.NaN, histogram = [] }: RequestsTold = Object(told[kind])
      return { requests, responses: requests, microseconds, histogram }
    }
    return {
      databaseUid,
      atMs,
      clockMs,
      read: requests('read'),
      write: requests('write'),
      other: requests('other'),
      clients: of('clients'),
      connectionsReceived: of('connections'),
      connectionsRefused: of('refused'),
      ingressBytes: of('ingressBytes'),
      egressBytes: of('egressBytes'),
      logins: of('logins'),
      loginsRefused: of('loginsRefused'),
      commands: { get: of('get'), set: of('set'), flush: of('flush'), touch: of('touch') },
    }
  })
  return { endpoints, pids }
}
