/**
 * What a request for statistics asks: at which interval, of which time, and which of the metrics. Callers: the routes of
 * statistics.
 */
import Type from 'typebox'
import type { TimeRange } from '#model/statistics/contract.ts'
import { INTERVALS, type Interval, intervalNamed } from '#model/statistics/intervals.ts'
import type { Kind } from '#model/statistics/metrics.ts'
import type { Sample } from '#model/statistics/sample.ts'
import { refuse } from '../errors.ts'
import { TIMES, timeIn } from '../http/query.ts'
import type { ApiRequest, QueryParameter } from '../http/route.ts'
import { isAbsent, SHOWN_METRICS, type ShownMetrics, wireSeconds } from './shown.ts'

const NAMES = INTERVALS.map(({ name }) => name)
export const QUESTION: readonly QueryParameter[] = [
  { name: 'interval', description: 'How long each sample is', schema: Type.Enum([...NAMES], { default: '1sec' }) },
  ...TIMES,
  { name: 'metrics', description: 'Comma-separated names: answer with these only', schema: Type.String() },
]

export type Question = { readonly interval: Interval; readonly range: TimeRange; readonly metrics: ShownMetrics }

/** Throws a Refusal. */
export function questionIn({ query }: ApiRequest, kind: Kind): Question {
  const { interval: name = '' } = query
  const interval = intervalNamed(name === '' ? '1sec' : name)
  if (!interval)
    return refuse('invalid_query', { field: 'interval', description: `interval is one of ${NAMES.join(', ')}.` })
  const fromMs = timeIn(query, 'stime', 0)
  const toMs = timeIn(query, 'etime', Number.MAX_SAFE_INTEGER)
  if (fromMs > toMs) refuse('invalid_query', { field: 'stime', description: 'stime must not be later than etime.' })
  return { interval, range: { fromMs, toMs }, metrics: metricsIn(query, kind) }
}

function metricsIn(query: ApiRequest['query'], kind: Kind): ShownMetrics {
  const all = SHOWN_METRICS[kind]
  const names = (query.metrics ?? '').split(',').map((name) => name.trim())
  const wanted = names.filter((name) => name !== '')
  if (wanted.length === 0 || wanted.includes('all')) return all
  const few = new Map<string, NonNullable<ReturnType<typeof all.get>>>()
  for (const name of wanted) {
    const show = all.get(name)
    if (show) few.set(name, show)
    else if (!isAbsent(kind, name)) {
      const description = `There is no metric ${JSON.stringify(name.slice(0, 40))} here; ${[...all.keys()].join(', ')} are.`
      refuse('invalid_query', { field: 'metrics', description })
    }
  }
  return few
}

/** One sample as the API shows it. */
export function shownSample(sample: Sample, { interval, metrics }: Question): Record<string, number | string> {
  const shown: Record<string, number | string> = {
    interval: interval.name,
    stime: wireSeconds(sample.fromMs),
    etime: wireSeconds(sample.toMs),
  }
  for (const [name, show] of metrics) {
    const value = show(sample)
    if (value !== undefined) shown[name] = value
  }
  return shown
}
