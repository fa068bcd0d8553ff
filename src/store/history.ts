/**
 * What was changed lately, and who wants to know: the watches of a store that lives in this process. Bounded; whoever
 * asks for more than is remembered is told to take a new snapshot.
 */
import type { Revision, Watch, WatchBatch, WatchHandlers } from './contract.ts'

/** Only a watch that begins while others write needs any of it; each may hold a whole database document. */
const REMEMBERED = 500

type Watcher = { readonly prefix: string; readonly handlers: WatchHandlers; next: Revision; isClosed: boolean }

export class History {
  readonly #batches: WatchBatch[] = []
  readonly #watchers = new Set<Watcher>()
  /** Nothing up to here is remembered. */
  #forgotten: Revision

  constructor(revision: Revision) {
    this.#forgotten = revision
  }

  record(batches: readonly WatchBatch[]): void {
    this.#batches.push(...batches)
    if (this.#batches.length > REMEMBERED) {
      const dropped = this.#batches.splice(0, this.#batches.length - REMEMBERED)
      this.#forgotten = dropped.at(-1)?.revision ?? this.#forgotten
    }
    for (const watcher of this.#watchers) this.#deliver(watcher, batches)
  }

  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch {
    const watcher: Watcher = { prefix, handlers, next: afterRevision + 1, isClosed: false }
    const close = () => {
      watcher.isClosed = true
      this.#watchers.delete(watcher)
    }
    // Never from within the call: the caller has not got its watch yet.
    queueMicrotask(() => {
      if (watcher.isClosed) return
      if (afterRevision < this.#forgotten) {
        close()
        return handlers.onLost(new Error(`changes up to revision ${this.#forgotten} are not remembered any more`))
      }
      this.#watchers.add(watcher)
      this.#deliver(watcher, this.#batches)
    })
    return { close }
  }

  /** Nothing will be delivered any more. */
  close(): void {
    for (const watcher of this.#watchers) watcher.isClosed = true
    this.#watchers.clear()
  }

  #deliver(watcher: Watcher, batches: readonly WatchBatch[]): void {
    for (const { revision, events } of batches) {
      if (revision < watcher.next) continue
      watcher.next = revision + 1
      const wanted = events.filter(({ key }) => key.startsWith(watcher.prefix))
      if (wanted.length > 0 && !watcher.isClosed) watcher.handlers.onBatch({ revision, events: wanted })
    }
  }
}
