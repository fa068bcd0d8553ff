/**
 * Everything that is known of the past: takes each new sample, keeps the short intervals in memory and the long ones on
 * disk, and answers those who ask. Callers: the sampler gives, everybody else reads through the
 * contract. What an object costs in memory does not depend on how long it has been there.
 */
import type { LiveReadings, RecentSamples, Statistics, TimeRange } from '#model/statistics/contract.ts'
import { INTERVALS, type Interval, type IntervalName, intervalNamed, stepStart } from '#model/statistics/intervals.ts'
import { keyOf, type Measured, objectOf } from '#model/statistics/objects.ts'
import { PackedRing } from '#model/statistics/packed-ring.ts'
import type { EndpointReading, NodeReading } from '#model/statistics/readings.ts'
import { Ring } from '#model/statistics/ring.ts'
import { RollUp } from '#model/statistics/roll-up.ts'
import type { Sample } from '#model/statistics/sample.ts'
import { Failures } from './failures.ts'
import { type History, ON_DISK } from './history.ts'
import type { KeptReading } from './kept-reading.ts'

const [SECOND, TEN_SECONDS, FIVE_MINUTES] = INTERVALS
/** Nothing that belongs to a step arrives so late after its end. */
const LATE_MS = 16_000
const NEWEST_MS = 15_000
/** About as many as there are between two looks of those who look now and then. */
const RECENT = 15
/** An object that nothing has been heard of for so long is gone: its last steps are over. */
const FORGET_AFTER_MS = 600_000

type Series = {
  readonly seconds: Ring
  readonly tens: PackedRing
  readonly rollUp: RollUp
  heardMs: number
}

export type RecorderLive = {
  readonly shards: Map<number, KeptReading>
  readonly endpoints: Map<number, Map<number, EndpointReading>>
  readonly nodes: Map<number, NodeReading>
  readonly failures: Readonly<Record<'shards' | 'endpoints' | 'proxies', Failures>>
}

export class Recorder implements Statistics {
  readonly #history: History
  readonly #now: () => number
  readonly #series = new Map<number, Series>()
  /** Steps that are over and not written yet, by interval and by when they began. */
  readonly #over = new Map<Interval, Map<number, Map<number, Sample>>>()
  #writing: Promise<void> = Promise.resolve()
  readonly readings: RecorderLive = {
    shards: new Map(),
    endpoints: new Map(),
    nodes: new Map(),
    failures: { shards: new Failures(), endpoints: new Failures(), proxies: new Failures() },
  }

  readonly live: LiveReadings

  constructor(options: { readonly history: History; readonly now: () => number }) {
    this.#history = options.history
    this.#now = options.now
    const { failures, ...readings } = this.readings
    const { shards, endpoints, proxies } = failures
    this.live = { ...readings, failures: { shards: shards.known, endpoints: endpoints.known, proxies: proxies.known } }
  }

  take(object: Measured, sample: Sample): void {
    const series = this.#seriesOf(keyOf(object), object)
    if (!series.rollUp.add(sample)) {
      series.seconds.clear()
      series.tens.clear()
    }
    // Copied, not kept: what lives for some seconds is what V8 has to look for everywhere.
    series.seconds.push(sample)
    series.heardMs = this.#now()
  }

  latest(object: Measured): Sample | undefined {
    return this.#fresh(object)?.newest
  }

  /** One number of the latest sample, without making one: for those who ask hundreds of times a second. */
  latestOf(object: Measured, metric: string): number | undefined {
    return this.#fresh(object)?.newestOf(metric)
  }

  /** When the latest sample ends; 0: there is none. */
  toldUntilMs(object: Measured): number {
    return this.#fresh(object)?.toldUntilMs ?? 0
  }

  /** Undefined: nothing is known of the last seconds. */
  #fresh(object: Measured): Ring | undefined {
    const seconds = this.#series.get(keyOf(object))?.seconds
    return seconds && this.#now() - seconds.toldUntilMs <= NEWEST_MS ? seconds : undefined
  }

  async range(object: Measured, interval: IntervalName, range: TimeRange): Promise<readonly Sample[]> {
    const [samples = []] = await this.ranges([object], interval, range)
    return samples
  }

  async ranges(
    objects: readonly Measured[],
    name: IntervalName,
    range: TimeRange,
  ): Promise<readonly (readonly Sample[])[]> {
    const interval = intervalNamed(name) ?? SECOND
    const nowMs = this.#now()
    const kept = { fromMs: Math.max(range.fromMs, oldestKept(interval, nowMs)), toMs: Math.min(range.toMs, nowMs + 1) }
    const keys = objects.map(keyOf)
    if (ON_DISK.includes(interval)) return await this.#fromDisk(keys, interval, kept)
    return keys.map((key) => this.#fromMemory(key, interval, kept))
  }

  recent(object: Measured): RecentSamples | undefined {
    return this.#series.get(keyOf(object))?.seconds
  }

  /**
   * Has what was kept before the last end count towards the steps that it lies in, also those that ended while nobody was
   * there.
   */
  async restore(): Promise<void> {
    await this.#history.open()
    const nowMs = this.#now()
    for (const [index, interval] of ON_DISK.entries()) {
      const shorter = ON_DISK[index - 1]
      if (!shorter) await this.#restoreStep(interval, interval, stepStart(nowMs, interval), nowMs)
      else
        for (const startMs of this.#missing(interval, shorter, nowMs))
          await this.#restoreStep(interval, shorter, startMs, nowMs)
    }
  }

  /** Steps that are not on disk although some of what they are made of is, and the one that is under way. */
  #missing(interval: Interval, shorter: Interval, nowMs: number): number[] {
    const kept = { fromMs: oldestKept(shorter, nowMs), toMs: nowMs }
    const starts = this.#history.stepsWithin(shorter, kept).map((startMs) => stepStart(startMs, interval))
    return [...new Set(starts)].filter((startMs) => !this.#history.has(interval, startMs))
  }

  /** Ends and writes the steps that nothing can be added to any more. Called every few seconds. */
  async settle(): Promise<void> {
    const overMs = this.#now() - LATE_MS
    for (const [key, series] of this.#series) {
      series.rollUp.endBefore(overMs)
      if (this.#now() - series.heardMs > FORGET_AFTER_MS) {
        this.#keepUnfinished(key, series)
        this.#series.delete(key)
      }
    }
    await this.#write(overMs)
  }

  /** Writes everything down, finished or not. */
  async close(): Promise<void> {
    for (const [key, series] of this.#series) this.#keepUnfinished(key, series)
    await this.#write(Number.POSITIVE_INFINITY)
  }

  #seriesOf(key: number, { kind }: Measured): Series {
    const known = this.#series.get(key)
    if (known) return known
    const tens = new PackedRing(kind, TEN_SECONDS.samples)
    const rollUp = new RollUp(kind, (interval, sample) => {
      if (interval === TEN_SECONDS) tens.push(sample)
      else this.#end(key, interval, sample)
    })
    const series = {
      seconds: new Ring(kind, Math.max(SECOND.samples, RECENT)),
      tens,
      rollUp,
      heardMs: this.#now(),
    }
    this.#series.set(key, series)
    return series
  }

  #end(key: number, interval: Interval, sample: Sample): void {
    const steps = this.#over.get(interval) ?? new Map<number, Map<number, Sample>>()
    this.#over.set(interval, steps)
    const startMs = stepStart(sample.fromMs, interval)
    const step = steps.get(startMs) ?? new Map<number, Sample>()
    steps.set(startMs, step.set(key, sample))
  }

  /** What is unfinished of the shortest interval on disk; the longer ones are made of it again. */
  #keepUnfinished(key: number, { rollUp }: Series): void {
    const sample = rollUp.takeUnfinished(FIVE_MINUTES)
    if (sample) this.#end(key, FIVE_MINUTES, sample)
  }

  /** One after another, and never two at a time. */
  #write(overMs: number): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      for (const [interval, steps] of this.#over) {
        for (const [startMs, samples] of steps) {
          if (startMs + interval.seconds * 1_000 > overMs) continue
          await this.#history.write(interval, startMs, samples)
          steps.delete(startMs)
        }
      }
    })
    return this.#writing
  }

  async #restoreStep(interval: Interval, shorter: Interval, startMs: number, nowMs: number): Promise<void> {
    // The shorter step that is under way is restored by itself, and arrives here when it is over.
    const untilMs = shorter === interval ? nowMs : stepStart(nowMs, shorter)
    const endMs = Math.min(startMs + interval.seconds * 1_000, untilMs)
    for (const at of this.#history.stepsWithin(shorter, { fromMs: startMs, toMs: endMs })) {
      const segment = await this.#history.read(shorter, at)
      for (const key of segment?.keys ?? []) {
        const sample = segment?.sample(key)
        const object = objectOf(key)
        if (sample && object) this.#seriesOf(key, object).rollUp.restore(interval, sample)
      }
    }
  }

  #fromMemory(key: number, interval: Interval, { fromMs, toMs }: TimeRange): Sample[] {
    const series = this.#series.get(key)
    if (!series) return []
    return (interval === SECOND ? series.seconds : series.tens).within(fromMs, toMs)
  }

  async #fromDisk(keys: readonly number[], interval: Interval, range: TimeRange): Promise<Sample[][]> {
    const found = keys.map((): Sample[] => [])
    const add = (take: (key: number) => Sample | undefined) => {
      for (const [index, key] of keys.entries()) {
        const sample = take(key)
        if (sample && sample.toMs > range.fromMs && sample.fromMs < range.toMs) found[index]?.push(sample)
      }
    }
    const waiting = this.#over.get(interval)
    for (const startMs of this.#history.stepsWithin(interval, range)) {
      if (waiting?.has(startMs)) continue
      const segment = await this.#history.read(interval, startMs)
      if (segment) add((key) => segment.sample(key))
    }
    for (const startMs of [...(waiting?.keys() ?? [])].sort((a, b) => a - b))
      add((key) => waiting?.get(startMs)?.get(key))
    return found
  }
}

/** As many steps are kept as are documented, the one that is under way not counted. */
function oldestKept(interval: Interval, nowMs: number): number {
  return stepStart(nowMs, interval) - interval.samples * interval.seconds * 1_000
}
