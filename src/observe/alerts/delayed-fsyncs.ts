/**
 * How many writes had to wait for the disks of one node, lately. An engine counts one at most every two seconds, and is
 * looked at once a second: alerts that are looked at more often would see one, and then none, and take that for an end.
 */
const LATELY_MS = 5_000

export class DelayedFsyncs {
  /** What the counters of the shards were the last time. */
  readonly #counts = new Map<number, number>()
  #seen: { readonly atMs: number; readonly delayed: number }[] = []

  /** `counts`: of each shard that is there, as its process counts now; undefined: it has not been looked at. */
  take(counts: ReadonlyMap<number, number | undefined>, nowMs: number): number {
    let delayed = 0
    for (const [uid, count] of counts) {
      if (count === undefined) continue
      // A process that was started anew counts from 0.
      delayed += Math.max(0, count - (this.#counts.get(uid) ?? count))
      this.#counts.set(uid, count)
    }
    for (const uid of this.#counts.keys()) if (!counts.has(uid)) this.#counts.delete(uid)
    // A clock that was set back or forward forgets.
    this.#seen = this.#seen.filter(({ atMs }) => Math.abs(nowMs - atMs) < LATELY_MS)
    if (delayed > 0) this.#seen.push({ atMs: nowMs, delayed })
    return this.#seen.reduce((sum, one) => sum + one.delayed, 0)
  }
}
