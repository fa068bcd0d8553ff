/**
 * The proxy of one process: listens for the clients of every endpoint in its configuration, and keeps to it when it
 * changes. Callers: the program, tests. `apply` compares: what is new is opened, what is gone is closed, and an
 * endpoint that stays keeps its clients whatever else about it changes.
 *
 * A process that only serves, and is handed connections by another, listens to nothing and is given them by `accept`.
 */
import { createServer, type Server, type Socket } from 'node:net'
import { Client } from './client.ts'
import type { EndpointConfig, ProxyConfig } from './config.ts'
import { Endpoint } from './endpoint.ts'
import { errorLine } from './request.ts'
import { handleRequest } from './router.ts'
import { streamRequest } from './stream-request.ts'

export type ProxyPorts = {
  readonly nowMs: () => number
  readonly onTrouble: (message: string, detail: object) => void
}

type Served = { readonly endpoint: Endpoint; server: Server | null }

const TOO_MANY = errorLine('ERR max number of clients reached')
/** Like the engine's own `tcp-backlog`, but for ten thousand clients that come at once. */
const BACKLOG = 4096

export class ProxyServer {
  readonly #served = new Map<number, Served>()
  readonly #ports: ProxyPorts
  readonly #listens: boolean

  constructor(ports: ProxyPorts, options: { readonly listens: boolean } = { listens: true }) {
    this.#ports = ports
    this.#listens = options.listens
  }

  get endpoints(): ReadonlyMap<number, { readonly endpoint: Endpoint }> {
    return this.#served
  }

  /** Resolves when everything listens. Rejects when a port cannot be had; the other endpoints are served all the same. */
  async apply(config: ProxyConfig): Promise<void> {
    const wanted = new Map(config.endpoints.map((endpoint) => [endpoint.databaseUid, endpoint]))
    for (const [uid, served] of this.#served) if (!wanted.has(uid)) this.#drop(uid, served)
    const results = await Promise.allSettled([...wanted.values()].map((endpoint) => this.#serve(endpoint)))
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  /** A client of a database, which nobody has read from. */
  accept(databaseUid: number, socket: Socket): void {
    const served = this.#served.get(databaseUid)
    if (served) this.#accept(served.endpoint, socket)
    else socket.destroy()
  }

  get clientCount(): number {
    let count = 0
    for (const { endpoint } of this.#served.values()) count += endpoint.clients.size
    return count
  }

  /** Takes no new clients. */
  stopListening(): void {
    for (const served of this.#served.values()) {
      served.server?.close()
      served.server = null
    }
  }

  /** Ends every client that waits for no answer; the others follow when they are asked again. */
  drain(): void {
    for (const { endpoint } of this.#served.values())
      for (const client of [...endpoint.clients.values()]) if (client.inFlight === 0) client.endAfterReplies()
  }

  close(): void {
    for (const [uid, served] of this.#served) this.#drop(uid, served)
  }

  async #serve(config: EndpointConfig): Promise<void> {
    const known = this.#served.get(config.databaseUid)
    const isSamePlace = known && JSON.stringify(known.endpoint.config.listen) === JSON.stringify(config.listen)
    known?.endpoint.apply(config)
    const served = known ?? { endpoint: new Endpoint(config, this.#ports), server: null }
    this.#served.set(config.databaseUid, served)
    if (!this.#listens || (isSamePlace && served.server)) return
    served.server?.close()
    served.server = null
    served.server = await this.#listen(served.endpoint, config)
  }

  async #listen(endpoint: Endpoint, config: EndpointConfig): Promise<Server> {
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#accept(endpoint, socket),
    )
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen({ ...config.listen, backlog: BACKLOG }, () => {
        server.off('error', reject)
        resolve()
      })
    })
    server.on('error', (error) => this.#ports.onTrouble('a listening socket failed', { err: error }))
    return server
  }

  #accept(endpoint: Endpoint, socket: Socket): void {
    endpoint.connectionsReceived++
    if (endpoint.clients.size >= endpoint.limits.maxConnections) {
      socket.on('error', () => undefined)
      socket.end(TOO_MANY, () => socket.destroy())
      return
    }
    new Client(socket, endpoint, { handle: handleRequest, stream: streamRequest })
  }

  #drop(uid: number, served: Served): void {
    served.server?.close()
    served.endpoint.close()
    this.#served.delete(uid)
  }
}
