/**
 * The last samples of each object, for what the first version of the metrics calls maximum, median and minimum: over about
 * as long as there is between two scrapes. Callers: the exporter.
 */
import type { Statistics } from '#model/statistics/contract.ts'
import { keyOf, type Measured } from '#model/statistics/objects.ts'
import type { Sample } from '#model/statistics/sample.ts'

const KEPT = 15
/** An object that is gone is forgotten with its last sample. */
const FORGET_AFTER_MS = 60_000

export class Recent {
  readonly #samples = new Map<number, Sample[]>()
  readonly #stop: () => void
  #lookedAtMs = 0

  constructor(statistics: Statistics) {
    this.#stop = statistics.onSample((object, sample) => this.#take(object, sample))
  }

  close(): void {
    this.#stop()
  }

  /** Undefined: it is not known. */
  max(object: Measured, value: (sample: Sample) => number | undefined): number | undefined {
    const values = this.#values(object, value)
    return values.length === 0 ? undefined : Math.max(...values)
  }

  min(object: Measured, value: (sample: Sample) => number | undefined): number | undefined {
    const values = this.#values(object, value)
    return values.length === 0 ? undefined : Math.min(...values)
  }

  median(object: Measured, value: (sample: Sample) => number | undefined): number | undefined {
    const values = this.#values(object, value).sort((a, b) => a - b)
    const middle = values.length >> 1
    return values.length % 2 === 1 ? values[middle] : mean(values[middle - 1], values[middle])
  }

  #values(object: Measured, value: (sample: Sample) => number | undefined): number[] {
    return (this.#samples.get(keyOf(object)) ?? []).flatMap((sample) => value(sample) ?? [])
  }

  #take(object: Measured, sample: Sample): void {
    const key = keyOf(object)
    const kept = this.#samples.get(key)
    if (!kept) this.#samples.set(key, [sample])
    else {
      kept.push(sample)
      if (kept.length > KEPT) kept.shift()
    }
    if (sample.toMs - this.#lookedAtMs > FORGET_AFTER_MS) this.#forget(sample.toMs)
  }

  #forget(nowMs: number): void {
    this.#lookedAtMs = nowMs
    for (const [key, samples] of this.#samples)
      if (nowMs - (samples.at(-1)?.toMs ?? 0) > FORGET_AFTER_MS) this.#samples.delete(key)
  }
}

function mean(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : (one + other) / 2
}
