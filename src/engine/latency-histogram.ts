/**
 * How long commands took, as an engine spreads it over classes: the reply to LATENCY HISTOGRAM (Redis 7, Valkey). Callers:
 * the agent.
 */
import { LATENCY_BOUNDS_US } from '#model/statistics/readings.ts'
import { type RespValue, textOf } from '#resp/value.ts'

/** `histogram_usec` has the classes behind the number of calls and its name. */
const CLASSES = 3

/**
 * The reply → how many calls fell into each class of LATENCY_BOUNDS_US, by the name of the command as INFO commandstats
 * writes it. The engine counts up from class to class, and leaves out those at which nothing is added. Its bounds are powers
 * of two of 1,024 nanoseconds, cut to microseconds: they are 2.4 % above ours, and taken for them.
 */
export function latencyHistograms(reply: RespValue): Map<string, number[]> {
  const histograms = new Map<string, number[]>()
  const items = itemsOf(reply)
  for (let index = 0; index + 1 < items.length; index += 2) {
    const name = textOf(items[index] ?? NOTHING)?.toLowerCase()
    const classes = itemsOf(itemsOf(items[index + 1])[CLASSES]).map((value) => Number(textOf(value)))
    if (name) histograms.set(name, spread(classes))
  }
  return histograms
}

const NOTHING: RespValue = { kind: 'null', form: 'bulk' }

function spread(classes: readonly number[]): number[] {
  const counts: number[] = new Array(LATENCY_BOUNDS_US.length + 1).fill(0)
  let before = 0
  for (let index = 0; index + 1 < classes.length; index += 2) {
    const [bound = 0, reached = 0] = classes.slice(index, index + 2)
    const place = Math.min(Math.max(0, Math.round(Math.log2(bound / 1.024))), LATENCY_BOUNDS_US.length)
    counts[place] = (counts[place] ?? 0) + reached - before
    before = reached
  }
  return counts
}

function itemsOf(value: RespValue | undefined): readonly RespValue[] {
  return value && 'items' in value ? value.items : []
}
