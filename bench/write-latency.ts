/**
 * PUT of a name, durable when it is answered, one after another; beside what the original's own documentation shows.
 */
import type { Instance } from '../test/support/instance.ts'
import type { BenchRow } from './row.ts'
import { median, quantile, round } from './statistics.ts'

const WRITES = 500
const WARM_UP = 50
/** x-envoy-upstream-service-time of the PUTs in the original's quick start. */
const DOCUMENTED_MS = 128

export async function benchWrites(instance: Instance): Promise<BenchRow> {
  const { uid } = await instance.create({ name: 'bench-writes' })
  const times = await timeRenames(instance, uid, WRITES)
  const middle = median(times)
  return {
    what: 'PUT a name, durable on return',
    ours: `${round(middle)} ms (p99 ${round(quantile(times, 0.99))})`,
    beside: 'the original, as documented',
    theirs: `${DOCUMENTED_MS}–159 ms`,
    ratio: round(middle / DOCUMENTED_MS, 4),
    aim: '≤ 5 ms',
    met: middle <= 5,
    figures: { medianMs: middle, p99Ms: quantile(times, 0.99) },
  }
}

/** Milliseconds of each of `count` renames. */
export async function timeRenames(instance: Instance, uid: number, count: number): Promise<number[]> {
  const times: number[] = []
  for (let n = 0; n < count + WARM_UP; n++) {
    const started = performance.now()
    const { status } = await instance.api.put(`/v1/bdbs/${uid}`, { name: `bench-${n}` })
    if (n >= WARM_UP) times.push(performance.now() - started)
    if (status !== 200) throw new Error(`the rename was answered with ${status}`)
  }
  return times
}
