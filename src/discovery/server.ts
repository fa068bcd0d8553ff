/**
 * The discovery service: listens where the API does, tells plain clients from those that speak TLS by their first byte,
 * and bounds how many there are. Made and closed by src/main. It reads the state and nothing else: no process, no file.
 *
 * A port that another program has does not keep databases from being looked after: that is said, and tried again.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { State } from '#store/state.ts'
import type { Service } from './client.ts'
import { Connection } from './connection.ts'
import { Connections } from './connections.ts'
import { Directory } from './directory.ts'
import { HANDSHAKE_MS, KEEP_ALIVE_MS, LISTEN_AGAIN_MS } from './limits.ts'
import { messageOf } from './subscriptions.ts'
import { DiscoveryTls } from './tls.ts'

export type DiscoveryLog = {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

type Options = {
  readonly state: State
  readonly host: string
  readonly port: number
  readonly myId: string
  /** Monotonic. */
  readonly nowMs: () => number
  readonly log: DiscoveryLog
}

/** The first byte of a TLS handshake; no request begins with it. */
const HANDSHAKE = 0x16
const LOOK_EVERY_MS = 5_000
/** Clients choose by it what a Sentinel can: RESP3 and ACL users are in it. */
const SPOKEN_VERSION = '7.0.0'
const TLS_REQUIRED = '-ERR TLS is required here\r\n'

export class DiscoveryServer {
  readonly #options: Options
  readonly #server: Server
  readonly #directory: Directory
  readonly #tls: DiscoveryTls
  readonly #service: Service
  readonly #connections = new Connections()
  #lastId = 0
  #look: NodeJS.Timeout | undefined
  #again: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(options: Options) {
    const { state, myId, nowMs, port } = options
    this.#options = options
    this.#directory = new Directory(state)
    this.#tls = new DiscoveryTls(state, (socket) => this.#serve(socket))
    this.#server = createServer({ noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS }, (socket) =>
      this.#greet(socket),
    )
    this.#service = {
      directory: this.#directory,
      myId,
      version: SPOKEN_VERSION,
      port,
      clientCount: () => this.#connections.size,
      startedAtMs: nowMs(),
      nowMs,
    }
    this.#directory.onNews((news) => {
      const message = messageOf(news)
      if (message) for (const connection of this.#connections.served()) connection.tell(...message)
    })
  }

  get isListening(): boolean {
    return this.#server.listening
  }

  /** What keeps it from listening, in words, or null. Once that has gone, it listens by itself. */
  async start(): Promise<string | null> {
    this.#look = setInterval(() => this.#connections.closeOverdue(this.#options.nowMs()), LOOK_EVERY_MS).unref()
    return await this.#listen()
  }

  async close(): Promise<void> {
    this.#isClosed = true
    clearInterval(this.#look)
    clearTimeout(this.#again)
    this.#directory.close()
    this.#tls.close()
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()))
    this.#connections.closeAll()
    await closed
  }

  async #listen(): Promise<string | null> {
    const { host, port, log } = this.#options
    const problem = await new Promise<string | null>((resolve) => {
      const failed = (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be used: ${error.message}`)
      this.#server.once('error', failed)
      this.#server.listen({ host, port }, () => {
        this.#server.off('error', failed)
        this.#server.on('error', (err) => log.warn({ err }, 'the discovery service has trouble'))
        resolve(null)
      })
    })
    if (problem === null) log.info({ host, port }, 'the discovery service listens')
    else if (!this.#isClosed) {
      log.warn({ host, port, problem }, 'the discovery service cannot listen; trying again')
      this.#again = setTimeout(() => void this.#listen(), LISTEN_AGAIN_MS).unref()
    }
    return problem && `port ${port} ${problem}`
  }

  /** By the first byte: everybody who connects says something first. */
  #greet(socket: Socket): void {
    if (!this.#connections.opened(socket)) return
    socket.on('error', () => socket.destroy())
    socket.setTimeout(HANDSHAKE_MS, () => socket.destroy())
    socket.once('data', (chunk) => {
      socket.setTimeout(0)
      socket.pause()
      socket.unshift(chunk)
      if (chunk[0] === HANDSHAKE) this.#tls.secure(socket)
      else if (this.#tls.mode === 'required') socket.end(TLS_REQUIRED, () => socket.destroy())
      else this.#serve(socket)
    })
  }

  #serve(socket: Socket): void {
    socket.on('error', () => socket.destroy())
    const connection = new Connection({ socket, service: this.#service, id: ++this.#lastId })
    this.#connections.serves(socket, connection)
    socket.resume()
  }
}
