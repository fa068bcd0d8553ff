/**
 * Who a client is, once a shard has said that the name and the password are right. Callers: AUTH and HELLO, the pools.
 * What was verified is remembered under a keyed digest for a short time, so that ten thousand clients that connect at
 * once do not become ten thousand questions; passwords stay in memory only because connections to shards need them.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { VERIFIED_MS } from './limits.ts'

export type Identity = {
  /** The digest of name and password: two passwords of one user are two identities. */
  readonly id: string
  readonly username: string
  /** Null: nobody has logged in, and the engine's default user needs no password. */
  readonly password: string | null
}

export const ANYBODY: Identity = { id: '', username: 'default', password: null }

const key = randomBytes(32)

export function identityOf(username: string, password: string): Identity {
  const id = createHmac('sha256', key)
    .update(JSON.stringify([username, password]))
    .digest('base64')
  return { id, username, password }
}

export class VerifiedIdentities {
  readonly #until = new Map<string, number>()

  has(identity: Identity, nowMs: number): boolean {
    const until = this.#until.get(identity.id)
    if (until === undefined) return false
    if (until > nowMs) return true
    this.#until.delete(identity.id)
    return false
  }

  add(identity: Identity, nowMs: number): void {
    if (this.#until.size > MAX_REMEMBERED) this.#until.clear()
    this.#until.set(identity.id, nowMs + VERIFIED_MS)
  }

  forget(identity: Identity): void {
    this.#until.delete(identity.id)
  }

  clear(): void {
    this.#until.clear()
  }
}

/** More users than any database has. */
const MAX_REMEMBERED = 10_000
