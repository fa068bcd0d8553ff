/**
 * Bytes → requests, each a list of words. A connection that begins with `*` speaks the protocol; one that begins with
 * anything else is a person, or a health check, who types lines. Words are kept byte for byte, as latin1 text.
 *
 * Throws RespProtocolError on what is neither, or is longer than any honest request.
 */
import { RespParser, RespProtocolError } from '#resp/parser.ts'
import type { RespValue } from '#resp/value.ts'
import { MAX_LINE_BYTES, MAX_WORD_BYTES, MAX_WORDS } from './limits.ts'

const STAR = 0x2a
/** What a browser sends when a page makes it talk to a port that it should not. */
const HTTP = /^(post|host:)$/i

export class RequestReader {
  readonly #parser = new RespParser({
    maxDepth: 1,
    maxLineBytes: 64,
    maxBulkBytes: MAX_WORD_BYTES,
    maxValues: MAX_WORDS,
  })
  #form: 'protocol' | 'lines' | undefined
  #line = ''
  #isMidway = false

  /** A request has begun, and has not ended yet. */
  get isMidway(): boolean {
    return this.#isMidway
  }

  push(chunk: Buffer): string[][] {
    if (chunk.length === 0) return []
    this.#form ??= chunk[0] === STAR ? 'protocol' : 'lines'
    return this.#form === 'lines' ? this.#readLines(chunk) : this.#readProtocol(chunk)
  }

  #readProtocol(chunk: Buffer): string[][] {
    const values = this.#parser.push(chunk)
    this.#isMidway = !this.#parser.isAtRest
    return values.map(wordsOf).filter((words) => words.length > 0)
  }

  #readLines(chunk: Buffer): string[][] {
    const lines = (this.#line + chunk.toString('latin1')).split('\n')
    this.#line = lines.pop() ?? ''
    if (this.#line.length > MAX_LINE_BYTES) throw new RespProtocolError('too big inline request')
    this.#isMidway = this.#line !== ''
    const requests = lines.map((line) => line.split(/\s+/).filter((word) => word !== ''))
    for (const [first = '', ...rest] of requests) {
      if (HTTP.test(first)) throw new RespProtocolError('this is no HTTP server')
      if (rest.length >= MAX_WORDS) throw new RespProtocolError('too many words')
    }
    return requests.filter((words) => words.length > 0)
  }
}

function wordsOf(value: RespValue): string[] {
  if (value.kind !== 'array') throw new RespProtocolError("expected '*', a list of words")
  return value.items.map((word) => {
    if (word.kind !== 'bulk') throw new RespProtocolError("expected '$', a word")
    return word.bytes.toString('latin1')
  })
}
