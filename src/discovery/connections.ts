/**
 * How many connections there are, in all and from one address, and which one gives way when there are too many: the one
 * that has asked for nothing the longest, subscribers last. So whoever has something to ask gets in.
 */
import type { Socket } from 'node:net'
import type { Connection } from './connection.ts'
import { MAX_CONNECTIONS, MAX_CONNECTIONS_EACH } from './limits.ts'

type Entry = { readonly socket: Socket; readonly address: string; connection: Connection | undefined }

export class Connections {
  readonly #limits: { readonly all: number; readonly each: number }
  /** By the client's address and port: what a socket and the TLS socket around it have in common. */
  readonly #entries = new Map<string, Entry>()
  readonly #countOf = new Map<string, number>()

  constructor(limits = { all: MAX_CONNECTIONS, each: MAX_CONNECTIONS_EACH }) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  *served(): IterableIterator<Connection> {
    for (const { connection } of this.#entries.values()) if (connection) yield connection
  }

  /** False when it has gone already. Closes another one when there are too many. */
  opened(socket: Socket): boolean {
    const { remoteAddress: address } = socket
    if (address === undefined) {
      socket.destroy()
      return false
    }
    const isTooManyEach = (this.#countOf.get(address) ?? 0) >= this.#limits.each
    if (isTooManyEach || this.#entries.size >= this.#limits.all) this.#makeRoom(isTooManyEach ? address : undefined)
    const key = keyOf(socket)
    const entry: Entry = { socket, address, connection: undefined }
    this.#entries.set(key, entry)
    this.#countOf.set(address, (this.#countOf.get(address) ?? 0) + 1)
    socket.once('close', () => this.#closed(key, entry))
    return true
  }

  serves(socket: Socket, connection: Connection): void {
    const entry = this.#entries.get(keyOf(socket))
    if (entry) entry.connection = connection
  }

  closeOverdue(nowMs: number): void {
    for (const { socket, connection } of this.#entries.values()) if (connection?.isOverdue(nowMs)) socket.destroy()
  }

  closeAll(): void {
    for (const { socket } of this.#entries.values()) socket.destroy()
  }

  #makeRoom(address: string | undefined): void {
    let idlest: [string, Entry] | undefined
    for (const one of this.#entries) {
      if (address !== undefined && one[1].address !== address) continue
      if (!idlest || isIdler(one[1], idlest[1])) idlest = one
    }
    if (!idlest) return
    this.#closed(...idlest)
    idlest[1].socket.destroy()
  }

  #closed(key: string, entry: Entry): void {
    if (this.#entries.get(key) !== entry) return
    this.#entries.delete(key)
    const left = (this.#countOf.get(entry.address) ?? 1) - 1
    if (left > 0) this.#countOf.set(entry.address, left)
    else this.#countOf.delete(entry.address)
  }
}

/** Entries are in the order in which they were opened: of two alike, the older one. */
function isIdler({ connection: one }: Entry, { connection: other }: Entry): boolean {
  if (one?.isSubscribed !== other?.isSubscribed) return other?.isSubscribed === true
  return (one?.askedAtMs ?? 0) < (other?.askedAtMs ?? 0)
}

function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}
