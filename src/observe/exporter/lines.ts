/**
 * The lines of one metric as bytes, which grow as they are told and go at once when nobody reads them any more. Callers:
 * the exposition, for two hundred thousand lines in a scrape of a thousand databases, so that a line is put together of
 * pieces that are bytes already, and leaves nothing behind that must be collected.
 */
export type MetricType = 'counter' | 'gauge' | 'histogram'

const FIRST_BYTES = 4_096
/** No number is longer, with the blank before and the end of the line. */
const NUMBER_BYTES = 32
/** What a scrape is larger than the one before, as a rule. */
const SPARE = 1.05
const NOTHING = Buffer.alloc(0)
const BLANK = 0x20
const NEW_LINE = 0x0a
const COMMA = 0x2c
const MINUS = 0x2d
const ZERO = 0x30
/** Of integers up to here the digits are found by dividing; what is larger is written as JavaScript does. */
const MAX_DIVIDED = 1e15

export class Lines {
  readonly #head: Buffer
  #bytes: Buffer = NOTHING
  #used = 0
  /** So much was needed the last time: to grow step by step would take twice the memory. */
  #expected = FIRST_BYTES

  constructor(type: MetricType, name: string) {
    this.#head = Buffer.from(`# TYPE ${name} ${type}\n`)
  }

  /**
   * `name` and `labels` as UTF-8. `more`: further labels, of which there is one at least and which end with the bracket,
   * `le="1"}`; then `labels` has one at least too.
   */
  add(name: Uint8Array, labels: Uint8Array, value: number, more: Uint8Array = NOTHING): void {
    this.#makeRoom(name.length + labels.length + more.length + NUMBER_BYTES)
    const bytes = this.#bytes
    let at = this.#used
    bytes.set(name, at)
    at += name.length
    bytes.set(labels, at)
    at += labels.length
    if (more.length > 0) {
      // Instead of the closing bracket.
      bytes[at - 1] = COMMA
      bytes.set(more, at)
      at += more.length
    }
    bytes[at++] = BLANK
    at = writeNumber(bytes, at, value)
    bytes[at++] = NEW_LINE
    this.#used = at
  }

  /** UTF-8, of which nothing is kept when it is released. */
  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#used)
  }

  /** Empty again. `isRead`: somebody may still read what was told; it goes when they have let go of it. */
  release({ isRead }: { readonly isRead: boolean }): void {
    if (this.#used > 0) this.#expected = Math.max(FIRST_BYTES, Math.ceil(this.#used * SPARE))
    this.#used = 0
    if (!isRead) free(this.#bytes)
    this.#bytes = NOTHING
  }

  #makeRoom(byteCount: number): void {
    const needed = this.#used + byteCount + this.#head.length
    if (needed <= this.#bytes.length) return
    const before = this.#bytes
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(needed, this.#expected, before.length * 2))
    before.copy(this.#bytes, 0, 0, this.#used)
    free(before)
    if (this.#used === 0) this.#used = this.#head.copy(this.#bytes)
  }
}

/** Where the number ends. */
function writeNumber(bytes: Buffer, from: number, value: number): number {
  if (Number.isInteger(value) && value < MAX_DIVIDED && value > -MAX_DIVIDED) return writeInteger(bytes, from, value)
  const text = Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
  for (let index = 0; index < text.length; index++) bytes[from + index] = text.charCodeAt(index)
  return from + text.length
}

function writeInteger(bytes: Buffer, from: number, value: number): number {
  let rest = Math.abs(value)
  let start = from
  if (value < 0) bytes[start++] = MINUS
  let end = start + 1
  for (let limit = 10; rest >= limit; limit *= 10) end++
  for (let at = end - 1; at >= start; at--) {
    const tens = Math.floor(rest / 10)
    bytes[at] = ZERO + (rest - tens * 10)
    rest = tens
  }
  return end
}

/** At once, and not when all memory is searched for what can go: a scrape takes megabytes. */
function free({ buffer }: Buffer): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) buffer.transfer(0)
}
