/**
 * The store in memory: for the tests of whoever uses a store, and the plainest statement of what the contract means.
 */
import { randomUUID } from 'node:crypto'
import type {
  Change,
  Compare,
  Entry,
  Lease,
  Outcome,
  Revision,
  Store,
  Transaction,
  Watch,
  WatchHandlers,
} from './contract.ts'
import { StoreTrouble } from './contract.ts'
import { History } from './history.ts'

export class MemoryStore implements Store {
  readonly #entries = new Map<string, Entry & { readonly lease: string | undefined }>()
  readonly #history = new History(1)
  readonly #leases = new Map<string, () => void>()
  #revision: Revision = 1
  #isClosed = false

  async snapshot(prefix: string): Promise<{ revision: Revision; entries: readonly Entry[] }> {
    await this.#opened()
    const below = [...this.#entries.values()].filter(({ key }) => key.startsWith(prefix))
    return {
      revision: this.#revision,
      entries: below.map(({ key, value, modRevision }) => ({ key, value, modRevision })),
    }
  }

  async commit({ compare, changes }: Transaction): Promise<Outcome> {
    await this.#opened()
    if (!changes.every((change) => this.#isLeaseAlive(change))) {
      throw new StoreTrouble('unreachable', 'the lease of what was to be put is gone')
    }
    if (!compare.every((condition) => this.#holds(condition))) return { committed: false, revision: this.#revision }
    const effective = changes.filter((change) => change.kind === 'put' || this.#entries.has(change.key))
    if (effective.length === 0) return { committed: true, revision: this.#revision }
    const revision = ++this.#revision
    for (const change of effective) this.#apply(change, revision)
    const events = effective.map((change) => ({ key: change.key, value: change.kind === 'put' ? change.value : null }))
    this.#history.record([{ revision, events }])
    return { committed: true, revision }
  }

  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch {
    return this.#history.watch(prefix, afterRevision, handlers)
  }

  /** There is nobody else who could take over, so that a lease ends with the store and not by time. */
  async grantLease(_ttlMs: number): Promise<Lease> {
    await this.#opened()
    const lost = Promise.withResolvers<void>()
    const id = randomUUID()
    this.#leases.set(id, lost.resolve)
    const revoke = async () => {
      lost.resolve()
      await this.#opened()
      if (!this.#leases.delete(id)) return
      const keys = [...this.#entries.values()].filter((entry) => entry.lease === id)
      await this.commit({ compare: [], changes: keys.map(({ key }) => ({ kind: 'delete', key })) })
    }
    return { id, lost: lost.promise, revoke }
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#history.close()
    for (const lost of this.#leases.values()) lost()
  }

  #apply(change: Change, modRevision: Revision): void {
    const { key } = change
    if (change.kind === 'delete') this.#entries.delete(key)
    else this.#entries.set(key, { key, value: change.value, modRevision, lease: change.lease })
  }

  #holds({ key, modRevision }: Compare): boolean {
    return (this.#entries.get(key)?.modRevision ?? 0) === modRevision
  }

  #isLeaseAlive(change: Change): boolean {
    return change.kind === 'delete' || change.lease === undefined || this.#leases.has(change.lease)
  }

  /** Never within the call, like any other store: a handler that commits must not overtake the batch it was told of. */
  async #opened(): Promise<void> {
    await Promise.resolve()
    if (this.#isClosed) throw new StoreTrouble('closed', 'the store is closed')
  }
}
