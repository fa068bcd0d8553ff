/**
 * How many connections there are, in all and from one neighbour, and whose are closed when there are too many: those that
 * have been idle the longest, first of all those on which nobody has asked for anything yet. So somebody who opens
 * thousands and says nothing closes their own, and whoever has something to ask gets in.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { networkOf } from './network.ts'

export type ConnectionLimits = { readonly connections: number; readonly connectionsEach: number }

type Entry = {
  readonly socket: Socket
  readonly network: string
  /** By the monotonic clock. */
  usedAtMs: number
  answer: ServerResponse | undefined
}

export class Connections {
  readonly #limits: ConnectionLimits
  /** By the caller's address and port: what a socket and the TLS socket around it have in common. */
  readonly #entries = new Map<string, Entry>()
  readonly #byNetwork = new Map<string, Set<Entry>>()
  readonly #bySocket = new WeakMap<object, Entry>()

  constructor(limits: ConnectionLimits) {
    this.#limits = limits
  }

  get size(): number {
    return this.#entries.size
  }

  /** Closes it, or another one, when there are too many. */
  opened(socket: Socket): void {
    const key = keyOf(socket)
    const network = networkOf(socket.remoteAddress)
    const neighbours = this.#byNetwork.get(network) ?? new Set()
    const tooManyEach = neighbours.size >= this.#limits.connectionsEach
    if (tooManyEach || this.#entries.size >= this.#limits.connections) {
      const idlest = idlestOf(tooManyEach ? neighbours : this.#entries.values())
      if (!idlest) return void socket.destroy()
      this.#closed(keyOf(idlest.socket), idlest)
      idlest.socket.destroy()
    }
    const entry: Entry = { socket, network, usedAtMs: 0, answer: undefined }
    this.#entries.set(key, entry)
    this.#byNetwork.set(network, neighbours.add(entry))
    socket.once('close', () => this.#closed(key, entry))
  }

  /** It speaks TLS: requests come over this one. */
  secured(socket: Socket): void {
    const entry = this.#entries.get(keyOf(socket))
    if (entry) this.#bySocket.set(socket, entry)
  }

  /** False for one that speaks no TLS yet, and so cannot be answered. */
  isSecured(socket: object): boolean {
    return this.#bySocket.has(socket)
  }

  /** Also those that speak no TLS yet, of which the HTTP server does not know. */
  closeAll(): void {
    for (const { socket } of this.#entries.values()) socket.destroy()
  }

  /** Costs next to nothing: it is done for every request. */
  asked({ socket }: IncomingMessage, answer: ServerResponse, nowMs: number): void {
    const entry = this.#bySocket.get(socket)
    if (!entry) return
    entry.usedAtMs = nowMs
    entry.answer = answer
  }

  #closed(key: string, entry: Entry): void {
    if (this.#entries.get(key) === entry) this.#entries.delete(key)
    const neighbours = this.#byNetwork.get(entry.network)
    neighbours?.delete(entry)
    if (neighbours?.size === 0) this.#byNetwork.delete(entry.network)
  }
}

/** The address is remembered by the socket, so that it is the same when it has been closed. */
function keyOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`
}

/** Entries are in the order in which they were opened. Undefined: every one is being answered. */
function idlestOf(entries: Iterable<Entry>): Entry | undefined {
  let idlest: Entry | undefined
  for (const entry of entries) {
    const isBusy = entry.answer !== undefined && !entry.answer.writableFinished && !entry.answer.destroyed
    if (!isBusy && (!idlest || entry.usedAtMs < idlest.usedAtMs)) idlest = entry
  }
  return idlest
}
