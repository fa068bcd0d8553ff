/**
 * Who is calling: checks Basic credentials and tokens against the users. A verified credential is remembered by a keyed
 * digest, so that it costs microseconds from then on; the memory names the very revision of the user it was verified
 * against, so any change to that user forgets it at once.
 */
import { hash, randomBytes, type X509Certificate } from 'node:crypto'
import type { RoleDocument, UserDocument, UserPassword } from '#model/documents/access.ts'
import type { Held } from '#store/collection.ts'
import type { State } from '#store/state.ts'
import { refuse } from '../errors.ts'
import { networkOf } from '../http/network.ts'
import type { Directory } from '../ldap/directory.ts'
import { isSsoAlone, ssoLoginOf } from '../sso/rules.ts'
import { sameLine, subjectLine } from './client-certificates.ts'
import { FairLine, type LineLimits } from './fair-line.ts'
import type { Identity } from './identity.ts'
import { LoginGuard } from './login-guard.ts'
import { decoyHash, type HashingAlgorithm, hashingAlgorithm, verifyPassword } from './password-hash.ts'
import { Rights } from './rights.ts'
import type { Tokens } from './tokens.ts'

/** More verified credentials than this are forgotten, oldest first: far more than a cluster has callers. */
const REMEMBERED = 4_096
const LINE: LineLimits = {
  // Each hash takes a core and 19 MiB; guessing must not take the machine.
  atOnce: 2,
  // More would wait for seconds, and guessers come in thousands.
  waiting: 256,
}
const DAY_MS = 86_400_000
const NOT_REMEMBERED =
  'A token lasts as long as what the directory said is remembered, and that is over: sign in again; cache_ttl says how long.'

/** Of a caller, as far as it matters here. */
type Connection = { readonly remoteAddress?: string | undefined; readonly destroyed?: boolean }
type NameAndPassword = { readonly name: string; readonly password: string }

type OnConnection = {
  readonly header: string
  readonly asOf: number
  readonly untilMs: number
  readonly identity: Identity
}
type Verified = {
  readonly userUid: number
  readonly revision: number
  /** Of the cluster, whose settings say when passwords expire. */
  readonly settingsRevision: number
  readonly untilMs: number
  readonly ssoLogin: string | undefined
}

export class Credentials {
  readonly #state: State
  readonly #tokens: Tokens
  readonly #now: () => number
  readonly #guard: LoginGuard
  readonly #directory: Directory | undefined
  readonly #digestKey = randomBytes(32).toString('hex')
  readonly #verified = new Map<string, Verified>()
  readonly #onConnection = new WeakMap<object, OnConnection>()
  readonly #line: FairLine
  readonly #decoys: Readonly<Record<HashingAlgorithm, string>> = {
    argon2id: decoyHash('argon2id'),
    PBKDF2: decoyHash('PBKDF2'),
  }
  readonly #verify: typeof verifyPassword

  /** `directory` is asked about names that no user here has; `verify` and `line` are others only in tests. */
  constructor(options: {
    state: State
    tokens: Tokens
    now: () => number
    onTrouble: (error: unknown) => void
    directory?: Directory
    verify?: typeof verifyPassword
    line?: LineLimits
  }) {
    this.#state = options.state
    this.#tokens = options.tokens
    this.#now = options.now
    this.#guard = new LoginGuard(options)
    this.#directory = options.directory
    this.#line = new FairLine(options.line ?? LINE)
    this.#verify = options.verify ?? verifyPassword
  }

  /**
   * `header` is the Authorization header. Answers at once for what it remembers; null is "no". `connection` is any object
   * that lives as long as the caller's connection: a header that was right on it a moment ago need not even be digested.
   */
  check(header: string | undefined, connection: Connection): Identity | null | Promise<Identity | null> {
    if (header === undefined) return null
    const nowMs = this.#now()
    const last = this.#onConnection.get(connection)
    const asOf = this.#state.view.revision
    // Nothing at all has changed since: so neither has the user.
    if (last?.header === header && last.asOf === asOf && nowMs < last.untilMs) return last.identity
    const cluster = this.#state.cluster.get('')
    const isBasicOff = cluster?.value.settings.control_plane_basic_authentication === false
    if (isBasicOff && /^basic /i.test(header)) return null
    // An HMAC object costs more than all the rest of a request, and these digests never leave this object.
    const digest = hash('sha256', this.#digestKey + header, 'base64')
    const known = this.#verified.get(digest)
    if (known) {
      const user = this.#state.users.get(known.userUid)
      // Who is locked out waits for the same "no" with the right password as with any other.
      const isSame = user?.revision === known.revision && cluster?.revision === known.settingsRevision
      const isGood = isSame && nowMs < known.untilMs && !this.#guard.isLocked(known.userUid)
      const identity = isGood ? this.#admitted(this.#identityOf(user.value, known.ssoLogin)) : null
      if (identity) {
        this.#guard.succeeded(known.userUid)
        this.#onConnection.set(connection, { header, asOf, untilMs: known.untilMs, identity })
        return identity
      }
      this.#verified.delete(digest)
    }
    const token = /^(?:bearer|jwt) +([\w.-]+) *$/i.exec(header)?.[1]
    if (token !== undefined) return this.#checkToken(token, digest)
    const basic = parseBasic(header)
    if (!basic) return null
    const directory = this.#directory?.isAsked && !this.#userOf(basic.name) ? this.#directory : undefined
    if (!directory) return this.#checkBasic(basic, digest, connection)
    // It remembers by itself: what it says depends on more than a user, and for a time of its own.
    const remembered = directory.remembered(basic.name, basic.password)
    if (!remembered) return directory.authenticate(basic.name, basic.password).then((one) => this.#admitted(one))
    const identity = this.#admitted(remembered.identity)
    if (identity) this.#onConnection.set(connection, { header, asOf, ...remembered })
    return identity
  }

  /** Whose certificate this is; null: nobody's. That it is signed by somebody trusted has been seen to before. */
  checkCertificate(certificate: X509Certificate): Identity | null {
    const line = subjectLine(certificate)
    for (const { value } of this.#state.users.values()) {
      if (value.authMethod !== 'certificate' || !sameLine(value.certificateSubject, line)) continue
      this.#guard.succeeded(value.uid)
      return this.#identityOf(value)
    }
    return null
  }

  /** `ttlSeconds` from now at most. Rejects with a Refusal when what it would stand for is over. */
  async issueToken(identity: Identity, ttlSeconds: number): Promise<string> {
    const { directoryLogin, ssoLogin } = identity
    const nowMs = this.#now()
    if (directoryLogin !== undefined) {
      const leftSeconds = Math.floor(((this.#directory?.login(directoryLogin)?.untilMs ?? 0) - nowMs) / 1000)
      if (leftSeconds < 1) refuse('unauthorized', { description: NOT_REMEMBERED })
      return await this.#tokens.issueToDirectory(directoryLogin, nowMs, Math.min(ttlSeconds, leftSeconds))
    }
    const user = this.#state.users.get(identity.userUid)
    if (!user) return refuse('unauthorized')
    if (ssoLogin === undefined) return await this.#tokens.issue(user.value, nowMs, ttlSeconds)
    const leftSeconds = Math.floor(((ssoLoginOf(this.#state, ssoLogin, nowMs)?.endsAtMs ?? 0) - nowMs) / 1000)
    if (leftSeconds < 1) return refuse('unauthorized', { description: 'This login is over: sign in again.' })
    return await this.#tokens.issue(user.value, nowMs, Math.min(ttlSeconds, leftSeconds), ssoLogin)
  }

  /** Who has come in by SSO just now. */
  ssoIdentity(user: UserDocument, ssoLogin: string): Identity {
    this.#guard.succeeded(user.uid)
    return this.#identityOf(user, ssoLogin)
  }

  statusOf(user: UserDocument): 'active' | 'locked' | 'password_expired' {
    if (this.#guard.isLocked(user.uid)) return 'locked'
    const newest = user.passwords.at(-1)
    return newest && this.#now() >= this.#expiryOf(newest) ? 'password_expired' : 'active'
  }

  async #checkToken(token: string, digest: string): Promise<Identity | null> {
    const claims = await this.#tokens.read(token, this.#now())
    if (!claims) return null
    if (claims.directoryLogin !== undefined) return this.#ofDirectory(claims.directoryLogin)
    const user = this.#state.users.get(claims.userUid)
    if (!user || this.#tokens.markOf(user.value) !== claims.passwords || this.#guard.isLocked(user.value.uid))
      return null
    const identity = this.#admitted(this.#identityOf(user.value, claims.ssoLogin))
    if (!identity) return null
    const newest = user.value.passwords.at(-1)
    const needsPassword = claims.ssoLogin === undefined && user.value.authMethod === 'regular' && newest !== undefined
    const passwordEndsAtMs = needsPassword ? this.#expiryOf(newest) : Number.POSITIVE_INFINITY
    if (this.#now() >= passwordEndsAtMs) return { ...identity, mustChangePassword: true }
    this.#remember(digest, user, Math.min(claims.expiresAtMs, passwordEndsAtMs), claims.ssoLogin)
    return identity
  }

  /** By what the directory said, as long as that is remembered and nobody here has the name. */
  #ofDirectory(directoryLogin: string): Identity | null {
    const { identity } = (this.#directory?.isAsked && this.#directory.login(directoryLogin)) || {}
    return identity && !this.#userOf(identity.userName) ? this.#admitted(identity) : null
  }

  /** Null when the login by SSO is over, or when nothing but SSO counts for them. */
  #admitted(identity: Identity | null): Identity | null {
    if (!identity) return null
    const isIn =
      identity.ssoLogin === undefined
        ? !isSsoAlone(this.#state, identity)
        : ssoLoginOf(this.#state, identity.ssoLogin, this.#now())?.userUid === identity.userUid
    return isIn ? identity : null
  }

  async #checkBasic(basic: NameAndPassword, digest: string, connection: Connection): Promise<Identity | null> {
    const entered = await this.#line.enter(networkOf(connection.remoteAddress), basic.name.toLowerCase())
    if (!entered) return refuse('too_many_logins', { headers: { 'retry-after': '5' } })
    try {
      // Nobody hears the answer: nothing is learnt, and nothing need be computed.
      if (connection.destroyed) return null
      const user = this.#userOf(basic.name)
      const right = await this.#firstRight(basic.password, user?.value.passwords ?? [])
      if (!user || this.#guard.isLocked(user.value.uid)) return null
      if (!right) {
        this.#guard.failed(user.value)
        return null
      }
      this.#guard.succeeded(user.value.uid)
      const expiresAtMs = this.#expiryOf(right)
      const identity = this.#admitted(this.#identityOf(user.value))
      if (!identity) return null
      if (this.#now() >= expiresAtMs) return { ...identity, mustChangePassword: true }
      this.#remember(digest, user, expiresAtMs)
      return identity
    } finally {
      this.#line.leave()
    }
  }

  /**
   * As many are tried as any user has, whoever is asked for and whichever is right: how long it takes tells neither
   * whether a name exists nor how many passwords it has.
   */
  async #firstRight(password: string, passwords: readonly UserPassword[]): Promise<UserPassword | undefined> {
    let most = 1
    for (const { value } of this.#state.users.values()) most = Math.max(most, value.passwords.length)
    const decoy = this.#decoys[hashingAlgorithm(this.#state)]
    let right: UserPassword | undefined
    for (let tried = 0; tried < most; tried++) {
      const one = passwords[tried]
      const isRight = await this.#verify(password, one?.hash ?? decoy)
      if (isRight && one) right ??= one
    }
    return right
  }

  #expiryOf(password: UserPassword): number {
    const days = Number(this.#state.cluster.get('')?.value.settings.password_expiration_duration ?? 0)
    return days === 0 ? Number.POSITIVE_INFINITY : Date.parse(password.issuedAt) + days * DAY_MS
  }

  #userOf(name: string): Held<UserDocument> | undefined {
    const wanted = name.toLowerCase()
    for (const user of this.#state.users.values()) if (user.value.email.toLowerCase() === wanted) return user
    return undefined
  }

  #identityOf(user: UserDocument, ssoLogin?: string): Identity {
    const roles = user.roleUids.flatMap((uid): RoleDocument[] => {
      const role = this.#state.roles.get(uid)
      return role ? [role.value] : []
    })
    return { userUid: user.uid, userName: user.email, rights: new Rights(roles), mustChangePassword: false, ssoLogin }
  }

  #remember(digest: string, user: Held<UserDocument>, untilMs: number, ssoLogin?: string): void {
    const settingsRevision = this.#state.cluster.get('')?.revision ?? 0
    const { revision } = user
    this.#verified.set(digest, { userUid: user.value.uid, revision, settingsRevision, untilMs, ssoLogin })
    const oldest = this.#verified.keys().next().value
    if (this.#verified.size > REMEMBERED && oldest !== undefined) this.#verified.delete(oldest)
  }
}

/** `Basic base64(name:password)`; the password may hold colons. */
export function parseBasic(header: string): NameAndPassword | null {
  const match = /^basic +([a-z0-9+/=_-]+) *$/i.exec(header)
  if (!match?.[1]) return null
  const text = Buffer.from(match[1], 'base64').toString('utf8')
  const colon = text.indexOf(':')
  return colon < 0 ? null : { name: text.slice(0, colon), password: text.slice(colon + 1) }
}
