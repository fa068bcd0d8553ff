/**
 * The store in etcd, for clusters of several nodes. Keys stand below one prefix, so that several clusters can share an
 * etcd. Every call has a deadline; nothing is ever sent twice by itself, since a commit that got no answer may have
 * happened. Only main loads this file, and only when etcd is wanted: the client library takes its time to load.
 *
 * Two things of the client library are not used, because they break the contract: its watches resume from the revision
 * in the last header, which may be ahead of the events that were delivered, and its leases judge by the wall clock.
 */
import { setTimeout } from 'node:timers/promises'
import { noop } from 'cockatiel'
import {
  Etcd3,
  EtcdInvalidAuthTokenError,
  type Lease as EtcdLease,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
  type IKeyValue,
  type IWatchResponse,
  type Namespace,
  Range,
} from 'etcd3'
import type {
  Change,
  Entry,
  Lease,
  Outcome,
  Revision,
  Store,
  Transaction,
  TroubleKind,
  Watch,
  WatchBatch,
  WatchEvent,
  WatchHandlers,
} from './contract.ts'
import { StoreTrouble } from './contract.ts'

const DEADLINE_MS = 5_000
/** Often enough to notice soon that a silent connection is dead; etcd hangs up on who asks more than every 5 s. */
const PING_EVERY_MS = 6_000
const PING_TIMEOUT_MS = 3_000
/** A connection attempt fails at once where nobody listens; this keeps a watch from spinning meanwhile. */
const RESUME_PAUSE_MS = 200

/** Rejects with StoreTrouble when etcd does not answer. */
export async function openEtcdStore(options: { endpoint: string; prefix: string }): Promise<Store> {
  const client = new Etcd3({
    hosts: options.endpoint,
    dialTimeout: DEADLINE_MS,
    // All of the state comes in one answer.
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.keepalive_time_ms': PING_EVERY_MS,
      'grpc.keepalive_timeout_ms': PING_TIMEOUT_MS,
    },
    defaultCallOptions: ({ isStream }) => (isStream ? {} : { deadline: Date.now() + DEADLINE_MS }),
    // By default it tries again and opens circuits: both would hide what happened, and the first may write twice.
    faultHandling: { host: () => noop, global: noop },
  })
  const store = new EtcdStore(client, options.prefix)
  try {
    await store.snapshot('\u0000 nothing is there')
    return store
  } catch (error) {
    await store.close()
    throw new StoreTrouble('unreachable', `etcd at ${options.endpoint} does not answer`, { cause: error })
  }
}

class EtcdStore implements Store {
  readonly #client: Etcd3
  readonly #prefix: string
  readonly #space: Namespace
  readonly #watches = new Set<Watch>()
  readonly #leases = new Set<() => void>()
  #isClosed = false

  constructor(client: Etcd3, prefix: string) {
    this.#client = client
    this.#prefix = prefix
    this.#space = client.namespace(prefix)
  }

  async snapshot(prefix: string): Promise<{ revision: Revision; entries: readonly Entry[] }> {
    this.#checkOpen()
    try {
      const { header, kvs } = await this.#space.getAll().prefix(prefix).exec()
      return { revision: Number(header.revision), entries: kvs.map(toEntry) }
    } catch (error) {
      throw this.#troubleOf(error, 'read')
    }
  }

  async commit({ compare, changes }: Transaction): Promise<Outcome> {
    this.#checkOpen()
    const [first, ...rest] = compare
    try {
      // etcd has no transaction without a condition: a key that never exists always fits.
      let builder = this.#space.if(first?.key ?? '\u0000never', 'Mod', '==', first?.modRevision ?? 0)
      for (const { key, modRevision } of rest) builder = builder.and(key, 'Mod', '==', modRevision)
      const { succeeded, header, responses } = await builder
        .then(...changes.map((change) => this.#operation(change)))
        .else(...compare.map(({ key }) => this.#space.get(key)))
        .commit()
      const isChanged = responses.some((one) => one.response_put || Number(one.response_delete_range?.deleted ?? 0) > 0)
      if (succeeded) return { committed: true, revision: isChanged ? Number(header.revision) : 0 }
      // The header may speak of other clusters' changes, which our watch never shows: only what was compared counts.
      const seen = responses.flatMap(
        ({ response_range }) => response_range?.kvs.map(({ mod_revision }) => Number(mod_revision)) ?? [],
      )
      return { committed: false, revision: Math.max(0, ...seen) }
    } catch (error) {
      throw this.#troubleOf(error, 'write')
    }
  }

  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch {
    const following = new EtcdWatch(this.#client, { space: this.#prefix, prefix, afterRevision, handlers })
    const close = () => {
      this.#watches.delete(watch)
      following.close()
    }
    const watch: Watch = { close }
    this.#watches.add(watch)
    following.start()
    return watch
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    this.#checkOpen()
    const ttlSeconds = Math.max(1, Math.ceil(ttlMs / 1000))
    const askedAt = performance.now()
    const lease = this.#space.lease(ttlSeconds)
    try {
      const id = await lease.grant()
      const lost = lossOf(lease, askedAt, ttlSeconds * 1000)
      this.#leases.add(lost.resolve)
      void lost.promise.then(() => this.#leases.delete(lost.resolve))
      // Once etcd has been asked, somebody else may have it.
      const revoke = () => {
        lost.resolve()
        return this.#revoke(lease)
      }
      return { id, lost: lost.promise, revoke }
    } catch (error) {
      throw this.#troubleOf(error, 'read')
    }
  }

  /** Leases are given up, but run out by themselves: etcd may be what we are leaving for. */
  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const watch of this.#watches) watch.close()
    for (const lost of this.#leases) lost()
    this.#client.close()
  }

  async #revoke(lease: EtcdLease): Promise<void> {
    this.#checkOpen()
    try {
      await lease.revoke()
    } catch (error) {
      throw this.#troubleOf(error, 'write')
    }
  }

  #operation(change: Change) {
    if (change.kind === 'delete') return this.#space.delete().key(change.key)
    const put = this.#space.put(change.key).value(change.value)
    return change.lease === undefined ? put : put.lease(change.lease)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreTrouble('closed', 'the store is closed')
  }

  #troubleOf(error: unknown, access: 'read' | 'write'): StoreTrouble {
    const message = error instanceof Error ? error.message : String(error)
    const kind = kindOf(error, message, access)
    if (this.#isClosed && kind === 'unreachable') return new StoreTrouble('closed', 'the store is closed')
    return new StoreTrouble(kind, `etcd: ${message}`, { cause: error })
  }
}

/**
 * One watch, on a stream of its own. When the stream breaks, the next one begins after the last revision that was
 * delivered, so that nothing is left out and nothing comes twice. Only etcd itself can say that it does not know that
 * revision any more. It sends a revision in one piece, as long as nobody asks it for fragments.
 */
class EtcdWatch implements Watch {
  readonly #client: Etcd3
  readonly #space: string
  readonly #range: Range
  readonly #handlers: WatchHandlers
  readonly #over = new AbortController()
  #next: Revision

  constructor(
    client: Etcd3,
    options: { space: string; prefix: string; afterRevision: Revision; handlers: WatchHandlers },
  ) {
    this.#client = client
    this.#space = options.space
    this.#range = Range.prefix(options.space + options.prefix)
    this.#handlers = options.handlers
    this.#next = options.afterRevision + 1
  }

  start(): void {
    void this.#run(this.#over.signal)
  }

  close(): void {
    this.#over.abort()
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.#follow(signal).catch(() => undefined)
      await setTimeout(RESUME_PAUSE_MS, undefined, { signal }).catch(() => undefined)
    }
  }

  /** Ends when the stream does; rejects when there is none. */
  async #follow(signal: AbortSignal): Promise<void> {
    const stream = await this.#client.watchClient.watch()
    const cancel = () => stream.cancel()
    const ended = new Promise<void>((resolve) => {
      stream.on('error', () => resolve())
      stream.on('end', resolve)
    })
    stream.on('data', (response) => this.#receive(response))
    const { start: key, end: range_end } = this.#range
    stream.write({ create_request: { key, range_end, start_revision: this.#next } })
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
    await ended
    signal.removeEventListener('abort', cancel)
  }

  #receive({ canceled, cancel_reason, compact_revision, events }: IWatchResponse): void {
    if (this.#over.signal.aborted) return
    if (canceled) {
      this.close()
      const forgotten = `etcd remembers no changes before revision ${compact_revision}`
      this.#handlers.onLost(new Error(Number(compact_revision) > 0 ? forgotten : `etcd: ${cancel_reason}`))
      return
    }
    for (const batch of toBatches(events, this.#space)) {
      if (batch.revision < this.#next || this.#over.signal.aborted) continue
      this.#next = batch.revision + 1
      this.#handlers.onBatch(batch)
    }
  }
}

/**
 * Resolves when the lease may be gone: when etcd says so, or when nothing was heard for as long as it lives, counted by
 * the monotonic clock from when the last request that was answered had been sent. Answers come in the order of their
 * requests, so that a late one never counts for a request which etcd has not seen yet. Nobody else can have had the
 * lease before.
 */
function lossOf(lease: EtcdLease, askedAt: number, ttlMs: number): { promise: Promise<void>; resolve: () => void } {
  const lost = Promise.withResolvers<void>()
  let unanswered: number[] = []
  let timer = globalThis.setTimeout(lost.resolve, Math.max(0, askedAt + ttlMs - performance.now()))
  lease.on('keepaliveEstablished', () => {
    unanswered = []
  })
  lease.on('keepaliveFired', () => unanswered.push(performance.now()))
  lease.on('keepaliveSucceeded', () => {
    const sentAt = unanswered.shift()
    if (sentAt === undefined) return
    clearTimeout(timer)
    timer = globalThis.setTimeout(lost.resolve, Math.max(0, sentAt + ttlMs - performance.now()))
  })
  lease.on('lost', () => lost.resolve())
  void lost.promise.then(() => {
    clearTimeout(timer)
    lease.release()
  })
  return lost
}

function toEntry({ key, value, mod_revision }: IKeyValue): Entry {
  return { key: key.toString(), value: value.toString(), modRevision: Number(mod_revision) }
}

/** One batch for each revision, in order. */
function toBatches(events: IWatchResponse['events'], space: string): WatchBatch[] {
  const batches = new Map<Revision, WatchEvent[]>()
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision)
    const batch = batches.get(revision) ?? []
    const key = kv.key.toString().slice(space.length)
    batch.push({ key, value: String(type).toLowerCase() === 'delete' ? null : kv.value.toString() })
    batches.set(revision, batch)
  }
  return [...batches].sort(([a], [b]) => a - b).map(([revision, all]) => ({ revision, events: all }))
}

/** etcd's own refusals. The library keeps no code on its errors, only these classes. */
const REFUSALS = [
  EtcdInvalidAuthTokenError,
  EtcdLeaseInvalidError,
  EtcdPermissionDeniedError,
  GRPCFailedPreconditionError,
  GRPCInvalidArgumentError,
  GRPCNotFoundError,
  GRPCNotImplementedError,
  GRPCOutOfRangeError,
  GRPCResourceExhastedError,
  GRPCUnauthenticatedError,
]
const NEVER_SENT = /ECONNREFUSED|No connection established|Name resolution failed|client was already closed/i

function kindOf(error: unknown, message: string, access: 'read' | 'write'): TroubleKind {
  if (/NOSPACE|database space exceeded/i.test(message)) return 'full'
  if (access === 'read' || NEVER_SENT.test(message)) return 'unreachable'
  // Of anything else that went wrong with a write it is not known how far it came.
  return REFUSALS.some((refusal) => error instanceof refusal) ? 'unreachable' : 'unknown'
}
