/**
 * Finds where replies end in the bytes of a shard, RESP2 and RESP3, cut anywhere, without making values of them.
 * Callers: the backend connection. A reply is a count of things that must still come: an array adds its items to the
 * count, so depth costs nothing and cannot be abused.
 *
 * `read` stops at the end of a reply, or where a line is cut: the caller keeps the bytes from `position` on and shows
 * them again with what follows. Inside a long string it remembers how much is missing, and takes any piece.
 */
const CR = 0x0d
const LF = 0x0a
const MINUS = 0x2d
const ZERO = 0x30
const NINE = 0x39
const PUSH = 0x3e
const ATTRIBUTES = 0x7c

/** Longer lines are no reply of an engine's: strings of that size have a length in front. */
const MAX_LINE_BYTES = 1024 * 1024
const MAX_LENGTH_DIGITS = 12

const ONE_LINE = 1
const STRING = 2
const ITEMS = 3
const PAIRS = 4
const KIND_OF = new Uint8Array(256)
for (const mark of '+-:,#_(') KIND_OF[mark.charCodeAt(0)] = ONE_LINE
for (const mark of '$!=') KIND_OF[mark.charCodeAt(0)] = STRING
for (const mark of '*~>') KIND_OF[mark.charCodeAt(0)] = ITEMS
for (const mark of '%|') KIND_OF[mark.charCodeAt(0)] = PAIRS

export class ReplyFramer {
  /** Behind the last byte that was understood. */
  position = 0
  /** What the reply begins with; a push is no answer to anything. */
  isPush = false
  isBroken = false
  #missing = 1
  #stringBytes = 0
  #isBegun = false

  reset(): void {
    this.#missing = 1
    this.#stringBytes = 0
    this.#isBegun = false
  }

  /** True when a reply ends at `position`; false when more bytes are needed, or the stream makes no sense any more. */
  read(bytes: Uint8Array, from: number, to: number): boolean {
    let at = from
    let missing = this.#missing
    let skip = this.#stringBytes
    for (;;) {
      if (skip > 0) {
        const taken = Math.min(skip, to - at)
        at += taken
        skip -= taken
        if (skip > 0) break
        missing--
      }
      if (missing === 0) {
        this.position = at
        this.reset()
        return true
      }
      if (at >= to) break
      const mark = bytes[at] ?? 0
      const kind = KIND_OF[mark] ?? 0
      let index = at + 1
      let length = 0
      if (kind === ONE_LINE) {
        while (index < to && bytes[index] !== CR) index++
      } else if (kind === 0) return this.#broken()
      else {
        const isNegative = index < to && bytes[index] === MINUS
        if (isNegative) index++
        const first = index
        for (; index < to; index++) {
          const byte = bytes[index] ?? 0
          if (byte === CR) break
          if (byte < ZERO || byte > NINE || index - first > MAX_LENGTH_DIGITS) return this.#broken()
          length = length * 10 + byte - ZERO
        }
        if (isNegative) length = -1
      }
      if (index + 1 >= to) {
        if (to - at > MAX_LINE_BYTES) return this.#broken()
        break
      }
      if (bytes[index + 1] !== LF) return this.#broken()
      if (!this.#isBegun) {
        this.#isBegun = true
        this.isPush = mark === PUSH
      }
      at = index + 2
      if (kind === STRING && length >= 0) skip = length + 2
      else if (kind === ITEMS && length > 0) missing += length - 1
      // Attributes stand before a value and are none themselves.
      else if (kind === PAIRS && length < 0) return this.#broken()
      else if (kind === PAIRS) missing += length * 2 - (mark === ATTRIBUTES ? 0 : 1)
      else missing--
    }
    this.position = at
    this.#missing = missing
    this.#stringBytes = skip
    return false
  }

  #broken(): boolean {
    this.isBroken = true
    return false
  }
}
