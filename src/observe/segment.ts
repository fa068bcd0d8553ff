/**
 * One step of one interval, of all objects, as bytes: what lies in a file of the history. A row is found by its object
 * without reading the others. Callers: the history.
 *
 *     "HFS1", length of the head, the head as JSON, rows (key, from, to, known, place) sorted by key, their values, CRC-32
 *
 * The head names the columns: a later version that measures more, or less, still reads it.
 */
import { crc32 } from 'node:zlib'
import { COLUMNS, type Kind } from '#model/statistics/metrics.ts'
import { objectOf } from '#model/statistics/objects.ts'
import { pack, packedBytesAtMost, unpack } from '#model/statistics/packed.ts'
import { Sample } from '#model/statistics/sample.ts'

const MAGIC = 'HFS1'
const FIXED_BYTES = 8
/** Key 8, from 4, to 4 (milliseconds since the step began), how much of it is known 4, place 4. */
const ROW_BYTES = 24
const CRC_BYTES = 4

type Head = {
  readonly startMs: number
  readonly rows: number
  readonly columns: Readonly<Record<string, readonly string[]>>
}

/** `samples` all lie in the step that begins at `startMs`. */
export function encodeSegment(startMs: number, samples: ReadonlyMap<number, Sample>): Buffer {
  const keys = [...samples.keys()].sort((a, b) => a - b)
  const kinds = new Set([...samples.values()].map(({ kind }) => kind))
  const columns = Object.fromEntries([...kinds].map((kind) => [kind, COLUMNS[kind].names]))
  const head = Buffer.from(JSON.stringify({ startMs, rows: keys.length, columns } satisfies Head))
  const rows = Buffer.alloc(keys.length * ROW_BYTES)
  const bodies: Buffer[] = []
  let place = FIXED_BYTES + head.length + rows.length
  for (const [index, key] of keys.entries()) {
    const sample = samples.get(key)
    if (!sample) continue
    const body = packed(sample.values)
    const at = index * ROW_BYTES
    rows.writeDoubleLE(key, at)
    rows.writeUInt32LE(Math.round(sample.fromMs - startMs), at + 8)
    rows.writeUInt32LE(Math.round(sample.toMs - startMs), at + 12)
    rows.writeUInt32LE(Math.round(sample.knownMs), at + 16)
    rows.writeUInt32LE(place, at + 20)
    bodies.push(body)
    place += body.length
  }
  const fixed = Buffer.alloc(FIXED_BYTES)
  fixed.write(MAGIC, 'latin1')
  fixed.writeUInt32LE(head.length, 4)
  const whole = Buffer.concat([fixed, head, rows, ...bodies, Buffer.alloc(CRC_BYTES)])
  whole.writeUInt32LE(crc32(whole.subarray(0, -CRC_BYTES)), whole.length - CRC_BYTES)
  return whole
}

/** Reads rows of one segment. */
export class Segment {
  readonly #bytes: Buffer
  readonly #head: Head
  readonly #rowsAt: number

  private constructor(bytes: Buffer, head: Head, rowsAt: number) {
    this.#bytes = bytes
    this.#head = head
    this.#rowsAt = rowsAt
  }

  /** Null: it is not one, or it is damaged. */
  static parse(bytes: Buffer): Segment | null {
    if (bytes.length < FIXED_BYTES + CRC_BYTES || bytes.toString('latin1', 0, 4) !== MAGIC) return null
    const body = bytes.subarray(0, -CRC_BYTES)
    if (crc32(body) !== bytes.readUInt32LE(body.length)) return null
    const rowsAt = FIXED_BYTES + bytes.readUInt32LE(4)
    const head = headOf(bytes.toString('utf8', FIXED_BYTES, rowsAt))
    return head && rowsAt + head.rows * ROW_BYTES <= body.length ? new Segment(bytes, head, rowsAt) : null
  }

  get keys(): number[] {
    return Array.from({ length: this.#head.rows }, (_, row) => this.#keyAt(row))
  }

  sample(key: number): Sample | undefined {
    const row = this.#find(key)
    const kind = objectOf(key)?.kind
    const written = kind && this.#head.columns[kind]
    if (row < 0 || !kind || !written) return undefined
    const at = this.#rowsAt + row * ROW_BYTES
    const { startMs } = this.#head
    const values = this.#values(this.#bytes.readUInt32LE(at + 20), kind, written)
    return new Sample(
      kind,
      startMs + this.#bytes.readUInt32LE(at + 8),
      startMs + this.#bytes.readUInt32LE(at + 12),
      values,
      this.#bytes.readUInt32LE(at + 16),
    )
  }

  #values(place: number, kind: Kind, written: readonly string[]): Float64Array {
    const { names, indexOf } = COLUMNS[kind]
    const values = new Float64Array(names.length).fill(Number.NaN)
    unpack(this.#bytes, place, written.length, (value, index) => {
      const column = indexOf.get(written[index] ?? '')
      if (column !== undefined) values[column] = value
    })
    return values
  }

  #keyAt(row: number): number {
    return this.#bytes.readDoubleLE(this.#rowsAt + row * ROW_BYTES)
  }

  /** -1: it is not there. */
  #find(key: number): number {
    let low = 0
    let high = this.#head.rows - 1
    while (low <= high) {
      const middle = (low + high) >> 1
      const found = this.#keyAt(middle)
      if (found === key) return middle
      if (found < key) low = middle + 1
      else high = middle - 1
    }
    return -1
  }
}

function packed(values: Float64Array): Buffer {
  const bytes = Buffer.alloc(packedBytesAtMost(values.length))
  return bytes.subarray(0, pack(values, bytes, 0))
}

function headOf(text: string): Head | null {
  try {
    const head = JSON.parse(text) as Head
    return Number.isSafeInteger(head.startMs) && Number.isSafeInteger(head.rows) ? head : null
  } catch {
    return null
  }
}
