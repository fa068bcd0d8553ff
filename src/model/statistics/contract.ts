/**
 * The door to all statistics: what is known now, and what was. Main makes it and hands it to
 * those who read: the routes of the API, alerts, exporters. None of them measures anything by itself.
 */
import type { IntervalName } from './intervals.ts'
import type { Measured } from './objects.ts'
import type { EndpointReading, NodeReading, ShardReading } from './readings.ts'
import type { Ring } from './ring.ts'
import type { Sample } from './sample.ts'

export type TimeRange = { readonly fromMs: number; readonly toMs: number }

/** `count` is 0 for those that answer. */
export type Failing = { readonly count: number; readonly sinceClockMs: number }

/** Counters as they stand, to be read at once: the next are written over them. An object that is gone is forgotten. */
export type LiveReadings = {
  readonly shards: ReadonlyMap<number, ShardReading>
  /** Of endpoints that a proxy serves, by the database, then by the node. */
  readonly endpoints: ReadonlyMap<number, ReadonlyMap<number, EndpointReading>>
  readonly nodes: ReadonlyMap<number, NodeReading>
  /** Of everybody who has been asked, how often in a row without an answer; endpoints that a proxy serves, by the database. */
  readonly failures: Readonly<Record<'shards' | 'endpoints' | 'proxies', ReadonlyMap<number, Failing>>>
}

/** What was measured lately, as long as it is held: it goes on with the time. */
export type RecentSamples = Pick<Ring, 'highest' | 'valuesOf'>

export interface Statistics {
  /** The newest sample of about a second; undefined: nothing has been seen of it in the last 15 s. */
  latest(object: Measured): Sample | undefined
  /**
   * What was kept at this interval and overlaps the range, oldest first. Where nothing was measured there is a gap: a
   * sample covers what it says, and no more. Never rejects: what the disk does not give is missing.
   */
  range(object: Measured, interval: IntervalName, range: TimeRange): Promise<readonly Sample[]>
  /** The same of many at once, in their order: what lies on disk is read once for all of them. */
  ranges(
    objects: readonly Measured[],
    interval: IntervalName,
    range: TimeRange,
  ): Promise<readonly (readonly Sample[])[]>
  readonly live: LiveReadings
  /** The newest samples of about a second, 15 at most, oldest first: databases that are hardly used have fewer of them. */
  recent(object: Measured): RecentSamples | undefined
}
