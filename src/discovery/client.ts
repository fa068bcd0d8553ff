/**
 * What the service remembers of one client. Commands read and change it; the connection is not their business.
 */
import type { RespValue } from '#resp/value.ts'
import type { Directory } from './directory.ts'
import type { Protocol } from './replies.ts'

export type Client = {
  readonly id: number
  readonly address: string
  readonly openedAtMs: number
  protocol: Protocol
  name: string
  libraryName: string
  libraryVersion: string
  readonly channels: Set<string>
  readonly patterns: Set<string>
}

/** What commands may ask of the service around them. */
export type Service = {
  readonly directory: Directory
  /** 40 hexadecimal digits that stay the same, as Sentinel has them. */
  readonly myId: string
  readonly version: string
  readonly port: number
  readonly clientCount: () => number
  readonly startedAtMs: number
  /** Monotonic. */
  readonly nowMs: () => number
}

export type Asked = {
  readonly client: Client
  readonly service: Service
  /** The name first. */
  readonly words: readonly string[]
}

/** One reply, as many as a subscription has, one as it goes over the wire, or one that ends the connection. */
export type Answer =
  | RespValue
  | { readonly each: readonly RespValue[] }
  | { readonly encoded: Buffer }
  | { readonly last: RespValue }

export type Command = {
  /** How many words, the name included; negative: at least so many. */
  readonly arity: number
  readonly flags: readonly string[]
  readonly run: (asked: Asked) => Answer
}

export function isSubscribed({ channels, patterns }: Client): boolean {
  return channels.size + patterns.size > 0
}

export function fitsArity({ length }: readonly string[], arity: number): boolean {
  return arity < 0 ? length >= -arity : length === arity
}
