/**
 * The newest so many samples of one object, in one piece of memory. Callers: what keeps the shortest intervals. Pure.
 */
import { COLUMNS, isRatio, type Kind, RATIOS } from './metrics.ts'
import { Sample } from './sample.ts'

export class Ring {
  readonly #kind: Kind
  readonly #capacity: number
  /** From, to, and the values of each. */
  readonly #rowLength: number
  readonly #rows: Float64Array
  #next = 0
  #count = 0

  constructor(kind: Kind, capacity: number) {
    this.#kind = kind
    this.#capacity = capacity
    this.#rowLength = COLUMNS[kind].names.length + 2
    this.#rows = new Float64Array(capacity * this.#rowLength)
  }

  push({ fromMs, toMs, values }: Sample): void {
    const row = this.#next * this.#rowLength
    this.#rows[row] = fromMs
    this.#rows[row + 1] = toMs
    this.#rows.set(values, row + 2)
    this.#next = (this.#next + 1) % this.#capacity
    this.#count = Math.min(this.#count + 1, this.#capacity)
  }

  clear(): void {
    this.#count = 0
  }

  /** What was pushed last. It stays as it is until as many more have been pushed as there is room for. */
  get newest(): Sample | undefined {
    return this.#count === 0 ? undefined : this.#at(this.#count - 1)
  }

  /** When the newest one ends; 0: there is none. */
  get toldUntilMs(): number {
    return this.#count === 0 ? 0 : (this.#rows[this.#rowAt(this.#count - 1) + 1] ?? 0)
  }

  /** Of the newest one; undefined: it is not known. */
  newestOf(metric: string): number | undefined {
    const column = COLUMNS[this.#kind].indexOf.get(metric)
    if (column === undefined || this.#count === 0) return undefined
    const value = this.#rows[this.#rowAt(this.#count - 1) + 2 + column]
    return value === undefined || Number.isNaN(value) ? undefined : value
  }

  /** The largest value of a metric or a ratio; undefined: it is not known. */
  highest(name: string): number | undefined {
    let found: number | undefined
    this.#each(name, (value) => {
      if (found === undefined || value > found) found = value
    })
    return found
  }

  /** All known values of a metric or a ratio, oldest first. */
  valuesOf(name: string): number[] {
    const values: number[] = []
    this.#each(name, (value) => values.push(value))
    return values
  }

  #each(name: string, take: (value: number) => void): void {
    const { indexOf } = COLUMNS[this.#kind]
    const ratio = isRatio(name) ? RATIOS[name] : undefined
    const column = indexOf.get(ratio?.of ?? name)
    const divisor = ratio && indexOf.get(ratio.per)
    if (column === undefined) return
    for (let index = 0; index < this.#count; index++) {
      const row = this.#rowAt(index) + 2
      const value = this.#rows[row + column] ?? Number.NaN
      const result = divisor === undefined ? value : value / (this.#rows[row + divisor] ?? Number.NaN)
      // Per nothing there is nothing.
      if (Number.isFinite(result)) take(result)
    }
  }

  /** Those that overlap the range, oldest first. */
  within(fromMs: number, toMs: number): Sample[] {
    const all = Array.from({ length: this.#count }, (_, index) => this.#at(index))
    const found = all.filter((sample) => sample.toMs > fromMs && sample.fromMs < toMs)
    return found.map((sample) => new Sample(this.#kind, sample.fromMs, sample.toMs, sample.values.slice()))
  }

  /** The oldest is 0. Its values are those of the ring itself. */
  #at(index: number): Sample {
    const row = this.#rowAt(index)
    const values = this.#rows.subarray(row + 2, row + this.#rowLength)
    return new Sample(this.#kind, this.#rows[row] ?? 0, this.#rows[row + 1] ?? 0, values)
  }

  #rowAt(index: number): number {
    return ((this.#next - this.#count + index + this.#capacity) % this.#capacity) * this.#rowLength
  }
}
