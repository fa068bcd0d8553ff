/**
 * SUBSCRIBE and its kin: on a connection of the client's own, whose messages are handed on as they come. Callers: the
 * router. Channels and patterns are those of the whole database, so all subscribe at the shard that PUBLISH is sent to;
 * what may tell of keys, at the others too (`notifications.ts`); shard channels (SSUBSCRIBE) are at the shard of their slot.
 *
 * In RESP2 a client that has subscribed can say little else, and this is its session; in RESP3 it goes on as before.
 * When the connection behind is lost, messages may have been missed: the client is disconnected, as it would be by a
 * single server, and subscribes again.
 */
import { RespParser } from '#resp/parser.ts'
import { textOf } from '#resp/value.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Client, Session } from './client.ts'
import { MAX_SUBSCRIPTION_BYTES, SUBSCRIPTION_OVERHEAD_BYTES } from './limits.ts'
import { isMessage, Notifications } from './notifications.ts'
import { CROSS_SLOT, hashSlotOf, NOT_SERVED } from './passing.ts'
import type { Pool } from './pool.ts'
import { redirectionIn } from './redirects.ts'
import { errorLine, type Request, wrongArguments } from './request.ts'
import type { Shard } from './slot-map.ts'

const IN_RESP2 = new Set(['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'])
const TOO_MANY = errorLine(
  'ERR this client has too many subscriptions: subscribe to patterns with PSUBSCRIBE, or use another connection for more',
)
const MINUS = 0x2d
/** As it came: a name may be any bytes. */
const nameOf = (bytes: Buffer) => bytes.toString('latin1')
const costOf = (name: string) => name.length + SUBSCRIPTION_OVERHEAD_BYTES

type Kind = 'channels' | 'patterns' | 'shardChannels'
const KIND_OF: Readonly<Record<string, Kind>> = { p: 'patterns', s: 'shardChannels' }
/** `ssubscribe`, `sunsubscribe`, but not `subscribe`. */
const kindOf = (word: string): Kind => (/^[ps](un)?sub/.test(word) ? KIND_OF[word[0] ?? ''] : undefined) ?? 'channels'

type Link = {
  readonly shard: Shard
  readonly connection: BackendConnection
  /** What is subscribed to there. */
  readonly names: Readonly<Record<Kind, Set<string>>>
}

class Subscriptions implements Session {
  readonly #client: Client
  readonly #pool: Pool
  readonly #links = new Map<Shard, Link>()
  readonly #notifications: Notifications
  /** Confirmations to come before the client may go on. */
  #awaited = 0
  /** Of all names. */
  #keptBytes = 0
  #last: Buffer | null = null

  constructor(client: Client, pool: Pool) {
    this.#client = client
    this.#pool = pool
    this.#notifications = new Notifications(client, pool)
    client.companions.add(this)
  }

  take(client: Client, request: Request): boolean | 'pass' {
    const { name } = request
    if (name === 'reset' || name === 'quit') return 'pass'
    if (name === 'ping') {
      const text = request.words[1] ?? Buffer.alloc(0)
      client.reply(Buffer.concat([Buffer.from(`*2\r\n$4\r\npong\r\n$${text.length}\r\n`), text, Buffer.from('\r\n')]))
      return true
    }
    if (IN_RESP2.has(name)) return this.ask(request)
    client.reply(
      errorLine(
        `ERR Can't execute '${name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context`,
      ),
    )
    return true
  }

  ask(request: Request): boolean {
    if (!this.#client.isQuiet) return false
    this.#ask(request)
    // Nothing came of it.
    if (this.#links.size === 0) this.close()
    return true
  }

  #ask(request: Request): void {
    const client = this.#client
    const names = request.words.slice(1)
    const kind = kindOf(request.name)
    const isShard = kind === 'shardChannels'
    if (names.length === 0 && !request.name.includes('unsub')) client.reply(wrongArguments(request.name))
    else if (isShard && names.some((name) => hashSlotOf(name) !== hashSlotOf(names[0] ?? name)))
      client.reply(CROSS_SLOT)
    else if (!request.name.includes('unsub') && !this.#hasRoomFor(kind, names)) client.reply(TOO_MANY)
    else if (isShard && names.length === 0 && this.#linksWith(kind).length > 0) {
      for (const { shard, names: known } of this.#linksWith(kind)) this.#send(shard, request.raw, known[kind].size)
    } else {
      const shard = this.#shardFor(isShard, names[0])
      // Without names, each that there is will be confirmed; of none, that there is none.
      const count = names.length || (this.#linksWith(kind)[0]?.names[kind].size ?? 1)
      const told = shard && !isShard ? this.#notifications.take(shard, request) : undefined
      if (!shard) client.reply(NOT_SERVED)
      else if (told) this.#sendAfter(told, shard, request.raw, count)
      else this.#send(shard, request.raw, count)
    }
  }

  /** Whoever hears that they have subscribed misses nothing from then on. */
  #sendAfter(told: Promise<void>, shard: Shard, raw: Buffer, confirmations: number): void {
    const { connection } = this.#linkTo(shard)
    this.#client.hold()
    void told.then(() => {
      this.#client.unhold()
      if (this.#links.get(shard)?.connection === connection) this.#send(shard, raw, confirmations)
    })
  }

  #hasRoomFor(kind: Kind, words: readonly Buffer[]): boolean {
    const links = [...this.#links.values()]
    let bytes = this.#keptBytes
    for (const name of new Set(words.map(nameOf)))
      if (!links.some(({ names }) => names[kind].has(name))) bytes += costOf(name)
    return bytes <= MAX_SUBSCRIPTION_BYTES
  }

  close(): void {
    const links = [...this.#links.values()]
    this.#links.clear()
    this.#notifications.close()
    this.#client.companions.delete(this)
    byClient.delete(this.#client)
    this.#client.isSubscribed = false
    if (this.#client.session === this) this.#client.session = null
    for (const { connection } of links) {
      connection.onLost = null
      connection.close('the client is gone')
    }
  }

  #shardFor(isShard: boolean, name: Buffer | undefined): Shard | undefined {
    const { endpoint } = this.#client
    if (isShard && name) return endpoint.slots.ownerOf(hashSlotOf(name))
    // Those of all shards are where the first one went.
    return [...this.#links.keys()][0] ?? endpoint.anyShard()
  }

  #linksWith(kind: Kind): Link[] {
    return [...this.#links.values()].filter(({ names }) => names[kind].size > 0)
  }

  #send(shard: Shard, raw: Buffer, confirmations: number): void {
    if (this.#awaited === 0) this.#client.hold()
    this.#awaited += confirmations
    this.#last = raw
    this.#linkTo(shard).connection.sendBytes(raw)
  }

  #linkTo(shard: Shard): Link {
    const known = this.#links.get(shard)
    if (known) return known
    const connection = this.#pool.acquire(shard)
    const names = { channels: new Set<string>(), patterns: new Set<string>(), shardChannels: new Set<string>() }
    const link: Link = { shard, connection, names }
    connection.takesAll = true
    connection.onPush = (bytes, from, to) => this.#receive(link, bytes, from, to)
    connection.onLost = () => {
      this.#links.delete(shard)
      this.#client.close()
    }
    this.#links.set(shard, link)
    return link
  }

  #receive(link: Link, bytes: Buffer, from: number, to: number): void {
    if (isMessage(bytes, from)) {
      if (!this.#notifications.isStale(link.shard, bytes, from)) this.#client.push(bytes, from, to)
      return
    }
    const target = redirectionIn(bytes, from, to)
    if (target && this.#last) {
      this.#client.endpoint.keeper.refreshSoon()
      const shard = this.#client.endpoint.slots.at(target.host || link.connection.host, target.port)
      this.#linkTo(shard).connection.sendBytes(this.#last)
      return
    }
    this.#client.push(bytes, from, to)
    if (bytes[from] === MINUS) this.#confirm(this.#awaited)
    else this.#takeConfirmation(link, Buffer.from(bytes.subarray(from, to)))
  }

  /** `subscribe`, the name, and how many there are now there. */
  #takeConfirmation(link: Link, frame: Buffer): void {
    const value = new RespParser().push(frame)[0]
    if (!value || !('items' in value)) return
    const [what, name] = value.items
    const word = (what && textOf(what)) ?? ''
    const names = link.names[kindOf(word)]
    const text = name?.kind === 'bulk' ? nameOf(name.bytes) : null
    if (text !== null && word.includes('unsub')) {
      if (names.delete(text)) this.#keptBytes -= costOf(text)
    } else if (text !== null && !names.has(text)) {
      names.add(text)
      this.#keptBytes += costOf(text)
    }
    this.#confirm(1)
  }

  #confirm(count: number): void {
    if (this.#awaited === 0) return
    this.#awaited = Math.max(0, this.#awaited - count)
    if (this.#awaited > 0) return
    this.#last = null
    this.#client.unhold()
    const isLeft = [...this.#links.values()].some(({ names }) => Object.values(names).some(({ size }) => size > 0))
    this.#client.isSubscribed = isLeft
    if (isLeft) {
      if (this.#client.protocol === 2) this.#client.session = this
    } else queueMicrotask(() => this.close())
  }
}

/** In RESP3 the subscriptions are not the session, so they are found here. */
const byClient = new WeakMap<Client, Subscriptions>()

function subscribe(client: Client, request: Request): boolean {
  if (!client.pool) return true
  const known = byClient.get(client)
  const subscriptions = known ?? new Subscriptions(client, client.pool)
  byClient.set(client, subscriptions)
  return subscriptions.ask(request)
}

export const SUBSCRIPTIONS: Readonly<Record<string, (client: Client, request: Request) => boolean>> = {
  subscribe,
  psubscribe: subscribe,
  ssubscribe: subscribe,
  unsubscribe: subscribe,
  punsubscribe: subscribe,
  sunsubscribe: subscribe,
}
