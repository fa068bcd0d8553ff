/**
 * A request that is not passed on as it came, with its words taken out: what handlers work on. Its bytes are its own.
 */
import { encodeCommand } from '#resp/encode.ts'
import type { Command } from './command-table.ts'

export type Request = {
  /** Undefined: a name that the proxy does not know. */
  readonly command: Command | undefined
  /** In small letters. */
  readonly name: string
  readonly words: readonly Buffer[]
  /** As it came, or encoded anew when it was typed. */
  readonly raw: Buffer
}

export function requestOf(words: readonly Buffer[], command: Command | undefined, raw?: Buffer): Request {
  const name = (words[0] ?? Buffer.alloc(0)).toString('latin1').toLowerCase()
  return { command, name, words, raw: raw ?? encodeCommand(words) }
}

/** The word at `index` in small letters, as options and subcommands are compared; empty when there is none. */
export function lowerWord(request: Request, index: number): string {
  return request.words[index]?.toString('latin1').toLowerCase() ?? ''
}

export function textWord(request: Request, index: number): string {
  return request.words[index]?.toString('utf8') ?? ''
}

export const errorLine = (text: string) => Buffer.from(`-${text.replace(/[\r\n]+/g, ' ')}\r\n`)
export const OK = Buffer.from('+OK\r\n')
export const QUEUED = Buffer.from('+QUEUED\r\n')

export function wrongArguments(name: string): Buffer {
  return errorLine(`ERR wrong number of arguments for '${name}' command`)
}
