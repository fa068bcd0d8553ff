/**
 * Samples of a second → samples of longer intervals. Every sample is shared out among the steps that it lies in; a step
 * that is over becomes a sample of the next longer interval, which is made of whole steps. Pure.
 *
 * What was not measured has no part in an average: a step that is only partly known says so by its times. Where the clock
 * goes back, what had been gathered is dropped, because it is of a time that comes again.
 */
import { INTERVALS, type Interval, stepStart } from './intervals.ts'
import { COLUMNS, type Kind } from './metrics.ts'
import { Sample } from './sample.ts'

/** Clocks are set right by so much all the time. */
const SLEW_MS = 1_000

/** One step that is being filled. It has a part of an array that all steps of an object share: there are many objects. */
class Step {
  readonly #kind: Kind
  readonly #columns: number
  startMs = -1
  fromMs = 0
  toMs = 0
  /** Of each column first value times milliseconds, of `last` and `max` the value itself; then the milliseconds. */
  readonly #sums: Float64Array
  readonly #first: number
  #knownMs = 0

  constructor(kind: Kind, index: number, sums: Float64Array) {
    this.#kind = kind
    this.#columns = COLUMNS[kind].names.length
    this.#sums = sums
    this.#first = index * this.#columns * 2
  }

  get isEmpty(): boolean {
    return this.startMs < 0
  }

  begin(startMs: number, fromMs: number): void {
    this.startMs = startMs
    this.fromMs = fromMs
    this.toMs = fromMs
  }

  /** `weightMs` of the time between were measured. */
  add(fromMs: number, toMs: number, values: Float64Array, weightMs: number): void {
    const { meanings } = COLUMNS[this.#kind]
    this.#knownMs += weightMs
    for (let column = 0; column < values.length; column++) {
      const value = values[column] ?? Number.NaN
      if (Number.isNaN(value)) continue
      const sum = this.#first + column
      const weight = sum + this.#columns
      const before = this.#sums[sum] ?? 0
      const meaning = meanings[column]
      this.#sums[sum] =
        meaning === 'last' ? value : meaning === 'max' ? Math.max(before, value) : before + value * weightMs
      this.#sums[weight] = (this.#sums[weight] ?? 0) + weightMs
    }
    // What is restored may come behind what is newer.
    this.fromMs = Math.min(this.fromMs, fromMs)
    this.toMs = Math.max(this.toMs, toMs)
  }

  /** What has been gathered; the step is empty then. */
  take(): Sample {
    const { meanings } = COLUMNS[this.#kind]
    const values = this.#sums.slice(this.#first, this.#first + this.#columns)
    for (let column = 0; column < values.length; column++) {
      const weightMs = this.#sums[this.#first + this.#columns + column] ?? 0
      if (weightMs === 0) values[column] = Number.NaN
      else if (meanings[column] !== 'last' && meanings[column] !== 'max')
        values[column] = (values[column] ?? 0) / weightMs
    }
    const sample = new Sample(this.#kind, this.fromMs, this.toMs, values, this.#knownMs)
    this.drop()
    return sample
  }

  drop(): void {
    this.startMs = -1
    this.#sums.fill(0, this.#first, this.#first + this.#columns * 2)
    this.#knownMs = 0
  }
}

/** `sample` is of a step of `interval` that is over. */
export type OnStep = (interval: Interval, sample: Sample) => void

const LONGER: readonly Interval[] = INTERVALS.slice(1)

/** All longer intervals of one object. */
export class RollUp {
  readonly #steps: readonly Step[]
  readonly #onStep: OnStep

  constructor(kind: Kind, onStep: OnStep) {
    const sums = new Float64Array(LONGER.length * COLUMNS[kind].names.length * 2)
    this.#steps = LONGER.map((_, index) => new Step(kind, index, sums))
    this.#onStep = onStep
  }

  /** Takes a sample of about a second. False: the clock went back, and what it had is dropped. */
  add(sample: Sample): boolean {
    const { fromMs } = sample
    const [first] = this.#steps
    const newest = first && !first.isEmpty ? first.toMs : fromMs
    const isBack = fromMs < newest - SLEW_MS
    if (isBack) for (const step of this.#steps) step.drop()
    this.#pour(0, isBack ? fromMs : Math.max(fromMs, newest), sample)
    return !isBack
  }

  /** Takes what was kept of a shorter interval before this one began: it counts towards `interval`, and all longer ones. */
  restore(interval: Interval, sample: Sample): void {
    const level = LONGER.indexOf(interval)
    if (level >= 0) this.#pour(level, sample.fromMs, sample)
  }

  /** Ends every step that ended before this moment, whether or not more is to come. */
  endBefore(atMs: number): void {
    for (let level = 0; level < this.#steps.length; level++) {
      const step = this.#steps[level]
      const lengthMs = (LONGER[level]?.seconds ?? 0) * 1_000
      if (step && !step.isEmpty && step.startMs + lengthMs <= atMs) this.#end(level, step)
    }
  }

  /** What the unfinished step of this interval has so far, of all that is shorter too; the step is empty then. */
  takeUnfinished(interval: Interval): Sample | undefined {
    const upTo = LONGER.indexOf(interval)
    for (const [level, step] of this.#steps.entries()) {
      if (level === upTo) return step.isEmpty ? undefined : step.take()
      if (!step.isEmpty) this.#end(level, step)
    }
    return undefined
  }

  #pour(level: number, beginMs: number, { fromMs, toMs, knownMs, values }: Sample): void {
    const interval = LONGER[level]
    const step = this.#steps[level]
    if (!interval || !step) return
    for (let at = beginMs; at < toMs; ) {
      const startMs = stepStart(at, interval)
      const endMs = startMs + interval.seconds * 1_000
      const until = Math.min(toMs, endMs)
      if (!step.isEmpty && step.startMs !== startMs) this.#end(level, step)
      if (step.isEmpty) step.begin(startMs, at)
      step.add(at, until, values, ((until - at) * knownMs) / (toMs - fromMs))
      if (until === endMs) this.#end(level, step)
      at = until
    }
  }

  #end(level: number, step: Step): void {
    const interval = LONGER[level]
    const sample = step.take()
    if (interval) this.#onStep(interval, sample)
    this.#pour(level + 1, sample.fromMs, sample)
  }
}
