/**
 * How long requests take as their clients see it: from when the proxy has read one until its answer's turn has come. Callers:
 * answers record it, the endpoint tells it. Time is looked at once per read of a socket, not per request, and kept in whole
 * numbers, so that a command costs no clock and makes no garbage.
 */
import { LATENCY_BOUNDS_US } from '#model/statistics/readings.ts'

/** Whole microseconds since nobody knows when, in 32 bits: only differences up to half an hour make sense. */
export const clock = { us: 0 }

/** Called when bytes have come. */
export function readClock(): void {
  clock.us = (performance.now() * 1_000) | 0
}

export class Latency {
  /** Of all together. */
  microseconds = 0
  /** How many fell into each class of LATENCY_BOUNDS_US, and last those that took longer. */
  readonly counts: number[] = new Array(LATENCY_BOUNDS_US.length + 1).fill(0)

  /** `sinceUs` is what the clock said then. */
  record(sinceUs: number): void {
    const us = (clock.us - sinceUs) | 0
    this.microseconds += us
    const index = classOf(us)
    this.counts[index] = (this.counts[index] ?? 0) + 1
  }
}

/** The bounds are the powers of two. */
export function classOf(us: number): number {
  return us <= 1 ? 0 : Math.min(32 - Math.clz32(us - 1), LATENCY_BOUNDS_US.length)
}
