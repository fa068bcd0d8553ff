/**
 * The text that Prometheus reads: each metric once with its type, and all its lines below it. Values that nobody knows are
 * left out. Callers: both versions of the metrics. A library's registry would hold each of two hundred thousand lines as an object of its
 * own; here each is forgotten as soon as it is among the bytes of its metric.
 */
import { Lines, type MetricType } from './lines.ts'

type Metric = { readonly name: Buffer; readonly lines: Lines }
type Histogram = { readonly lines: Lines; readonly bucket: Buffer; readonly sum: Buffer; readonly count: Buffer }

/** How often what was counted fell into which class. */
export type Spread = {
  readonly bounds: readonly number[]
  /** One more than `bounds`; empty: how they are spread is not known, and nobody is told otherwise, but `count` is. */
  readonly counts: readonly number[]
  /** NaN: not known. */
  readonly sum: number
  /** NaN: nothing is known. */
  readonly count: number
}

export class Exposition {
  readonly #lines = new Map<string, Lines>()
  readonly #groups = new Map<string, Group>()
  readonly #labels = new LabelBytes()

  /** Metrics whose names begin with `prefix`. */
  group(prefix: string): Group {
    const known = this.#groups.get(prefix)
    if (known) return known
    const group = new Group(prefix, (type, name) => this.#linesOf(type, name), this.#labels)
    this.#groups.set(prefix, group)
    return group
  }

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    this.group('').add(type, name, labels, value)
  }

  /** UTF-8, in pieces, which are gone when it is released. */
  text(): Buffer[] {
    return [...this.#lines.values()].map(({ bytes }) => bytes).filter(({ length }) => length > 0)
  }

  /** Nothing has been told yet, and no memory is taken. `isRead`: somebody may still read what was told. */
  release(how: { readonly isRead: boolean }): void {
    for (const lines of this.#lines.values()) lines.release(how)
  }

  #linesOf(type: MetricType, name: string): Lines {
    const known = this.#lines.get(name)
    if (known) return known
    const lines = new Lines(type, name)
    this.#lines.set(name, lines)
    return lines
  }
}

/** Metrics whose names begin alike: nothing need be put together to find one. */
export class Group {
  readonly #prefix: string
  readonly #find: (type: MetricType, name: string) => Lines
  readonly #labels: LabelBytes
  readonly #metrics = new Map<string, Metric>()
  readonly #histograms = new Map<string, Histogram>()

  constructor(prefix: string, find: (type: MetricType, name: string) => Lines, labels: LabelBytes) {
    this.#prefix = prefix
    this.#find = find
    this.#labels = labels
  }

  /** `labels` as `labelsOf` makes them. */
  add(type: MetricType, name: string, labels: string, value: number | undefined): void {
    if (value === undefined || Number.isNaN(value)) return
    const metric = this.#metrics.get(name) ?? this.#metric(type, name)
    metric.lines.add(metric.name, this.#labels.of(labels), value)
  }

  /** `labels` has at least one label. A `sum` that is not known is left out. */
  histogram(name: string, labels: string, { bounds, counts, sum, count }: Spread): void {
    if (Number.isNaN(count)) return
    const { lines, ...names } = this.#histograms.get(name) ?? this.#histogram(name)
    const who = this.#labels.of(labels)
    let reached = 0
    if (counts.length > 0)
      for (const [index, bound] of bounds.entries()) {
        reached += counts[index] ?? 0
        lines.add(names.bucket, who, reached, upTo(bound))
      }
    const all = counts.length > 0 ? reached + (counts[bounds.length] ?? 0) : count
    lines.add(names.bucket, who, all, UP_TO_ANY)
    if (!Number.isNaN(sum)) lines.add(names.sum, who, sum)
    lines.add(names.count, who, all)
  }

  #metric(type: MetricType, name: string): Metric {
    const full = this.#prefix + name
    const metric = { name: Buffer.from(full), lines: this.#find(type, full) }
    this.#metrics.set(name, metric)
    return metric
  }

  #histogram(name: string): Histogram {
    const full = this.#prefix + name
    const part = (of: string) => Buffer.from(`${full}_${of}`)
    const lines = this.#find('histogram', full)
    const histogram = { lines, bucket: part('bucket'), sum: part('sum'), count: part('count') }
    this.#histograms.set(name, histogram)
    return histogram
  }
}

/** Labels as bytes. Those of an object are told on many lines one after another: the last are kept. */
class LabelBytes {
  #text = ''
  #bytes: Buffer = Buffer.alloc(0)

  of(text: string): Buffer {
    if (text !== this.#text) {
      this.#text = text
      this.#bytes = Buffer.from(text)
    }
    return this.#bytes
  }
}

const UP_TO_ANY = Buffer.from('le="+Inf"}')
const upToBytes = new Map<number, Buffer>()

/** There are as many as classes. */
function upTo(bound: number): Buffer {
  const known = upToBytes.get(bound)
  if (known) return known
  const bytes = Buffer.from(`le="${bound}"}`)
  upToBytes.set(bound, bytes)
  return bytes
}
