/**
 * The newest so many samples of one object, in one piece of memory. Callers: what keeps the shortest intervals. Pure.
 */
import { COLUMNS, type Kind } from './metrics.ts'
import { Sample } from './sample.ts'

export class Ring {
  readonly #kind: Kind
  readonly #capacity: number
  readonly #columns: number
  readonly #values: Float64Array
  /** From and to of each. */
  readonly #times: Float64Array
  #next = 0
  #count = 0

  constructor(kind: Kind, capacity: number) {
    this.#kind = kind
    this.#capacity = capacity
    this.#columns = COLUMNS[kind].names.length
    this.#values = new Float64Array(capacity * this.#columns)
    this.#times = new Float64Array(capacity * 2)
  }

  push({ fromMs, toMs, values }: Sample): void {
    this.#values.set(values, this.#next * this.#columns)
    this.#times[this.#next * 2] = fromMs
    this.#times[this.#next * 2 + 1] = toMs
    this.#next = (this.#next + 1) % this.#capacity
    this.#count = Math.min(this.#count + 1, this.#capacity)
  }

  clear(): void {
    this.#count = 0
  }

  newest(): Sample | undefined {
    return this.#count === 0 ? undefined : this.#at(this.#count - 1)
  }

  /** Those that overlap the range, oldest first. */
  within(fromMs: number, toMs: number): Sample[] {
    return Array.from({ length: this.#count }, (_, index) => this.#at(index)).filter(
      (sample) => sample.toMs > fromMs && sample.fromMs < toMs,
    )
  }

  /** The oldest is 0. */
  #at(index: number): Sample {
    const slot = (this.#next - this.#count + index + this.#capacity) % this.#capacity
    const from = slot * this.#columns
    const [fromMs = 0, toMs = 0] = this.#times.subarray(slot * 2, slot * 2 + 2)
    return new Sample(this.#kind, fromMs, toMs, this.#values.slice(from, from + this.#columns))
  }
}
