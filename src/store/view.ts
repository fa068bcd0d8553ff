/**
 * The documents in memory, kept up by the store's watch: reads cost a map look-up. A writer sees its own write, because
 * `commit` returns only after this memory has reached the revision that it wrote. Callers get documents that never
 * change under them: each new revision is a new object.
 */
import type { Mirrored } from './collection.ts'
import type { Change, Compare, Entry, Outcome, Revision, Store, Watch, WatchBatch } from './contract.ts'
import { StoreTrouble } from './contract.ts'

/** Told after the view has taken in a revision: which documents changed. */
export type ViewListener = (collection: Mirrored, id: string, revision: Revision) => void

/** Written with every change of configuration: its own revision is the cluster-state-id of the API. */
const STATE_KEY = 'config-revision'
/** How long a writer waits to see its own write before it reports trouble: far above any healthy delay. */
const SEE_OWN_WRITE_MS = 10_000
const RESNAPSHOT_PAUSE_MS = 200

export class View {
  readonly #store: Store
  readonly #collections: readonly Mirrored[]
  readonly #listeners = new Set<ViewListener>()
  readonly #waiting = new Set<{ revision: Revision; wake: () => void }>()
  readonly #log: (message: string, error: unknown) => void
  #revision: Revision = 0
  #stateId: Revision = 0
  #watch: Watch | undefined
  #closed = false
  readonly #unreadable = new Set<string>()

  constructor(options: {
    store: Store
    collections: readonly Mirrored[]
    onTrouble: (message: string, error: unknown) => void
  }) {
    this.#store = options.store
    this.#collections = options.collections
    this.#log = options.onTrouble
  }

  get revision(): Revision {
    return this.#revision
  }

  /** The revision of the newest change of configuration: what the API calls cluster-state-id. */
  get stateId(): Revision {
    return this.#stateId
  }

  /** Rejects with StoreTrouble, and when a document cannot be read. */
  async start(): Promise<void> {
    const { revision, entries } = await this.#store.snapshot('')
    this.#takeSnapshot(revision, entries)
    // To go on without them would look as if they had been deleted, and their data would follow.
    if (this.#unreadable.size > 0) {
      const [first] = this.#unreadable
      throw new Error(
        `${this.#unreadable.size} documents of the state cannot be read, ${first} for one: is cluster.key the one that they were written with?`,
      )
    }
    this.#follow()
  }

  close(): void {
    this.#closed = true
    this.#watch?.close()
  }

  onChange(listener: ViewListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Writes and waits until this memory shows it. `configuration` marks changes that people made: they move the
   * cluster-state-id. `ifStateId` refuses the write when the configuration has moved on. Rejects with StoreTrouble.
   */
  async commit(transaction: {
    compare: readonly Compare[]
    changes: readonly Change[]
    configuration: boolean
    ifStateId?: number | undefined
  }): Promise<Outcome> {
    const compare = [...transaction.compare]
    if (transaction.ifStateId !== undefined) compare.push({ key: STATE_KEY, modRevision: transaction.ifStateId })
    const changes = [...transaction.changes]
    if (transaction.configuration) changes.push({ kind: 'put', key: STATE_KEY, value: '' })
    const outcome = await this.#store.commit({ compare, changes })
    // After a refused compare the caller reads again: it must then see what refused it.
    await this.reached(outcome.revision)
    return outcome
  }

  /** Resolves when this memory has taken in `revision`. */
  async reached(revision: Revision): Promise<void> {
    if (this.#revision >= revision) return
    const seen = Promise.withResolvers<void>()
    const entry = { revision, wake: seen.resolve }
    this.#waiting.add(entry)
    const timer = setTimeout(
      () => seen.reject(new StoreTrouble('unknown', 'the change was written but has not been seen back in time')),
      SEE_OWN_WRITE_MS,
    )
    try {
      await seen.promise
    } finally {
      clearTimeout(timer)
      this.#waiting.delete(entry)
    }
  }

  #follow(): void {
    this.#watch = this.#store.watch('', this.#revision, {
      onBatch: (batch) => this.#takeBatch(batch),
      onLost: (reason) => {
        this.#log('the watch on the state was lost: reading all of it again', reason)
        void this.#resnapshot()
      },
    })
  }

  async #resnapshot(): Promise<void> {
    while (!this.#closed) {
      try {
        const { revision, entries } = await this.#store.snapshot('')
        if (this.#closed) return
        this.#takeSnapshot(revision, entries)
        return this.#follow()
      } catch (error) {
        this.#log('the state cannot be read; trying again', error)
        await new Promise((resolve) => setTimeout(resolve, RESNAPSHOT_PAUSE_MS))
      }
    }
  }

  #takeSnapshot(revision: Revision, entries: readonly Entry[]): void {
    const present = new Set<string>()
    const changed: [Mirrored, string][] = []
    for (const entry of entries) {
      present.add(entry.key)
      if (entry.key === STATE_KEY) this.#stateId = entry.modRevision
      const place = this.#placeOf(entry.key)
      if (!place || place[0].revisionOf(place[1]) === entry.modRevision) continue
      this.#apply(place, entry.value, entry.modRevision)
      changed.push(place)
    }
    for (const collection of this.#collections) {
      for (const id of collection.ids()) {
        if (present.has(collection.prefix + id)) continue
        this.#apply([collection, id], null, revision)
        changed.push([collection, id])
      }
    }
    this.#announce(revision, changed)
  }

  #takeBatch(batch: WatchBatch): void {
    const changed: [Mirrored, string][] = []
    for (const event of batch.events) {
      if (event.key === STATE_KEY) this.#stateId = batch.revision
      const place = this.#placeOf(event.key)
      if (!place) continue
      this.#apply(place, event.value, batch.revision)
      changed.push(place)
    }
    this.#announce(batch.revision, changed)
  }

  /** A document that cannot be read must not take the others down with it: the last readable one stays. */
  #apply([collection, id]: [Mirrored, string], text: string | null, revision: Revision): void {
    try {
      collection.apply(id, text, revision)
    } catch (error) {
      this.#unreadable.add(collection.prefix + id)
      this.#log(`the stored document ${collection.prefix}${id} cannot be read and is left out`, error)
    }
  }

  #announce(revision: Revision, changed: readonly [Mirrored, string][]): void {
    this.#revision = revision
    for (const waiting of this.#waiting) if (waiting.revision <= revision) waiting.wake()
    for (const [collection, id] of changed) for (const listener of this.#listeners) listener(collection, id, revision)
  }

  #placeOf(key: string): [Mirrored, string] | undefined {
    for (const collection of this.#collections) {
      if (key.startsWith(collection.prefix)) return [collection, key.slice(collection.prefix.length)]
    }
    return undefined
  }
}
