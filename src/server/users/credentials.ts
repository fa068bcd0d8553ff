/**
 * Who is calling: checks Basic credentials against the users. A verified credential is remembered by a keyed digest, so
 * that it costs microseconds from then on; the memory names the very revision of the user it was verified against, so
 * any change to that user forgets it at once.
 */
import { hash, randomBytes } from 'node:crypto'
import type { UserDocument } from '#model/documents/access.ts'
import type { Held } from '#store/collection.ts'
import type { State } from '#store/state.ts'
import { hashPassword, verifyPassword } from './password-hash.ts'
import { Rights } from './rights.ts'

export type Identity = { readonly userUid: number; readonly userName: string; readonly rights: Rights }

/** More verified credentials than this are forgotten, oldest first: far more than a cluster has callers. */
const REMEMBERED = 4_096
/** Hashes computed at once: each takes a core and 19 MiB; guessing must not take the machine. */
const HASHES_AT_ONCE = 2

type OnConnection = { readonly header: string; readonly asOf: number; readonly identity: Identity }

export class Credentials {
  readonly #state: State
  readonly #digestKey = randomBytes(32).toString('hex')
  readonly #verified = new Map<string, { userUid: number; revision: number }>()
  readonly #onConnection = new WeakMap<object, OnConnection>()
  readonly #queue: (() => void)[] = []
  #hashing = 0
  #decoy: Promise<string> | undefined

  constructor(state: State) {
    this.#state = state
  }

  /**
   * `header` is the Authorization header. Answers at once for what it remembers; null is "no". `connection` is any object
   * that lives as long as the caller's connection: a header that was right on it a moment ago need not even be digested.
   */
  check(header: string | undefined, connection: object): Identity | null | Promise<Identity | null> {
    if (header === undefined) return null
    const last = this.#onConnection.get(connection)
    // Nothing at all has changed since: so neither has the user.
    if (last?.header === header && last.asOf === this.#state.view.revision) return last.identity
    // An HMAC object costs more than all the rest of a request, and these digests never leave this object.
    const digest = hash('sha256', this.#digestKey + header, 'base64')
    const known = this.#verified.get(digest)
    if (known) {
      const user = this.#state.users.get(known.userUid)
      if (user?.revision === known.revision) {
        const identity = this.#identityOf(user.value)
        this.#onConnection.set(connection, { header, asOf: this.#state.view.revision, identity })
        return identity
      }
      this.#verified.delete(digest)
    }
    const basic = parseBasic(header)
    return basic ? this.#verify(basic, digest) : null
  }

  async #verify(basic: { name: string; password: string }, digest: string): Promise<Identity | null> {
    const user = this.#userOf(basic.name)
    await this.#turn()
    try {
      // An unknown name takes as long as a wrong password, so that nobody can find out which names exist.
      const hashes = user?.value.passwords.map((one) => one.hash) ?? [await this.#decoyHash()]
      const isRight = await isAnyRight(basic.password, hashes)
      if (!user || !isRight) return null
      this.#remember(digest, user)
      return this.#identityOf(user.value)
    } finally {
      this.#hashing--
      this.#queue.shift()?.()
    }
  }

  #userOf(name: string): Held<UserDocument> | undefined {
    for (const user of this.#state.users.values()) if (user.value.email === name) return user
    return undefined
  }

  async #turn(): Promise<void> {
    if (this.#hashing >= HASHES_AT_ONCE) await new Promise<void>((resolve) => this.#queue.push(resolve))
    this.#hashing++
  }

  #decoyHash(): Promise<string> {
    this.#decoy ??= hashPassword(randomBytes(16).toString('hex'))
    return this.#decoy
  }

  #identityOf(user: UserDocument): Identity {
    const roles = user.roleUids.flatMap((uid) => this.#state.roles.get(uid)?.value ?? [])
    return { userUid: user.uid, userName: user.email, rights: new Rights(roles) }
  }

  #remember(digest: string, user: Held<UserDocument>): void {
    this.#verified.set(digest, { userUid: user.value.uid, revision: user.revision })
    const oldest = this.#verified.keys().next().value
    if (this.#verified.size > REMEMBERED && oldest !== undefined) this.#verified.delete(oldest)
  }
}

async function isAnyRight(password: string, hashes: readonly string[]): Promise<boolean> {
  for (const hash of hashes) if (await verifyPassword(password, hash)) return true
  return false
}

/** `Basic base64(name:password)`; the password may hold colons. */
export function parseBasic(header: string): { name: string; password: string } | null {
  const match = /^basic +([a-z0-9+/=_-]+) *$/i.exec(header)
  if (!match?.[1]) return null
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
