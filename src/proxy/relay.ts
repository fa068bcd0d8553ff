/**
 * An endpoint that hands the bytes of its clients on to one process, unread: for databases of one shard whose clients have to
 * show a certificate that no engine can judge. Callers: the server.
 *
 * Each client has a connection of its own to the process, which sees it log in and do whatever a client may. When that
 * connection ends, so does the client's: whoever takes over is found at the same port a moment later, and clients that come
 * in between wait for it.
 */
import type { Socket } from 'node:net'
import type { EndpointConfig } from './config.ts'
import { Entrance } from './entrance.ts'
import {
  CLIENT_KEEPALIVE_MS,
  CONNECT_TIMEOUT_MS,
  type EndpointLimits,
  LAST_WORDS_MS,
  RELAY_IDLE_MS,
  RETRY_PAUSE_MS,
  UNSENT_WAIT_MS,
} from './limits.ts'
import { type ShardAddress, ShardLink } from './shard-link.ts'

export type RelayPorts = {
  readonly nowMs: () => number
  readonly onTrouble: (message: string, detail: object) => void
}

export class Relay {
  readonly entrance: Entrance
  readonly clients = new Map<number, RelayedClient>()
  readonly #ports: RelayPorts
  readonly #link: ShardLink
  #config: EndpointConfig
  #target: ShardAddress
  #lastId = 0

  constructor(config: EndpointConfig, target: ShardAddress, ports: RelayPorts) {
    const { databaseUid } = config
    this.#config = config
    this.#target = target
    this.#ports = ports
    this.entrance = new Entrance({ ...ports, databaseUid, onClient: (socket) => this.#take(socket) })
    this.entrance.apply(config.tls)
    this.#link = new ShardLink((err) =>
      ports.onTrouble('the TLS settings for the shards of an endpoint cannot be used', { databaseUid, err }),
    )
    this.#link.apply(config.shardsTls)
  }

  get limits(): EndpointLimits {
    return this.#config.limits
  }

  /** Clients stay, unless what they are connected to is somebody else's now, or has to be encrypted now. */
  apply(config: EndpointConfig, target: ShardAddress): void {
    const { host, port } = this.#target
    const isMoved = host !== target.host || port !== target.port
    const isOtherwise = (config.shardsTls === undefined) !== (this.#config.shardsTls === undefined)
    this.#config = config
    this.#target = target
    this.entrance.apply(config.tls)
    this.#link.apply(config.shardsTls)
    if (isMoved || isOtherwise) this.#closeAll()
  }

  close(): void {
    this.entrance.close()
    this.#closeAll()
  }

  #closeAll(): void {
    for (const client of [...this.clients.values()]) client.close()
  }

  #take(socket: Socket): void {
    const id = ++this.#lastId
    const { nowMs } = this.#ports
    const client = new RelayedClient(socket, { nowMs, open: this.#link.open, target: this.#target }, () =>
      this.clients.delete(id),
    )
    this.clients.set(id, client)
  }
}

type Way = {
  readonly nowMs: () => number
  readonly open: ShardLink['open']
  readonly target: ShardAddress
}

/** A client and its connection to the process. Neither is read faster than the other takes it. */
class RelayedClient {
  readonly #client: Socket
  readonly #way: Way
  readonly #onClose: () => void
  readonly #since: number
  #shard: Socket | null = null
  #timer: NodeJS.Timeout | undefined
  #lastAt: number
  #isClosed = false

  constructor(client: Socket, way: Way, onClose: () => void) {
    this.#client = client
    this.#way = way
    this.#onClose = onClose
    this.#since = way.nowMs()
    this.#lastAt = this.#since
    // Who has said all they want still hears the answers.
    client.allowHalfOpen = true
    client.setKeepAlive(true, CLIENT_KEEPALIVE_MS)
    client.on('error', () => undefined)
    client.on('close', () => this.close())
    this.#connect()
  }

  /** As far as somebody can tell who does not read what is said. */
  get isIdle(): boolean {
    return this.#way.nowMs() - this.#lastAt > RELAY_IDLE_MS
  }

  endAfterReplies(): void {
    this.close()
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    clearTimeout(this.#timer)
    this.#shard?.destroy()
    this.#endClient()
    this.#onClose()
  }

  /** What the process said last is still delivered, to whoever reads it. */
  #endClient(): void {
    const client = this.#client
    if (client.destroyed) return
    const timer = setTimeout(() => client.destroy(), LAST_WORDS_MS).unref()
    client.once('close', () => clearTimeout(timer))
    client.destroySoon()
  }

  /** Nobody may be there yet: a process that takes over opens its port a moment after its predecessor's end. */
  #connect(): void {
    const { open, target, nowMs } = this.#way
    let isOpen = false
    const shard = open(
      target,
      (bytes, byteCount) => this.#answer(shard, bytes, byteCount),
      () => {
        isOpen = true
        shard.setTimeout(0)
        this.#splice(shard)
      },
    )
    this.#shard = shard
    // The kernel takes connections for a process that hangs.
    shard.setTimeout(CONNECT_TIMEOUT_MS, () => shard.destroy())
    shard.on('error', () => undefined)
    shard.on('close', () => {
      if (this.#isClosed) return
      if (isOpen || nowMs() - this.#since > UNSENT_WAIT_MS) this.close()
      else this.#timer = setTimeout(() => this.#connect(), RETRY_PAUSE_MS)
    })
  }

  #splice(shard: Socket): void {
    const client = this.#client
    client.on('data', (bytes: Buffer) => {
      this.#lastAt = this.#way.nowMs()
      if (!shard.write(bytes)) client.pause()
    })
    shard.on('drain', () => client.resume())
    client.on('drain', () => shard.resume())
    client.on('end', () => shard.end())
    client.resume()
  }

  /** The bytes are only valid in the call. */
  #answer(shard: Socket, bytes: Buffer, byteCount: number): void {
    this.#lastAt = this.#way.nowMs()
    if (!this.#client.write(Buffer.from(bytes.subarray(0, byteCount)))) shard.pause()
  }
}
