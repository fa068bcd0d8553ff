/**
 * People whom no user of the cluster is, but the LDAP directory knows: asks its servers, one after the other until one
 * answers, and remembers the answer for as long as the configuration says. What somebody may do is never remembered: it
 * follows from their groups, the mappings and the roles of the moment.
 */
import { hash, randomBytes } from 'node:crypto'
import type { SecureContext } from 'node:tls'
import type { LdapSettings } from '#model/access/ldap.ts'
import { dnKey } from '#model/access/ldap-text.ts'
import type { RoleDocument } from '#model/documents/access.ts'
import type { State } from '#store/state.ts'
import { Refusal, refuse } from '../errors.ts'
import type { Identity } from '../users/identity.ts'
import { Rights } from '../users/rights.ts'
import { type ClientCertificate, openConnection, tlsContext } from './connection.ts'
import { Line } from './line.ts'
import { bindAsOurselves, lookUp, type Person } from './lookup.ts'
import { ldapSettings } from './settings.ts'

/** More than this are forgotten, oldest first: far more than a cluster has callers. */
const REMEMBERED = 4_096
/** Logins that are with the directory at a time, and that wait for their turn. */
const AT_ONCE = 8
const WAITING = 256
/** No directory knows a longer one. */
const LONGEST_NAME = 512

type Remembered = { readonly name: string; readonly person: Person; readonly untilMs: number }
type Login = { readonly identity: Identity; readonly untilMs: number }
type Log = { warn(facts: object, message: string): void }

export class Directory {
  readonly #state: State
  readonly #now: () => number
  readonly #log: Log
  readonly #certificate: () => ClientCertificate | undefined
  readonly #digestKey = randomBytes(32).toString('hex')
  readonly #remembered = new Map<string, Remembered>()
  readonly #underWay = new Map<string, Promise<Person | null>>()
  readonly #line = new Line({ atOnce: AT_ONCE, waiting: WAITING })
  #asOf = 0
  /** Whichever answered last is asked first. */
  #good = ''
  /** Of each server, until it answers. */
  readonly #troubles = new Map<string, string>()
  #context: { readonly caCert: string; readonly cert: string | undefined; readonly context: SecureContext } | undefined

  /** `certificate`: the one with which we show servers who we are, if they ask. */
  constructor(options: {
    state: State
    now: () => number
    log: Log
    certificate?: () => ClientCertificate | undefined
  }) {
    this.#state = options.state
    this.#now = options.now
    this.#log = options.log
    this.#certificate = options.certificate ?? (() => undefined)
  }

  /** Whether there is a directory to ask about those who call the API. */
  get isAsked(): boolean {
    return this.#state.ldap.get('')?.value.settings.control_plane === true
  }

  /** What it said a moment ago, if that still holds; of somebody who may do nothing it is asked again. */
  remembered(name: string, password: string): Login | undefined {
    return this.login(this.#digest(name, password))
  }

  /** The same by what an identity is named by: a digest under a key of this process, which tells nobody anything. */
  login(digest: string): Login | undefined {
    this.#forgetOld()
    const known = this.#remembered.get(digest)
    if (!known || this.#now() >= known.untilMs) return undefined
    const identity = this.#identityOf(known.name, known.person, digest)
    return identity ? { identity, untilMs: known.untilMs } : undefined
  }

  /**
   * Null: no such name, not its password, or in no group that has a role here. Rejects with a Refusal when no server gives
   * an answer in time.
   */
  async authenticate(name: string, password: string): Promise<Identity | null> {
    if (password === '' || name.trim() === '' || name.length > LONGEST_NAME) return null
    this.#forgetOld()
    const digest = this.#digest(name, password)
    let asking = this.#underWay.get(digest)
    if (!asking) {
      asking = this.#ask(name, password, digest).finally(() => this.#underWay.delete(digest))
      this.#underWay.set(digest, asking)
    }
    const person = await asking
    return person && this.#identityOf(name, person, digest)
  }

  async #ask(name: string, password: string, digest: string): Promise<Person | null> {
    const settings = ldapSettings(this.#state)
    const asOf = this.#asOf
    const deadlineMs = performance.now() + settings.directory_timeout_s * 1000
    const person = await inTime(deadlineMs, async (signal) => {
      const leave = await this.#line.enter(signal)
      try {
        return await this.#askServers(settings, name, password, deadlineMs)
      } finally {
        leave()
      }
    })
    if (person && asOf === this.#revision() && settings.cache_ttl > 0)
      this.#remember(digest, { name, person, untilMs: this.#now() + settings.cache_ttl * 1000 })
    return person
  }

  async #askServers(settings: LdapSettings, name: string, password: string, deadlineMs: number) {
    const { uris } = settings
    const inOrder = uris.includes(this.#good) ? [this.#good, ...uris.filter((uri) => uri !== this.#good)] : uris
    for (const [index, uri] of inOrder.entries()) {
      try {
        const person = await this.#askServer(settings, uri, name, password, deadlineMs, inOrder.length - index)
        this.#good = uri
        this.#troubles.delete(uri)
        return person
      } catch (error) {
        this.#tell(uri, error)
      }
    }
    return refuse('ldap_unreachable')
  }

  /**
   * Until a server has answered something it gets no more than its share of the time, so that a silent one leaves time for
   * the next; from then on all that is left, because somebody may have to confirm the login on a telephone.
   */
  async #askServer(
    settings: LdapSettings,
    uri: string,
    name: string,
    password: string,
    deadlineMs: number,
    serversLeft: number,
  ): Promise<Person | null> {
    const context = () => this.#contextFor(settings.ca_cert)
    const nowMs = performance.now()
    const stop = new AbortController()
    const timeOut = (atMs: number) =>
      setTimeout(
        () => stop.abort(new Error('the server did not answer in time')),
        Math.max(0, atMs - performance.now()),
      )
    let timer = timeOut(nowMs + (deadlineMs - nowMs) / serversLeft)
    try {
      const connection = await openConnection({ uri, starttls: settings.starttls, context }, stop.signal)
      try {
        if (settings.bind_dn !== '') await bindAsOurselves(connection, settings)
        else if (serversLeft > 1) await connection.hear()
        clearTimeout(timer)
        timer = timeOut(deadlineMs)
        return await lookUp(connection, settings, name, password)
      } finally {
        connection.close()
      }
    } finally {
      clearTimeout(timer)
    }
  }

  #contextFor(caCert: string): SecureContext {
    const certificate = this.#certificate()
    const made = this.#context
    if (made?.caCert === caCert && made.cert === certificate?.cert) return made.context
    const context = tlsContext(caCert, certificate)
    this.#context = { caCert, cert: certificate?.cert, context }
    return context
  }

  /** Once for each new trouble: guessers must not fill the log. */
  #tell(uri: string, error: unknown): void {
    const reason = reasonOf(error)
    if (this.#troubles.get(uri) === reason) return
    this.#troubles.set(uri, reason)
    this.#log.warn({ uri, reason }, 'an LDAP server could not be asked')
  }

  #identityOf(userName: string, { groupKeys }: Person, directoryLogin: string): Identity | null {
    const roles = new Map<number, RoleDocument>()
    for (const { value } of this.#state.ldapMappings.values()) {
      if (!groupKeys.has(dnKey(value.dn) ?? '')) continue
      for (const uid of value.roleUids) {
        const role = this.#state.roles.get(uid)
        if (role) roles.set(uid, role.value)
      }
    }
    if (roles.size === 0) return null
    const rights = new Rights([...roles.values()])
    return { userUid: 0, userName, rights, mustChangePassword: false, directoryLogin }
  }

  #revision(): number {
    return this.#state.ldap.get('')?.revision ?? 0
  }

  /** Nothing outlives the configuration that it was asked under. */
  #forgetOld(): void {
    const revision = this.#revision()
    if (this.#asOf === revision) return
    this.#asOf = revision
    this.#remembered.clear()
    this.#underWay.clear()
    this.#troubles.clear()
  }

  #remember(digest: string, remembered: Remembered): void {
    this.#remembered.delete(digest)
    this.#remembered.set(digest, remembered)
    const oldest = this.#remembered.keys().next().value
    if (this.#remembered.size > REMEMBERED && oldest !== undefined) this.#remembered.delete(oldest)
  }

  /** A name may hold colons here; its length keeps it apart from the password. */
  #digest(name: string, password: string): string {
    return hash('sha256', `${this.#digestKey}${name.length}:${name}${password}`, 'base64')
  }
}

/** Of a host with several addresses each has failed for a reason of its own; the first one says enough. */
function reasonOf(error: unknown): string {
  if (error instanceof AggregateError) return reasonOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

/** Rejects with a Refusal when the deadline passes before `work` has begun; what has begun looks after itself. */
async function inTime<T>(deadlineMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController()
  const timer = setTimeout(
    () => stop.abort(new Refusal('ldap_unreachable')),
    Math.max(0, deadlineMs - performance.now()),
  )
  try {
    return await work(stop.signal)
  } finally {
    clearTimeout(timer)
  }
}
