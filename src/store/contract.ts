/**
 * What the control plane asks of the place where its state lives: etcd's model, small enough that an embedded
 * database can be it too. Callers: the in-memory view and the typed collections, nobody else.
 *
 * Every change is one transaction with compares; each committed transaction gets one revision, larger than every
 * revision before it, also after a restart. Nothing here may assume that the store is local or synchronous.
 *
 * Errors: every method may reject with StoreTrouble (the world's fault: disk full, connection lost, closed). A
 * rejected `commit` of kind 'unknown' may or may not have happened; every other rejection means that it did not.
 */

export type Revision = number

/** A stored value. `modRevision` is the revision of the transaction that last wrote it. */
export type Entry = { readonly key: string; readonly value: string; readonly modRevision: Revision }

/** Holds when the key's `modRevision` is the one given; 0 means that the key must not exist. */
export type Compare = { readonly key: string; readonly modRevision: Revision }

export type Change =
  | { readonly kind: 'put'; readonly key: string; readonly value: string; readonly lease?: string }
  | { readonly kind: 'delete'; readonly key: string }

/**
 * All compares hold and all changes happen, or none. A key may stand in `changes` once. At most 100 changes. To delete
 * what is not there is no change, and a transaction without any change has no revision of its own.
 */
export type Transaction = { readonly compare: readonly Compare[]; readonly changes: readonly Change[] }

/**
 * `committed: false` says that a compare did not hold and nothing was written. `revision` is one that a watch shows: the
 * transaction's own, or, where nothing was changed, one that the transaction has seen.
 */
export type Outcome =
  | { readonly committed: true; readonly revision: Revision }
  | { readonly committed: false; readonly revision: Revision }

/** `value: null` is a deletion. */
export type WatchEvent = { readonly key: string; readonly value: string | null }

/** All that one revision changed below the watched prefix; never split over two batches. */
export type WatchBatch = { readonly revision: Revision; readonly events: readonly WatchEvent[] }

export type WatchHandlers = {
  /** Called in order of revision, each revision once, without gaps. */
  readonly onBatch: (batch: WatchBatch) => void
  /** The watch cannot go on without a gap (history compacted, watch cancelled): take a new snapshot. Called once. */
  readonly onLost: (reason: Error) => void
}

export type Watch = { close(): void }

/**
 * A lease keeps itself alive until it is revoked, or until its process dies: then the keys put with it vanish within
 * about `ttlMs`. `lost` resolves when the lease is gone for any reason; by then its holder must have stopped acting.
 */
export type Lease = { readonly id: string; readonly lost: Promise<void>; revoke(): Promise<void> }

export interface Store {
  /** Everything below `prefix`, as of one revision. */
  snapshot(prefix: string): Promise<{ readonly revision: Revision; readonly entries: readonly Entry[] }>
  commit(transaction: Transaction): Promise<Outcome>
  /** Every change below `prefix` after `afterRevision`. */
  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch
  grantLease(ttlMs: number): Promise<Lease>
  close(): Promise<void>
}

export type TroubleKind =
  /** No room on the disk. */
  | 'full'
  /** The file or its file system cannot be written. */
  | 'read-only'
  /** The store does not answer, or the answer is not worth waiting for any longer. Nothing was written. */
  | 'unreachable'
  /** Sent, but no answer came: it may have been written. */
  | 'unknown'
  /** `close` was called. */
  | 'closed'

/** The world's fault, told in words for an operator; the cause is kept. */
export class StoreTrouble extends Error {
  override name = 'StoreTrouble'
  readonly kind: TroubleKind
  constructor(kind: TroubleKind, message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}
