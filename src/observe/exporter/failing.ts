/**
 * Who does not answer, and since when, in the second version of the metrics.
 */
import type { Failing } from '#model/statistics/contract.ts'
import type { Figures } from './figures.ts'

export function tellFailing(out: Figures, what: 'shard' | 'endpoint' | 'dmc', labels: string, failing?: Failing): void {
  if (!failing) return
  const { count, sinceClockMs } = failing
  out.add('gauge', `${what}_ping_failures`, labels, count)
  const seconds = count === 0 ? 0 : Math.round((performance.now() - sinceClockMs) / 1_000)
  out.add('gauge', `${what}_ping_failure_duration_seconds`, labels, seconds)
}
