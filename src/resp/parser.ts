/**
 * Bytes → values, RESP2 and RESP3, in chunks cut anywhere. Each byte is looked at once: what is half read is kept on a
 * stack, never parsed again. Bulk strings are views of the chunk they came in where they lie in one piece.
 *
 * The other side is not trusted: depth, line length, string length, item count and the number of values in one reply
 * are bounded, and memory is taken only for bytes that have arrived. After a RespProtocolError the stream has lost its
 * place and the parser refuses to go on. Streamed types (`$?`, `*?`) are refused: no engine sends them.
 */
import type { RespEntry, RespValue } from './value.ts'

export type RespLimits = {
  readonly maxDepth: number
  readonly maxLineBytes: number
  readonly maxBulkBytes: number
  /** All values inside one top-level value, counted together. */
  readonly maxValues: number
}

/** 512 MB is the engine's own `proto-max-bulk-len`; 128 levels are 16 times what any command answers with. */
export const DEFAULT_LIMITS: RespLimits = {
  maxDepth: 128,
  maxLineBytes: 64 * 1024,
  maxBulkBytes: 512 * 1024 * 1024,
  maxValues: 64 * 1024 * 1024,
}

export class RespProtocolError extends Error {
  override name = 'RespProtocolError'
}

type Aggregate = 'array' | 'set' | 'push' | 'map' | 'attributes'
type Frame = {
  readonly kind: Aggregate
  remaining: number
  readonly items: RespValue[]
  attributes?: readonly RespEntry[]
}
type BulkKind = 'bulk' | 'error' | 'verbatim'
type Pending = { readonly kind: BulkKind; missing: number; readonly pieces: Buffer[] }

const BULKS: Readonly<Record<string, BulkKind>> = { $: 'bulk', '!': 'error', '=': 'verbatim' }
const AGGREGATES: Readonly<Record<string, Aggregate>> = {
  '*': 'array',
  '~': 'set',
  '>': 'push',
  '%': 'map',
  '|': 'attributes',
}

const CR = 0x0d
const LF = 0x0a

export class RespParser {
  readonly #limits: RespLimits
  readonly #frames: Frame[] = []
  #line: Buffer[] = []
  #lineBytes = 0
  #bulk: Pending | null = null
  /** Attributes read, whose value has not come yet. */
  #attributes: readonly RespEntry[] | undefined
  #valueCount = 0
  #broken: RespProtocolError | null = null

  constructor(limits: Partial<RespLimits> = {}) {
    this.#limits = { ...DEFAULT_LIMITS, ...limits }
  }

  /** Everything that has come so far was whole values. */
  get isAtRest(): boolean {
    return this.#bulk === null && this.#frames.length === 0 && this.#lineBytes === 0
  }

  /** The values that this chunk completes, in order. Throws RespProtocolError; values before the fault are lost then. */
  push(chunk: Buffer): RespValue[] {
    if (this.#broken) throw this.#broken
    const done: RespValue[] = []
    let at = 0
    while (at < chunk.length)
      at = this.#bulk ? this.#readBulk(this.#bulk, chunk, at, done) : this.#readLine(chunk, at, done)
    return done
  }

  #readLine(chunk: Buffer, from: number, done: RespValue[]): number {
    const end = chunk.indexOf(LF, from)
    const piece = chunk.subarray(from, end < 0 ? chunk.length : end + 1)
    this.#lineBytes += piece.length
    if (this.#lineBytes > this.#limits.maxLineBytes)
      this.#fail(`a line is longer than ${this.#limits.maxLineBytes} bytes`)
    if (end < 0) {
      this.#line.push(piece)
      return chunk.length
    }
    const line = this.#line.length === 0 ? piece : Buffer.concat([...this.#line, piece])
    this.#line = []
    this.#lineBytes = 0
    if (line.length < 3 || line[line.length - 2] !== CR) this.#fail('a line does not end in CR LF, or is empty')
    this.#takeLine(String.fromCharCode(line[0] ?? 0), line.subarray(1, line.length - 2), done)
    return end + 1
  }

  #readBulk(bulk: Pending, chunk: Buffer, from: number, done: RespValue[]): number {
    const piece = chunk.subarray(from, from + bulk.missing)
    bulk.pieces.push(piece)
    bulk.missing -= piece.length
    if (bulk.missing > 0) return chunk.length
    const first = bulk.pieces[0] ?? piece
    const whole = bulk.pieces.length === 1 ? first : Buffer.concat(bulk.pieces)
    this.#bulk = null
    if (whole[whole.length - 2] !== CR || whole[whole.length - 1] !== LF)
      this.#fail('a string is not followed by CR LF')
    this.#takeBulk(bulk.kind, whole.subarray(0, whole.length - 2), done)
    return from + piece.length
  }

  #takeBulk(kind: BulkKind, bytes: Buffer, done: RespValue[]): void {
    if (kind === 'bulk') this.#take({ kind, bytes }, done)
    else if (kind === 'error') this.#take({ kind, text: bytes.toString('utf8'), bulk: true }, done)
    else if (bytes.length < 4 || bytes[3] !== 0x3a) this.#fail('a verbatim string does not begin with its format')
    else this.#take({ kind, format: bytes.toString('latin1', 0, 3), bytes: bytes.subarray(4) }, done)
  }

  #takeLine(mark: string, body: Buffer, done: RespValue[]): void {
    const text = body.toString('utf8')
    const bulk = BULKS[mark]
    const aggregate = AGGREGATES[mark]
    if (bulk && !(mark === '$' && text === '-1')) this.#beginBulk(bulk, text)
    else if (aggregate && !(mark === '*' && text === '-1')) this.#begin(aggregate, text, done)
    else this.#take(this.#scalar(mark, text), done)
  }

  /** The types that are one line in all. */
  #scalar(mark: string, text: string): RespValue {
    switch (mark) {
      case '+':
        return { kind: 'status', text }
      case '-':
        return { kind: 'error', text, bulk: false }
      case ':':
        return { kind: 'integer', value: this.#integer(text) }
      case '$':
        return { kind: 'null', form: 'bulk' }
      case '*':
        return { kind: 'null', form: 'array' }
      case '_':
        return text === '' ? { kind: 'null', form: 'resp3' } : this.#fail('a null carries text')
      case '#':
        return /^[tf]$/.test(text) ? { kind: 'boolean', value: text === 't' } : this.#fail('a boolean is t or f')
      case ',':
        return { kind: 'double', value: this.#double(text) }
      case '(':
        return /^[+-]?\d+$/.test(text)
          ? { kind: 'big', value: BigInt(text) }
          : this.#fail('a big number has digits only')
      default:
        return this.#fail(`no type begins with ${JSON.stringify(mark)}`)
    }
  }

  #beginBulk(kind: BulkKind, text: string): void {
    const length = this.#length(text)
    if (length > this.#limits.maxBulkBytes)
      this.#fail(`a string of ${length} bytes is larger than ${this.#limits.maxBulkBytes}`)
    this.#bulk = { kind, missing: length + 2, pieces: [] }
  }

  #begin(kind: Aggregate, text: string, done: RespValue[]): void {
    const remaining = this.#length(text) * (kind === 'map' || kind === 'attributes' ? 2 : 1)
    this.#count(remaining)
    if (this.#frames.length >= this.#limits.maxDepth) this.#fail(`more than ${this.#limits.maxDepth} levels`)
    const frame: Frame = { kind, remaining, items: [] }
    if (this.#attributes) frame.attributes = this.#attributes
    this.#attributes = undefined
    this.#frames.push(frame)
    if (remaining === 0) this.#close(done)
  }

  #take(value: RespValue, done: RespValue[]): void {
    const attributes = this.#attributes
    this.#attributes = undefined
    this.#place(attributes ? { kind: 'attributed', attributes, value } : value, done)
  }

  /** Puts a whole value into the aggregate it belongs to, and closes every aggregate that this completes. */
  #place(value: RespValue, done: RespValue[]): void {
    const frame = this.#frames.at(-1)
    if (!frame) {
      this.#valueCount = 0
      done.push(value)
      return
    }
    frame.items.push(value)
    frame.remaining--
    if (frame.remaining === 0) this.#close(done)
  }

  #close(done: RespValue[]): void {
    const frame = this.#frames.pop()
    if (!frame) return
    if (frame.kind === 'attributes') {
      // Attributes of attributes are kept together: nobody sends them, and nothing is lost.
      this.#attributes = [...(frame.attributes ?? []), ...pairs(frame.items)]
      return
    }
    const value: RespValue =
      frame.kind === 'map' ? { kind: 'map', entries: pairs(frame.items) } : { kind: frame.kind, items: frame.items }
    this.#place(frame.attributes ? { kind: 'attributed', attributes: frame.attributes, value } : value, done)
  }

  #count(values: number): void {
    this.#valueCount += values
    if (this.#valueCount > this.#limits.maxValues) this.#fail(`more than ${this.#limits.maxValues} values in one reply`)
  }

  #length(text: string): number {
    if (!/^\d{1,15}$/.test(text)) this.#fail(`${JSON.stringify(text.slice(0, 40))} is not a length`)
    return Number(text)
  }

  #integer(text: string): number | bigint {
    if (!/^[+-]?\d{1,20}$/.test(text)) this.#fail(`${JSON.stringify(text.slice(0, 40))} is not an integer`)
    const value = Number(text)
    return Number.isSafeInteger(value) ? value + 0 : BigInt(text)
  }

  #double(text: string): number {
    if (/^[+-]?inf$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity
    if (/^[+-]?nan$/i.test(text)) return NaN
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text))
      this.#fail(`${JSON.stringify(text.slice(0, 40))} is not a double`)
    return Number(text)
  }

  #fail(message: string): never {
    this.#broken = new RespProtocolError(`not RESP: ${message}`)
    throw this.#broken
  }
}

function pairs(items: readonly RespValue[]): RespEntry[] {
  const entries: RespEntry[] = []
  for (let at = 0; at + 1 < items.length; at += 2) {
    const key = items[at]
    const value = items[at + 1]
    if (key && value) entries.push([key, value])
  }
  return entries
}
