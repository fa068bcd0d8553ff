/**
 * Finds where requests begin and end in the bytes of a client, and where their words lie, without copying a byte or
 * making a string. Callers: the client connection, one shared framer for requests that lie whole in one chunk, and a
 * framer of the client's own for one that arrives in pieces: each byte is looked at once, however it is cut.
 *
 * It must agree with the engine about every boundary, or a client could hide a command inside another; so what the
 * engine forgives in a header (a CR without its LF) is refused here. All positions are relative to where the request
 * begins, so that the caller may move the bytes.
 */
export const INCOMPLETE = 0
export const WHOLE = 1
/** A line that is no array: `end` is known, the words are for `splitInline`. */
export const INLINE = 2
/** The stream has lost its place; `problem` says how, in the engine's words. */
export const BROKEN = 3

export type RequestLimits = {
  readonly maxWords: number
  readonly maxWordBytes: number
}

/** The engine's own bounds: a million words, `proto-max-bulk-len`, 64 KiB of inline request. */
export const REQUEST_LIMITS: RequestLimits = { maxWords: 1024 * 1024, maxWordBytes: 512 * 1024 * 1024 }
/** What the engine grants to those who have not logged in. */
export const STRANGER_LIMITS: RequestLimits = { maxWords: 10, maxWordBytes: 16_384 }
const MAX_LINE_BYTES = 64 * 1024
const FIRST_WORDS = 32

const CR = 0x0d
const LF = 0x0a
const STAR = 0x2a
const DOLLAR = 0x24
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39

/** Of an array it means none, of a word that it is broken. */
const NEGATIVE = -1
const NOT_YET = -2
const WRONG = -3

export class RequestFramer {
  /** Where word i begins and ends, relative to the request. */
  starts = new Int32Array(FIRST_WORDS)
  ends = new Int32Array(FIRST_WORDS)
  /** How many words are known; all of them, once the request is whole. */
  words = 0
  /** How many there will be; -1 while the head has not been read. */
  expected = -1
  /** Relative to the request; known once it is whole. */
  end = 0
  problem = ''
  /** The length that the word being read will have; -1 while that is not known. */
  wordBytes = -1
  #at = 0
  #lineEnd = 0

  /** Forgets what it has read, for the next request. */
  reset(): void {
    this.words = 0
    this.expected = -1
    this.wordBytes = -1
    this.#at = 0
  }

  /** How far it has read, relative to the request. */
  get position(): number {
    return this.#at
  }

  /** Reads on in the request that begins at `from`; what was read before is not read again. */
  read(bytes: Uint8Array, from: number, to: number, limits: RequestLimits): number {
    if (this.expected < 0) {
      if (from >= to) return INCOMPLETE
      if (bytes[from] !== STAR) return this.#readInline(bytes, from, to)
      const count = this.#readNumber(bytes, from, to)
      if (count === NOT_YET) return this.#notYet('too big mbulk count string', to - from)
      if (count === WRONG || count > REQUEST_LIMITS.maxWords) return this.#broken('invalid multibulk length')
      if (count > limits.maxWords) return this.#broken('unauthenticated multibulk length')
      this.#at = this.#lineEnd
      this.expected = Math.max(count, 0)
    }
    return this.#readWords(bytes, from, to, limits)
  }

  #readWords(bytes: Uint8Array, from: number, to: number, limits: RequestLimits): number {
    while (this.words < this.expected) {
      if (this.wordBytes < 0) {
        const at = from + this.#at
        if (at >= to) return INCOMPLETE
        const mark = bytes[at] ?? 0
        if (mark !== DOLLAR) return this.#broken(`expected '$', got '${String.fromCharCode(mark)}'`)
        const length = this.#readNumber(bytes, at, to)
        if (length === NOT_YET) return this.#notYet('too big bulk count string', to - at)
        if (length < 0 || length > REQUEST_LIMITS.maxWordBytes) return this.#broken('invalid bulk length')
        if (length > limits.maxWordBytes) return this.#broken('unauthenticated bulk length')
        this.#at += this.#lineEnd
        this.wordBytes = length
      }
      const next = this.#at + this.wordBytes + 2
      if (from + next > to) return INCOMPLETE
      if (this.words === this.starts.length) this.#grow()
      this.starts[this.words] = this.#at
      this.ends[this.words] = next - 2
      this.words++
      this.#at = next
      this.wordBytes = -1
    }
    this.end = this.#at
    return WHOLE
  }

  /** The number behind the mark at `at`; leaves where the line ends, relative to `at`. */
  #readNumber(bytes: Uint8Array, at: number, to: number): number {
    let value = 0
    let index = at + 1
    const isNegative = index < to && bytes[index] === MINUS
    if (isNegative) index++
    const first = index
    for (; index < to; index++) {
      const byte = bytes[index] ?? 0
      if (byte === CR) break
      if (byte < ZERO || byte > NINE || index - first > 10) return WRONG
      value = value * 10 + byte - ZERO
    }
    if (index + 1 >= to) return NOT_YET
    // "007" is as little a number as nothing is; the engine says the same.
    if (index === first || (bytes[first] === ZERO && index - first > 1) || bytes[index + 1] !== LF) return WRONG
    this.#lineEnd = index + 2 - at
    return isNegative && value > 0 ? NEGATIVE : value
  }

  #readInline(bytes: Uint8Array, from: number, to: number): number {
    const found = bytes.subarray(from + this.#at, to).indexOf(LF)
    const length = found < 0 ? to - from : this.#at + found + 1
    if (length > MAX_LINE_BYTES) return this.#broken('too big inline request')
    this.#at = found < 0 ? length : 0
    this.end = length
    return found < 0 ? INCOMPLETE : INLINE
  }

  #notYet(problem: string, lineBytes: number): number {
    return lineBytes > MAX_LINE_BYTES ? this.#broken(problem) : INCOMPLETE
  }

  #broken(problem: string): number {
    this.problem = problem
    return BROKEN
  }

  #grow(): void {
    const starts = new Int32Array(this.starts.length * 2)
    const ends = new Int32Array(this.ends.length * 2)
    starts.set(this.starts)
    ends.set(this.ends)
    this.starts = starts
    this.ends = ends
  }
}
