/**
 * The connections of one user in one protocol to all shards of a database: one shared by all clients per shard, and
 * exclusive ones that are lent. Callers: clients, the router. Each is logged in as that very user, so that the engine's
 * own rules decide what a client may do.
 */
import type { Word } from '#resp/encode.ts'
import { BackendConnection, type BackendHooks, type Ending } from './backend-connection.ts'
import type { Identity } from './identity.ts'
import { MAX_IDLE_EXCLUSIVE } from './limits.ts'
import type { OpenShardSocket } from './shard-link.ts'
import type { Shard, SlotMap } from './slot-map.ts'

export type Protocol = 2 | 3
/** An exclusive connection waits for little: a small arena, since there may be thousands. */
const EXCLUSIVE_ARENA_BYTES = 1024

export interface PoolOwner {
  readonly slots: SlotMap
  readonly open: OpenShardSocket
  redirect(
    pool: Pool,
    connection: BackendConnection,
    pending: Parameters<BackendHooks['onError']>[1],
    bytes: Buffer,
    from: number,
    to: number,
  ): boolean
  retryUnsent(pool: Pool, shard: Shard, pending: Parameters<BackendHooks['onUnsent']>[0], ending: Ending): void
  /** A connection of the pool ended; `shard` may be away. */
  lost(pool: Pool, shard: Shard, ending: Ending): void
}

/** A pool of one client's own: what its connections are told first, and who hears what comes unasked. */
export type PrivatePool = {
  readonly handshake: readonly Word[]
  readonly onPush: (bytes: Buffer, from: number, to: number) => void
  readonly onLost: () => void
}

export class Pool {
  readonly identity: Identity
  readonly protocol: Protocol
  /** Clients that use it. */
  users = 0
  readonly #owner: PoolOwner
  readonly #shared: (BackendConnection | undefined)[] = []
  readonly #idle = new Map<Shard, BackendConnection[]>()
  readonly #all = new Set<BackendConnection>()

  readonly #private: PrivatePool | undefined

  constructor(owner: PoolOwner, identity: Identity, protocol: Protocol, ofOne?: PrivatePool) {
    this.#private = ofOne
    this.#owner = owner
    this.identity = identity
    this.protocol = protocol
  }

  get connectionCount(): number {
    return this.#all.size
  }

  /** The shared connection for a slot; undefined when nobody has the slot. */
  forSlot(slot: number): BackendConnection | undefined {
    const index = this.#owner.slots.owners[slot] ?? -1
    if (index < 0) return undefined
    const connection = this.#shared[index]
    if (connection && connection.ended === null) return connection
    const shard = this.#owner.slots.shards[index]
    return shard && this.forShard(shard)
  }

  /** Would `forSlot` give this connection? */
  isFor(slot: number, connection: BackendConnection): boolean {
    return this.#shared[this.#owner.slots.owners[slot] ?? -1] === connection && connection.ended === null
  }

  forShard(shard: Shard): BackendConnection {
    const known = this.#shared[shard.index]
    if (known && known.ended === null) return known
    const ofOne = this.#private
    const handshake = handshakeOf(this.identity, this.protocol)
    const connection = ofOne
      ? this.#open(shard, EXCLUSIVE_ARENA_BYTES, [...handshake, [...ofOne.handshake]])
      : this.#open(shard)
    if (ofOne) {
      connection.onPush = ofOne.onPush
      connection.onLost = ofOne.onLost
    }
    this.#shared[shard.index] = connection
    return connection
  }

  /** A connection that nobody else uses; give it back, or close it. */
  acquire(shard: Shard): BackendConnection {
    const idle = this.#idle.get(shard) ?? []
    for (let connection = idle.pop(); connection; connection = idle.pop()) {
      if (connection.ended === null) return connection
    }
    return this.#open(shard, EXCLUSIVE_ARENA_BYTES)
  }

  /** A connection that is not logged in: to ask whether a password is right. */
  acquireOutside(shard: Shard): BackendConnection {
    return this.#open(shard, EXCLUSIVE_ARENA_BYTES, [])
  }

  /** Only one that has no state left: no transaction, no watch, no subscription, nothing unanswered. */
  release(shard: Shard, connection: BackendConnection): void {
    connection.onPush = null
    connection.onLost = null
    const idle = this.#idle.get(shard) ?? []
    this.#idle.set(shard, idle)
    if (connection.isIdle && idle.length < MAX_IDLE_EXCLUSIVE && this.users > 0) idle.push(connection)
    else connection.close('it is not needed any more')
  }

  close(problem: string): void {
    for (const connection of [...this.#all]) {
      // What is closed on purpose is not lost.
      if (this.#private) connection.onLost = null
      connection.close(problem)
    }
  }

  #open(shard: Shard, arenaBytes?: number, handshake = handshakeOf(this.identity, this.protocol)): BackendConnection {
    const owner = this.#owner
    const hooks: BackendHooks = {
      onError: (connection, pending, bytes, from, to) => owner.redirect(this, connection, pending, bytes, from, to),
      onUnsent: (pending, ending) => owner.retryUnsent(this, shard, pending, ending),
      onEnd: (connection, ending) => {
        this.#all.delete(connection)
        owner.lost(this, shard, ending)
      },
    }
    const connection = new BackendConnection(owner.open, shard, handshake, hooks, arenaBytes)
    this.#all.add(connection)
    return connection
  }
}

export function handshakeOf({ username, password }: Identity, protocol: Protocol): Word[][] {
  if (protocol === 3) return [password === null ? ['HELLO', 3] : ['HELLO', 3, 'AUTH', username, password]]
  return password === null ? [] : [['AUTH', username, password]]
}
