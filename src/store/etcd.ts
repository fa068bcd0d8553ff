/**
 * The store in etcd, for clusters of several nodes. Keys stand below one prefix, so that several clusters can share an
 * etcd. Every call has a deadline; nothing is ever sent twice by itself, since a commit that got no answer may have
 * happened.
 *
 * The client library resumes its watches from the revision in the last header, which may be ahead of the events that
 * were delivered; that would be a gap. So a watch that loses its connection is over here, and says so: the view takes a
 * snapshot.
 */
import { noop } from 'cockatiel'
import { Etcd3, type Lease as EtcdLease, type IKeyValue, type Namespace } from 'etcd3'
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
  WatchHandlers,
} from './contract.ts'
import { StoreTrouble } from './contract.ts'

const DEADLINE_MS = 5_000
/** Rejects with StoreTrouble when etcd does not answer. */
export async function openEtcdStore(options: { endpoint: string; prefix: string }): Promise<Store> {
  const client = new Etcd3({
    hosts: options.endpoint,
    dialTimeout: DEADLINE_MS,
    // All of the state comes in one answer.
    grpcOptions: { 'grpc.max_receive_message_length': -1, 'grpc.max_reconnect_backoff_ms': 1_000 },
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
  readonly #space: Namespace
  readonly #watches = new Set<Watch>()
  #isClosed = false

  constructor(client: Etcd3, prefix: string) {
    this.#client = client
    this.#space = client.namespace(prefix)
  }

  async snapshot(prefix: string): Promise<{ revision: Revision; entries: readonly Entry[] }> {
    this.#checkOpen()
    try {
      const { header, kvs } = await this.#space.getAll().prefix(prefix).exec()
      return { revision: Number(header.revision), entries: kvs.map(toEntry) }
    } catch (error) {
      throw troubleOf(error, false)
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
      throw troubleOf(error, true)
    }
  }

  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch {
    let isOver = false
    const watcher = this.#space
      .watch()
      .prefix(prefix)
      .startRevision(String(afterRevision + 1))
      .watcher()
    const close = () => {
      if (isOver) return
      isOver = true
      this.#watches.delete(watch)
      watcher.removeAllListeners('data')
      // Cancelling waits for an answer that may never come; nobody needs it.
      watcher.cancel().catch(() => undefined)
    }
    const watch: Watch = { close }
    const lose = (error: Error) => {
      if (isOver) return
      close()
      handlers.onLost(error)
    }
    watcher.on('data', ({ events }) => {
      for (const batch of toBatches(events)) if (!isOver) handlers.onBatch(batch)
    })
    watcher.on('disconnected', (error) => lose(error))
    watcher.on('error', (error) => lose(error))
    this.#watches.add(watch)
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
      return { id, lost: lost.promise, revoke: () => revoke(lease).finally(lost.resolve) }
    } catch (error) {
      throw troubleOf(error, false)
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return
    this.#isClosed = true
    for (const watch of this.#watches) watch.close()
    this.#client.close()
  }

  #operation(change: Change) {
    if (change.kind === 'delete') return this.#space.delete().key(change.key)
    const put = this.#space.put(change.key).value(change.value)
    return change.lease === undefined ? put : put.lease(change.lease)
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreTrouble('closed', 'the store is closed')
  }
}

/**
 * Resolves when the lease may be gone: when etcd says so, or when nothing was heard for as long as it lives, counted by
 * the monotonic clock from before the last request that was answered. Nobody else can have had it before.
 */
function lossOf(lease: EtcdLease, askedAt: number, ttlMs: number): { promise: Promise<void>; resolve: () => void } {
  const lost = Promise.withResolvers<void>()
  let firedAt = askedAt
  let timer = setTimeout(lost.resolve, ttlMs).unref()
  lease.on('keepaliveFired', () => {
    firedAt = performance.now()
  })
  lease.on('keepaliveSucceeded', () => {
    clearTimeout(timer)
    timer = setTimeout(lost.resolve, Math.max(0, ttlMs - (performance.now() - firedAt))).unref()
  })
  lease.on('lost', () => lost.resolve())
  const promise = lost.promise.finally(() => {
    clearTimeout(timer)
    lease.release()
  })
  return { promise, resolve: lost.resolve }
}

async function revoke(lease: EtcdLease): Promise<void> {
  try {
    await lease.revoke()
  } catch (error) {
    throw troubleOf(error, true)
  }
}

function toEntry({ key, value, mod_revision }: IKeyValue): Entry {
  return { key: key.toString(), value: value.toString(), modRevision: Number(mod_revision) }
}

type EtcdEvent = { readonly type: string; readonly kv: IKeyValue }

/** One batch for each revision, in order. The library has taken the prefix off the keys already. */
function toBatches(events: readonly EtcdEvent[]): WatchBatch[] {
  const batches = new Map<number, { key: string; value: string | null }[]>()
  for (const { type, kv } of events) {
    const revision = Number(kv.mod_revision)
    const batch = batches.get(revision) ?? []
    batch.push({ key: kv.key.toString(), value: type === 'Delete' ? null : kv.value.toString() })
    batches.set(revision, batch)
  }
  return [...batches].sort(([a], [b]) => a - b).map(([revision, all]) => ({ revision, events: all }))
}

const DEADLINE_EXCEEDED = 4
const RESOURCE_EXHAUSTED = 8
const UNAVAILABLE = 14

function troubleOf(error: unknown, isWrite: boolean): StoreTrouble {
  if (error instanceof StoreTrouble) return error
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'code' in error ? Number(error.code) : undefined
  return new StoreTrouble(kindOf(message, code, isWrite), `etcd: ${message}`, { cause: error })
}

function kindOf(message: string, code: number | undefined, isWrite: boolean): TroubleKind {
  if (/no space|NOSPACE|database space exceeded/i.test(message)) return 'full'
  if (!isWrite || /ECONNREFUSED|No connection established|name resolution/i.test(message)) return 'unreachable'
  if (code === RESOURCE_EXHAUSTED) return 'unreachable'
  return code === DEADLINE_EXCEEDED || code === UNAVAILABLE || code === undefined ? 'unknown' : 'unreachable'
}
