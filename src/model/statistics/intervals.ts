/**
 * The intervals at which statistics are kept, and how many samples of each, as the API documents them. Steps begin at
 * multiples of their length since the epoch, so that each is made of whole steps of the one before it.
 */

export const INTERVALS = [
  { name: '1sec', seconds: 1, samples: 10 },
  { name: '10sec', seconds: 10, samples: 30 },
  { name: '5min', seconds: 300, samples: 12 },
  { name: '15min', seconds: 900, samples: 96 },
  { name: '1hour', seconds: 3_600, samples: 168 },
  { name: '12hour', seconds: 43_200, samples: 62 },
  { name: '1week', seconds: 604_800, samples: 53 },
] as const

export type Interval = (typeof INTERVALS)[number]
export type IntervalName = Interval['name']

export function intervalNamed(name: string): Interval | undefined {
  return INTERVALS.find((interval) => interval.name === name)
}

/** When the step that this moment lies in begins. */
export function stepStart(atMs: number, { seconds }: { readonly seconds: number }): number {
  const lengthMs = seconds * 1_000
  return Math.floor(atMs / lengthMs) * lengthMs
}
