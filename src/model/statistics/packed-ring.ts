/**
 * The newest so many samples of one object, packed: for those that are many and seldom read. Callers: what keeps the
 * interval of ten seconds, of every object there is. Pure.
 *
 *     rows, oldest first, each of: its length in bytes 2, from 8, to 8, the numbers packed
 */
import { COLUMNS, type Kind } from './metrics.ts'
import { pack, packedBytesAtMost, unpack } from './packed.ts'
import { Sample } from './sample.ts'

const FROM_AT = 2
const TO_AT = 10
const VALUES_AT = 18
/** Room is made for so many rows more than there are. */
const SPARE_ROWS = 4

const scratch = Buffer.alloc(
  VALUES_AT + packedBytesAtMost(Math.max(...Object.values(COLUMNS).map(({ names }) => names.length))),
)

export class PackedRing {
  readonly #kind: Kind
  readonly #capacity: number
  #rows: Buffer = Buffer.alloc(0)
  #used = 0
  #count = 0

  constructor(kind: Kind, capacity: number) {
    this.#kind = kind
    this.#capacity = capacity
  }

  push({ fromMs, toMs, values }: Sample): void {
    if (this.#count === this.#capacity) this.#dropOldest()
    scratch.writeDoubleLE(fromMs, FROM_AT)
    scratch.writeDoubleLE(toMs, TO_AT)
    const length = pack(values, scratch, VALUES_AT)
    scratch.writeUInt16LE(length, 0)
    if (this.#used + length > this.#rows.length) this.#grow(length)
    scratch.copy(this.#rows, this.#used, 0, length)
    this.#used += length
    this.#count++
  }

  clear(): void {
    this.#used = 0
    this.#count = 0
  }

  /** Those that overlap the range, oldest first. */
  within(fromMs: number, toMs: number): Sample[] {
    const found: Sample[] = []
    for (let at = 0; at < this.#used; at += this.#rows.readUInt16LE(at)) {
      const [from, to] = [this.#rows.readDoubleLE(at + FROM_AT), this.#rows.readDoubleLE(at + TO_AT)]
      if (to <= fromMs || from >= toMs) continue
      const values = new Float64Array(COLUMNS[this.#kind].names.length)
      unpack(this.#rows, at + VALUES_AT, values.length, (value, index) => {
        values[index] = value
      })
      found.push(new Sample(this.#kind, from, to, values))
    }
    return found
  }

  #dropOldest(): void {
    const length = this.#rows.readUInt16LE(0)
    this.#rows.copyWithin(0, length, this.#used)
    this.#used -= length
    this.#count--
  }

  #grow(rowBytes: number): void {
    const rows = Math.min(this.#count + 1 + SPARE_ROWS, this.#capacity)
    const larger = Buffer.allocUnsafeSlow(Math.max(this.#used + rowBytes, rows * rowBytes))
    this.#rows.copy(larger, 0, 0, this.#used)
    this.#rows = larger
  }
}
