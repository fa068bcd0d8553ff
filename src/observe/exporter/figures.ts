/**
 * What is told, on its way to the thread that makes text of it: a number, whose it is and what kind of line it gets, and
 * nothing that has to be put together or collected for each of two hundred thousand of them. Callers: both versions of the
 * metrics. Values that nobody knows are left out.
 */
import type { MetricType } from './lines.ts'
import type { Batch, LineKind } from './messages.ts'

const FIRST_LINES = 4_096

/** How often what was counted fell into which class. */
export type Spread = {
  /** The same for all of one metric. */
  readonly bounds: readonly number[]
  /** One more than `bounds`; empty: how they are spread is not known, and nobody is told otherwise, but `count` is. */
  readonly counts: readonly number[]
  /** NaN: not known. */
  readonly sum: number
  /** NaN: nothing is known. */
  readonly count: number
}

export class Figures {
  readonly #groups = new Map<string, Group>()
  #kindCount = 0
  #kinds: LineKind[] = []
  #labels: string[] = []
  #lastLabels = ''
  #lines = new Uint32Array(2 * FIRST_LINES)
  #values = new Float64Array(FIRST_LINES)
  #count = 0

  /** Metrics whose names begin with `prefix`. */
  group(prefix: string): Group {
    const known = this.#groups.get(prefix)
    if (known) return known
    const group = new Group(prefix, this)
    this.#groups.set(prefix, group)
    return group
  }

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    this.group('').add(type, name, labels, value)
  }

  /** What has been told since it was taken last. */
  take(): Batch {
    const batch = {
      kinds: this.#kinds,
      labels: this.#labels,
      lines: this.#lines.slice(0, 2 * this.#count),
      values: this.#values.slice(0, this.#count),
    }
    this.#kinds = []
    this.#labels = []
    this.#count = 0
    return batch
  }

  /** For groups: the number of a new kind of lines. */
  kind(kind: LineKind): number {
    this.#kinds.push(kind)
    return this.#kindCount++
  }

  /** For groups. */
  line(kind: number, labels: string, value: number): void {
    const index = this.#count++
    if (index === this.#values.length) this.#grow()
    // Those of an object are told on many lines one after another.
    if (this.#labels.length === 0 || labels !== this.#lastLabels) {
      this.#labels.push(labels)
      this.#lastLabels = labels
    }
    this.#lines[2 * index] = kind
    this.#lines[2 * index + 1] = this.#labels.length - 1
    this.#values[index] = value
  }

  #grow(): void {
    const [lines, values] = [this.#lines, this.#values]
    this.#lines = new Uint32Array(2 * lines.length)
    this.#lines.set(lines)
    this.#values = new Float64Array(2 * values.length)
    this.#values.set(values)
  }
}

type Histogram = { readonly buckets: readonly number[]; readonly sum: number; readonly count: number }

/** Metrics whose names begin alike: nothing need be put together to find one. */
export class Group {
  readonly #prefix: string
  readonly #figures: Figures
  readonly #kinds = new Map<string, number>()
  readonly #histograms = new Map<string, Histogram>()

  constructor(prefix: string, figures: Figures) {
    this.#prefix = prefix
    this.#figures = figures
  }

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return
    this.#figures.line(this.#kinds.get(name) ?? this.#kind(type, name), labels, value)
  }

  /** `labels` has at least one label. A `sum` that is not known is left out. */
  histogram(name: string, labels: string, { bounds, counts, sum, count }: Spread): void {
    if (Number.isNaN(count)) return
    const kinds = this.#histograms.get(name) ?? this.#histogram(name, bounds)
    const last = bounds.length
    let reached = 0
    if (counts.length > 0)
      for (let index = 0; index < last; index++) {
        reached += counts[index] ?? 0
        this.#figures.line(kinds.buckets[index] ?? 0, labels, reached)
      }
    const all = counts.length > 0 ? reached + (counts[last] ?? 0) : count
    this.#figures.line(kinds.buckets[last] ?? 0, labels, all)
    if (!Number.isNaN(sum)) this.#figures.line(kinds.sum, labels, sum)
    this.#figures.line(kinds.count, labels, all)
  }

  #kind(type: MetricType, name: string): number {
    const full = this.#prefix + name
    const kind = this.#figures.kind({ type, metric: full, name: full, more: '' })
    this.#kinds.set(name, kind)
    return kind
  }

  #histogram(name: string, bounds: readonly number[]): Histogram {
    const metric = this.#prefix + name
    const part = (ending: string, more = '') =>
      this.#figures.kind({ type: 'histogram', metric, name: `${metric}_${ending}`, more })
    const buckets = [...bounds, '+Inf'].map((bound) => part('bucket', `le="${bound}"}`))
    const histogram = { buckets, sum: part('sum'), count: part('count') }
    this.#histograms.set(name, histogram)
    return histogram
  }
}
