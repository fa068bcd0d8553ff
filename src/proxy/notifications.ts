/**
 * Keyspace notifications come from every shard: each tells only those who subscribe at it, of its own keys. So what a client
 * subscribes to that may be one is subscribed to at every other primary too, on connections of the client's own. Callers:
 * subscriptions, which have everything else, and whose shard the client is answered by.
 *
 * What is published reaches all shards. From the others, therefore, nothing is handed on but notifications.
 */
import { encodeCommand } from '#resp/encode.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Client } from './client.ts'
import { CONTROL_TIMEOUT_MS } from './limits.ts'
import type { Pool } from './pool.ts'
import type { Request } from './request.ts'
import type { Shard } from './slot-map.ts'

const PREFIXES = ['__keyspace@', '__keyevent@']
const PREFIX_BYTES = PREFIXES.map((prefix) => Buffer.from(prefix))
/** From here on a pattern may match different things. */
const WILD = /[*?[\\]/
const EIGHT = 0x38
const MINUS = 0x2d
/** `*3\r\n$7\r\nmessage`: where the length of the first word is. */
const LENGTH_AT = 5

export function mayNotify(isPattern: boolean, name: string): boolean {
  const fixed = isPattern ? (name.split(WILD, 1)[0] ?? '') : name
  return PREFIXES.some((prefix) => fixed.startsWith(prefix) || (isPattern && prefix.startsWith(fixed)))
}

type Link = { readonly connection: BackendConnection; awaited: number; onConfirmed: (() => void) | null }

export class Notifications {
  readonly #client: Client
  readonly #pool: Pool
  readonly #names = { channels: new Set<string>(), patterns: new Set<string>() }
  readonly #links = new Map<Shard, Link>()
  #home: Shard | null = null
  readonly #follow = () => this.#followMap()

  constructor(client: Client, pool: Pool) {
    this.#client = client
    this.#pool = pool
  }

  /** Resolves when the others know of it too, or have had their time; undefined: it does not concern them. */
  take(home: Shard, { name, words }: Request): Promise<void> | undefined {
    this.#home = home
    const isPattern = name.startsWith('p')
    const known = isPattern ? this.#names.patterns : this.#names.channels
    const given = words.slice(1).map((word) => word.toString('latin1'))
    if (name.includes('unsub')) {
      const leaving = given.length === 0 ? [...known] : given.filter((one) => known.has(one))
      for (const one of leaving) known.delete(one)
      if (leaving.length === 0) return undefined
      if (this.#isEmpty) this.close()
      return this.#tell(name, leaving)
    }
    const wanted = given.filter((one) => mayNotify(isPattern, one))
    if (wanted.length === 0) return undefined
    if (this.#isEmpty) this.#client.endpoint.slots.onServingChange.add(this.#follow)
    this.#followMap()
    for (const one of wanted) known.add(one)
    return this.#tell(name, wanted)
  }

  /** A message of a shard that serves no more: whoever does tells of its keys. */
  isStale(shard: Shard, bytes: Buffer, from: number): boolean {
    return !this.#isEmpty && !this.#client.endpoint.slots.serving.includes(shard) && isNotification(bytes, from)
  }

  close(): void {
    this.#client.endpoint.slots.onServingChange.delete(this.#follow)
    for (const shard of [...this.#links.keys()]) this.#drop(shard)
  }

  get #isEmpty(): boolean {
    return this.#names.channels.size + this.#names.patterns.size === 0
  }

  async #tell(name: string, names: readonly string[]): Promise<void> {
    await Promise.all([...this.#links.values()].map((link) => this.#send(link, name, names)))
  }

  #send(link: Link, name: string, names: readonly string[]): Promise<void> {
    link.awaited += names.length
    link.connection.sendBytes(encodeCommand([name, ...names.map((one) => Buffer.from(one, 'latin1'))]))
    return new Promise((resolve) => {
      const before = link.onConfirmed
      const timer = setTimeout(resolve, CONTROL_TIMEOUT_MS)
      link.onConfirmed = () => {
        clearTimeout(timer)
        before?.()
        resolve()
      }
    })
  }

  /** Every primary but the one that the client is at. */
  #followMap(): void {
    const wanted = this.#client.endpoint.slots.serving.filter((shard) => shard !== this.#home)
    for (const shard of [...this.#links.keys()]) if (!wanted.includes(shard)) this.#drop(shard)
    for (const shard of wanted) if (!this.#links.has(shard)) this.#open(shard)
  }

  #open(shard: Shard): void {
    const connection = this.#pool.acquire(shard)
    const link: Link = { connection, awaited: 0, onConfirmed: null }
    connection.takesAll = true
    connection.onPush = (bytes, from, to) => this.#receive(link, bytes, from, to)
    // Notifications may have been missed, which nobody would know.
    connection.onLost = () => {
      this.#links.delete(shard)
      this.#client.close()
    }
    this.#links.set(shard, link)
    const { channels, patterns } = this.#names
    if (channels.size > 0) void this.#send(link, 'subscribe', [...channels])
    if (patterns.size > 0) void this.#send(link, 'psubscribe', [...patterns])
  }

  #drop(shard: Shard): void {
    const link = this.#links.get(shard)
    this.#links.delete(shard)
    if (!link) return
    link.onConfirmed?.()
    link.connection.onLost = null
    link.connection.close('its notifications are not wanted any more')
  }

  #receive(link: Link, bytes: Buffer, from: number, to: number): void {
    if (isMessage(bytes, from)) {
      if (isNotification(bytes, from)) this.#client.push(bytes, from, to)
      return
    }
    link.awaited = bytes[from] === MINUS ? 0 : Math.max(0, link.awaited - 1)
    if (link.awaited > 0) return
    link.onConfirmed?.()
    link.onConfirmed = null
  }
}

/** `message`, `smessage` and `pmessage` are the only first words of their lengths. */
export function isMessage(bytes: Buffer, from: number): boolean {
  const length = bytes[from + LENGTH_AT]
  return (length === 0x37 || length === EIGHT) && bytes[from + LENGTH_AT + 1] === 0x0d
}

/** Of a message: whether its channel is that of a notification. The channel is the second word, or behind the pattern. */
function isNotification(bytes: Buffer, from: number): boolean {
  let at = wordAfter(bytes, from + LENGTH_AT - 1)
  if (bytes[from + LENGTH_AT] === EIGHT && bytes[from + LENGTH_AT + 3] === 0x70) at = wordAfter(bytes, at)
  const start = bytes.indexOf(0x0a, at) + 1
  return PREFIX_BYTES.some((prefix) => bytes.compare(prefix, 0, prefix.length, start, start + prefix.length) === 0)
}

/** Where the word behind the one at `at` begins, with its length. */
function wordAfter(bytes: Buffer, at: number): number {
  const line = bytes.indexOf(0x0d, at)
  return line + 2 + Number(bytes.toString('latin1', at + 1, line)) + 2
}
