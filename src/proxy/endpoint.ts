/**
 * One database as clients see it: its slot map, its users' pools, its clients and limits. Callers: the server (which
 * makes, changes and closes it), clients, the router. What a redirection or a lost connection means is decided in
 * `redirects.ts`, which this hands on to.
 */
import type { Socket } from 'node:net'
import { CommandTable } from './command-table.ts'
import type { EndpointConfig } from './config.ts'
import { countRequests, type EndpointCounts } from './counts.ts'
import { Entrance } from './entrance.ts'
import { ANYBODY, type Identity, identityOf, VerifiedIdentities } from './identity.ts'
import type { EndpointLimits } from './limits.ts'
import { MapKeeper } from './map-keeper.ts'
import type { Peers } from './peers.ts'
import { Pool, type PoolOwner, type PrivatePool, type Protocol } from './pool.ts'
import { Redirects } from './redirects.ts'
import { Scripts } from './scripts.ts'
import { ShardLink } from './shard-link.ts'
import { type Shard, SlotMap } from './slot-map.ts'

/** What the rest of the room needs to know of each other's clients. */
export interface ClientFace {
  readonly id: number
  readonly socket: Pick<Socket, 'bytesRead' | 'bytesWritten'>
  readonly address: string
  /** Where it came in. */
  readonly localAddress: string
  readonly openedAt: number
  readonly lastAt: number
  readonly name: string
  readonly libraryName: string
  readonly libraryVersion: string
  readonly lastCommand: string
  readonly protocol: Protocol
  readonly pool: Pool | null
  readonly inFlight: number
  readonly outputBytes: number
  readonly inputBytes: number
  readonly isNoEvict: boolean
  readonly isBlocked: boolean
  readonly isSubscribed: boolean
  /** In the middle of nothing: no request, no transaction, no subscription. */
  readonly isIdle: boolean
  close(): void
  /** Closed for the sake of the others; `why` goes into the log. */
  evict(why: string): void
  endAfterReplies(): void
  /** False: it waits for nothing. */
  unblock(withError: boolean): Promise<boolean>
}

export type EndpointPorts = {
  readonly nowMs: () => number
  readonly onTrouble: (message: string, detail: object) => void
  /** Other processes that serve the same endpoints. */
  readonly peers: Peers
}

let lastClientId = 0
/** Processes that serve one endpoint number their clients apart from each other. */
let clientIdStep = 1
export function numberClients(first: number, step: number): void {
  lastClientId = first
  clientIdStep = step
}

export class Endpoint {
  readonly table = new CommandTable()
  readonly slots = new SlotMap()
  readonly verified = new VerifiedIdentities()
  readonly scripts = new Scripts()
  readonly clients = new Map<number, ClientFace>()
  readonly keeper: MapKeeper
  readonly entrance: Entrance
  readonly anybody: Identity = ANYBODY
  readonly nowMs: () => number
  readonly peers: Peers
  config: EndpointConfig
  /** What HELLO tells; learned from a shard. */
  engine = { server: 'redis', version: '7.0.0' }
  startedAt: number
  connectionsReceived = 0
  connectionsRefused = 0
  logins = 0
  loginsRefused = 0
  readonly #ports: EndpointPorts
  readonly #pools = new Map<string, Pool>()
  readonly #privatePools = new Set<Pool>()
  readonly #poolOwner: PoolOwner
  readonly #link: ShardLink
  #control: Pool
  /** Of clients that have gone. */
  #pastBytes = { ingress: 0, egress: 0 }

  /** `onClient` makes a client of whoever has come in. */
  constructor(config: EndpointConfig, ports: EndpointPorts, onClient: (endpoint: Endpoint, socket: Socket) => void) {
    this.config = config
    this.#ports = ports
    this.entrance = new Entrance({
      databaseUid: config.databaseUid,
      nowMs: ports.nowMs,
      onTrouble: ports.onTrouble,
      onClient: (socket) => onClient(this, socket),
    })
    this.entrance.apply(config.tls)
    this.nowMs = ports.nowMs
    this.peers = ports.peers
    this.startedAt = ports.nowMs()
    const redirects = new Redirects({
      slots: this.slots,
      scripts: this.scripts,
      nowMs: ports.nowMs,
      refresh: () => this.keeper.refreshSoon(),
      onRefused: (pool) => this.#dropRefused(pool),
    })
    this.#link = new ShardLink((err) => {
      const { databaseUid } = config
      ports.onTrouble('the TLS settings for the shards of an endpoint cannot be used', { databaseUid, err })
    })
    this.#link.apply(config.shardsTls)
    this.#poolOwner = {
      slots: this.slots,
      open: this.#link.open,
      redirect: (pool, connection, pending, bytes, from, to) =>
        redirects.take(pool, connection, pending, bytes, from, to),
      retryUnsent: (pool, shard, pending, ending) => redirects.retryUnsent(pool, shard, pending, ending),
      lost: (_pool, shard, ending) => {
        if (ending.isRefused || ending.problem === 'it is not needed any more') return
        if (shard.awaySince === 0) shard.awaySince = this.nowMs()
        this.keeper.refreshSoon()
      },
    }
    this.#control = this.#controlPool()
    this.keeper = new MapKeeper(this, () => this.#control)
    this.slots.replace(config.shards)
    this.keeper.start()
  }

  get limits(): EndpointLimits {
    return this.config.limits
  }
  get isOpen(): boolean {
    return this.config.isOpen
  }
  get control(): Pool {
    return this.#control
  }

  /** Takes a new configuration over; nobody is disconnected by it. Resolves when the map is what it is after a move. */
  async apply(config: EndpointConfig): Promise<void> {
    const before = this.config
    this.config = config
    if (before.accountsEpoch !== config.accountsEpoch) this.verified.clear()
    if (JSON.stringify(before.control) !== JSON.stringify(config.control)) {
      const old = this.#control
      this.#control = this.#controlPool()
      old.close('it is not needed any more')
    }
    this.entrance.apply(config.tls)
    this.#link.apply(config.shardsTls)
    this.keeper.takeConfig(config.shards)
    if (before.isMoving && !config.isMoving) await this.keeper.refreshNow()
  }

  /** A client has gone; its socket is still there. */
  forget(client: ClientFace): void {
    if (!this.clients.delete(client.id)) return
    this.#pastBytes.ingress += client.socket.bytesRead
    this.#pastBytes.egress += client.socket.bytesWritten
  }

  counts(): EndpointCounts {
    let { ingress, egress } = this.#pastBytes
    for (const { socket } of this.clients.values()) {
      ingress += socket.bytesRead
      egress += socket.bytesWritten
    }
    return {
      clients: this.clients.size,
      connections: this.connectionsReceived,
      refused: this.connectionsRefused,
      ingressBytes: ingress,
      egressBytes: egress,
      logins: this.logins,
      loginsRefused: this.loginsRefused,
      ...countRequests(this.table),
    }
  }

  nextClientId(): number {
    lastClientId += clientIdStep
    return lastClientId
  }

  /** A client begins to use the connections of this user. */
  join(identity: Identity, protocol: Protocol): Pool {
    const name = `${protocol}:${identity.id}`
    let pool = this.#pools.get(name)
    if (!pool) {
      pool = new Pool(this.#poolOwner, identity, protocol)
      this.#pools.set(name, pool)
    }
    pool.users++
    return pool
  }

  /** The same for one client alone. */
  joinAlone(identity: Identity, protocol: Protocol, ofOne: PrivatePool): Pool {
    const pool = new Pool(this.#poolOwner, identity, protocol, ofOne)
    pool.users++
    this.#privatePools.add(pool)
    return pool
  }

  leave(pool: Pool): void {
    pool.users--
    const isOfOne = this.#privatePools.delete(pool)
    if (!isOfOne && (pool.users > 0 || pool.identity === this.anybody)) return
    if (!isOfOne) this.#pools.delete(`${pool.protocol}:${pool.identity.id}`)
    pool.close('it is not needed any more')
  }

  /** Any shard for what all answer alike: the same one each time while it is there. */
  anyShard(): Shard | undefined {
    const { serving } = this.slots
    return serving.find((shard) => shard.awaySince === 0) ?? serving[0]
  }

  onEvicted(client: { address: string; why: string; inputBytes: number; outputBytes: number }): void {
    this.#ports.onTrouble('a client was closed', client)
  }

  close(): void {
    this.entrance.close()
    this.keeper.close()
    for (const client of [...this.clients.values()]) client.close()
    for (const pool of [...this.#pools.values(), ...this.#privatePools]) pool.close('the endpoint is closed')
    this.#control.close('the endpoint is closed')
  }

  #controlPool(): Pool {
    const { control } = this.config
    const pool = new Pool(this.#poolOwner, control ? identityOf(control.username, control.password) : ANYBODY, 2)
    pool.users = 1
    return pool
  }

  /** A password that was right is not any more: those who came with it go, like the engine's own clients. */
  #dropRefused(pool: Pool): void {
    this.verified.forget(pool.identity)
    if (pool.identity === this.anybody) return
    for (const client of [...this.clients.values()]) if (client.pool === pool) client.endAfterReplies()
  }
}
