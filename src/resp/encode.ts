/**
 * Values and commands → bytes. Callers: the control connection (commands), the proxy and the tests (values). A command
 * is always an array of bulk strings, so that no word, however strange, can change what is said next to it.
 */
import type { RespEntry, RespValue } from './value.ts'

export type Word = string | Buffer | number

/** Several commands become one buffer: one write to the socket is one system call. */
export function encodeCommands(commands: readonly (readonly Word[])[]): Buffer {
  const parts: (string | Buffer)[] = []
  for (const words of commands) {
    if (words.length === 0) throw new RangeError('a command needs at least one word')
    parts.push(`*${words.length}\r\n`)
    for (const word of words) pushBulk(parts, '$', typeof word === 'number' ? String(word) : word)
  }
  return join(parts)
}

export function encodeCommand(words: readonly Word[]): Buffer {
  return encodeCommands([words])
}

export function encodeValue(value: RespValue): Buffer {
  const parts: (string | Buffer)[] = []
  pushValue(parts, value)
  return join(parts)
}

function pushValue(parts: (string | Buffer)[], value: RespValue): void {
  switch (value.kind) {
    case 'status':
      parts.push(`+${oneLine(value.text)}\r\n`)
      return
    case 'error':
      if (value.bulk) pushBulk(parts, '!', value.text)
      else parts.push(`-${oneLine(value.text)}\r\n`)
      return
    case 'integer':
      parts.push(`:${value.value}\r\n`)
      return
    case 'bulk':
      pushBulk(parts, '$', value.bytes)
      return
    case 'null':
      parts.push(value.form === 'bulk' ? '$-1\r\n' : value.form === 'array' ? '*-1\r\n' : '_\r\n')
      return
    case 'boolean':
      parts.push(value.value ? '#t\r\n' : '#f\r\n')
      return
    case 'double':
      parts.push(`,${doubleText(value.value)}\r\n`)
      return
    case 'big':
      parts.push(`(${value.value}\r\n`)
      return
    case 'verbatim':
      pushBulk(parts, '=', Buffer.concat([Buffer.from(`${value.format}:`, 'latin1'), value.bytes]))
      return
    case 'array':
    case 'set':
    case 'push':
      parts.push(`${value.kind === 'array' ? '*' : value.kind === 'set' ? '~' : '>'}${value.items.length}\r\n`)
      for (const item of value.items) pushValue(parts, item)
      return
    case 'map':
      pushEntries(parts, '%', value.entries)
      return
    case 'attributed':
      pushEntries(parts, '|', value.attributes)
      pushValue(parts, value.value)
      return
    default:
      value satisfies never
  }
}

function pushEntries(parts: (string | Buffer)[], mark: string, entries: readonly RespEntry[]): void {
  parts.push(`${mark}${entries.length}\r\n`)
  for (const [key, value] of entries) {
    pushValue(parts, key)
    pushValue(parts, value)
  }
}

function pushBulk(parts: (string | Buffer)[], mark: string, body: string | Buffer): void {
  parts.push(`${mark}${Buffer.byteLength(body)}\r\n`, body, '\r\n')
}

/** A line break inside a one-line reply would be read as the start of the next: the engine itself makes them spaces. */
function oneLine(text: string): string {
  return text.replace(/[\r\n]/g, ' ')
}

function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  return Object.is(value, -0) ? '-0' : String(value)
}

/** Neighbouring strings are joined first: fewer, larger copies. */
function join(parts: readonly (string | Buffer)[]): Buffer {
  const buffers: Buffer[] = []
  let text = ''
  for (const part of parts) {
    if (typeof part === 'string') {
      text += part
      continue
    }
    if (text) buffers.push(Buffer.from(text, 'utf8'))
    text = ''
    buffers.push(part)
  }
  if (buffers.length === 0) return Buffer.from(text, 'utf8')
  if (text) buffers.push(Buffer.from(text, 'utf8'))
  return Buffer.concat(buffers)
}
