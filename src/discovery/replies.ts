/**
 * Makers of replies, and how a reply of RESP3 is said in RESP2. Pure.
 */
import type { RespValue } from '#resp/value.ts'

export type Protocol = 2 | 3

export const OK: RespValue = { kind: 'status', text: 'OK' }
/** In the place of a text, and in the place of a list: RESP2 has two forms. */
export const NO_TEXT: RespValue = { kind: 'null', form: 'bulk' }
export const NO_LIST: RespValue = { kind: 'null', form: 'array' }

/** `text` holds bytes, as latin1. */
export function bulk(text: string): RespValue {
  return { kind: 'bulk', bytes: Buffer.from(text, 'latin1') }
}

export function integer(value: number): RespValue {
  return { kind: 'integer', value }
}

export function error(text: string): RespValue {
  return { kind: 'error', text, bulk: false }
}

export function list(items: readonly RespValue[]): RespValue {
  return { kind: 'array', items }
}

export function texts(words: readonly string[]): RespValue {
  return list(words.map(bulk))
}

export function map(entries: Readonly<Record<string, RespValue>>): RespValue {
  return { kind: 'map', entries: Object.entries(entries).map(([key, value]) => [bulk(key), value]) }
}

/** RESP3 has one form for nothing; what RESP2 has no form for is said in the one that its clients know. */
export function inProtocol(value: RespValue, protocol: Protocol): RespValue {
  switch (value.kind) {
    case 'null':
      return protocol === 3 ? { kind: 'null', form: 'resp3' } : value
    case 'map':
      return protocol === 3
        ? { kind: 'map', entries: value.entries.map(([key, one]) => [key, inProtocol(one, protocol)]) }
        : list(value.entries.flat().map((part) => inProtocol(part, protocol)))
    case 'array':
    case 'set':
    case 'push':
      return {
        kind: protocol === 3 ? value.kind : 'array',
        items: value.items.map((part) => inProtocol(part, protocol)),
      }
    default:
      return value
  }
}

export function wrongArguments(name: string): RespValue {
  return error(`ERR wrong number of arguments for '${name}' command`)
}
