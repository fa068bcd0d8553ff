/**
 * How often in a row somebody was asked and did not answer, and since when. Callers: the sampler, who asks everybody about
 * once a second.
 */
import type { Failing } from '#model/statistics/contract.ts'

const NEVER: Failing = { count: 0, sinceClockMs: 0 }

export class Failures {
  readonly #all = new Map<number, Failing>()

  take(uid: number, hasAnswered: boolean, clockMs: number): void {
    const { count, sinceClockMs } = this.#all.get(uid) ?? NEVER
    if (hasAnswered) this.#all.set(uid, NEVER)
    else this.#all.set(uid, { count: count + 1, sinceClockMs: count === 0 ? clockMs : sinceClockMs })
  }

  forget(isThere: (uid: number) => boolean): void {
    for (const uid of this.#all.keys()) if (!isThere(uid)) this.#all.delete(uid)
  }

  get known(): ReadonlyMap<number, Failing> {
    return this.#all
  }
}
