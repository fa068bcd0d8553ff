/**
 * The proxy of one process: serves the clients of every endpoint in its configuration, and keeps to it when it changes.
 * Callers: the program, its workers, tests. `apply` compares: what is new is opened, what is gone is closed, and an
 * endpoint that stays keeps its clients whatever else about it changes.
 *
 * A worker is given its connections by `accept`, and has no doors.
 */

import type { SendHandle } from 'node:child_process'
import type { Socket } from 'node:net'
import { Client } from './client.ts'
import { ClientMemory } from './client-memory.ts'
import { answerOf } from './client-roll.ts'
import type { EndpointConfig, ProxyConfig } from './config.ts'
import type { CountsOfAll } from './counts.ts'
import { Doors } from './doors.ts'
import { type ClientFace, Endpoint } from './endpoint.ts'
import { type ClientAnswer, type ClientQuestion, NO_PEERS, type Peers } from './peers.ts'
import { Relay } from './relay.ts'
import { errorLine } from './request.ts'
import { handleRequest } from './router.ts'
import { streamRequest } from './stream-request.ts'

export type ProxyPorts = {
  /** Milliseconds of a clock that never goes back. */
  readonly nowMs: () => number
  readonly onTrouble: (message: string, detail: object) => void
  /** Other processes that serve the same endpoints. Absent: there are none. */
  readonly peers?: Peers
}

const TOO_MANY = errorLine('ERR max number of clients reached')

export class ProxyServer {
  readonly #endpoints = new Map<number, Endpoint | Relay>()
  readonly #ports: ProxyPorts
  readonly #doors: Doors | null
  readonly #memory = new ClientMemory(() => this.#readClients())

  constructor(ports: ProxyPorts, options: { readonly listens: boolean } = { listens: true }) {
    this.#ports = ports
    this.#doors = options.listens
      ? new Doors((databaseUid, socket) => this.accept(databaseUid, socket), ports.onTrouble)
      : null
  }

  /** Those in the middle of a handshake count. */
  get clientCount(): number {
    return this.#all.reduce((count, { clients, entrance }) => count + clients.size + entrance.count, 0)
  }

  /**
   * Resolves when everything listens. Rejects when a port cannot be had; the other endpoints are served all the same, and
   * waited for.
   */
  async apply(config: ProxyConfig): Promise<void> {
    this.#memory.limit(config.clientMemoryBytes ?? 0)
    const wanted = new Set(config.endpoints.map(({ databaseUid }) => databaseUid))
    for (const [uid, endpoint] of this.#endpoints) {
      if (wanted.has(uid)) continue
      endpoint.close()
      this.#endpoints.delete(uid)
    }
    const applied = config.endpoints.map((one) => this.#applyOne(one))
    const results = await Promise.allSettled([...applied, this.#doors?.apply(config.endpoints)])
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** One whose bytes were handed on unread and are not any more, or the other way round, is another one. */
  async #applyOne(config: EndpointConfig): Promise<void> {
    const { databaseUid, relay } = config
    const known = this.#endpoints.get(databaseUid)
    if (relay && known instanceof Relay) known.apply(config, relay)
    else if (!relay && known instanceof Endpoint) await known.apply(config)
    else {
      known?.close()
      const fresh = relay
        ? new Relay(config, relay, this.#ports)
        : new Endpoint(config, { peers: NO_PEERS, ...this.#ports }, serve)
      this.#endpoints.set(databaseUid, fresh)
    }
  }

  /** Of those of these databases whose requests it reads. */
  counts(databaseUids: readonly number[]): CountsOfAll {
    return databaseUids.flatMap((uid) => {
      const endpoint = this.#endpoints.get(uid)
      return endpoint instanceof Endpoint ? [[uid, endpoint.counts()] as const] : []
    })
  }

  /** A client of a database, which nobody has read from. */
  accept(databaseUid: number, socket: Socket): void {
    const endpoint = this.#endpoints.get(databaseUid)
    if (!endpoint) {
      socket.destroy()
      return
    }
    if (endpoint instanceof Endpoint) endpoint.connectionsReceived++
    const { clients, entrance, limits } = endpoint
    if (clients.size + entrance.count < limits.maxConnections) entrance.admit(socket)
    else {
      if (endpoint instanceof Endpoint) endpoint.connectionsRefused++
      socket.on('error', () => undefined)
      // Nobody who speaks TLS understands a plain answer.
      if (entrance.isPlain) socket.end(TOO_MANY, () => socket.destroy())
      else socket.destroy()
    }
  }

  /** What another worker asks about the clients of this one. */
  async answer(databaseUid: number, question: ClientQuestion): Promise<ClientAnswer> {
    const endpoint = this.#endpoints.get(databaseUid)
    return endpoint instanceof Endpoint ? await answerOf(endpoint, question) : { count: 0, lines: [] }
  }

  /** Makes a client of somebody whom no limit and no certificate concerns; null: there is no such endpoint. */
  visitor(databaseUid: number): ((socket: Socket) => void) | null {
    const endpoint = this.#endpoints.get(databaseUid)
    return endpoint instanceof Endpoint ? (socket) => serve(endpoint, socket) : null
  }

  /** Takes over what a predecessor listened on; before `apply`. */
  takeDoor(place: string, handle: SendHandle): void {
    this.#doors?.take(place, handle)
  }

  get doors(): ReadonlyMap<string, SendHandle> {
    return this.#doors?.all ?? new Map()
  }

  /** Why an endpoint cannot listen, by its database. */
  get problems(): ReadonlyMap<number, string> {
    return this.#doors?.problems ?? new Map()
  }

  /** Takes no new clients. */
  stopListening(): void {
    this.#doors?.close()
  }

  /** Ends every client that waits for no answer and has no state; whoever is in the middle of something may finish. */
  endIdleClients(): void {
    for (const { clients } of this.#all)
      for (const client of [...clients.values()]) if (client.isIdle) client.endAfterReplies()
  }

  close(): void {
    this.#memory.close()
    this.#doors?.close()
    for (const endpoint of this.#all) endpoint.close()
    this.#endpoints.clear()
  }

  /** Those of a relay are the engine's own clients, and count there. */
  *#readClients(): Iterable<ClientFace> {
    for (const endpoint of this.#endpoints.values()) if (endpoint instanceof Endpoint) yield* endpoint.clients.values()
  }

  get #all(): (Endpoint | Relay)[] {
    return [...this.#endpoints.values()]
  }
}

function serve(endpoint: Endpoint, socket: Socket): void {
  new Client(socket, endpoint, { handle: handleRequest, stream: streamRequest })
}
