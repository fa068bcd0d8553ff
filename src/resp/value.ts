/**
 * What RESP2 and RESP3 can say, as plain data: one kind per type on the wire, so that a proxy can hand a reply on
 * without changing it. Callers: the codec, the control connection, the agent. Nothing here reads or writes bytes.
 */

export type RespValue =
  | { readonly kind: 'status'; readonly text: string }
  /** `bulk`: sent with a length, so that the text may hold line breaks (RESP3 only). */
  | { readonly kind: 'error'; readonly text: string; readonly bulk: boolean }
  /** A bigint when it does not fit a number exactly: the wire carries 64 bits. */
  | { readonly kind: 'integer'; readonly value: number | bigint }
  | { readonly kind: 'bulk'; readonly bytes: Buffer }
  /** RESP2 has two ways to say nothing, RESP3 one of its own. */
  | { readonly kind: 'null'; readonly form: 'bulk' | 'array' | 'resp3' }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'double'; readonly value: number }
  | { readonly kind: 'big'; readonly value: bigint }
  /** `format` is three characters: `txt`, `mkd`. */
  | { readonly kind: 'verbatim'; readonly format: string; readonly bytes: Buffer }
  | { readonly kind: 'array' | 'set' | 'push'; readonly items: readonly RespValue[] }
  | { readonly kind: 'map'; readonly entries: readonly RespEntry[] }
  /** Facts beside a value, which a client may ignore. */
  | { readonly kind: 'attributed'; readonly attributes: readonly RespEntry[]; readonly value: RespValue }

export type RespEntry = readonly [RespValue, RespValue]

/** Bytes as text, for people and for JSON: what is not UTF-8 becomes the replacement character. */
export function textOf(value: RespValue): string | null {
  switch (value.kind) {
    case 'status':
    case 'error':
      return value.text
    case 'bulk':
    case 'verbatim':
      return value.bytes.toString('utf8')
    case 'integer':
    case 'big':
    case 'double':
    case 'boolean':
      return String(value.value)
    case 'attributed':
      return textOf(value.value)
    default:
      return null
  }
}
