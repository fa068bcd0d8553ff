/**
 * The side of the embedded store that touches the disk, in a thread of its own, so that an fsync never stops the API.
 * What waits in the queue is committed together: one fsync for all of it, but each transaction with its own compares
 * and its own revision. Only sqlite.ts talks to it.
 *
 * The file belongs to one process (the caller holds a lock on its folder), so it is opened in exclusive mode, which also
 * spares the shared-memory file, and with it a crash when the disk is full.
 */
import { accessSync, chmodSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import { parentPort, workerData } from 'node:worker_threads'
import type {
  Change,
  Compare,
  Entry,
  Outcome,
  Revision,
  Transaction,
  TroubleKind,
  WatchBatch,
  WatchEvent,
} from './contract.ts'

export type WorkerRequest =
  | { readonly id: number; readonly kind: 'commit'; readonly transaction: Transaction }
  | { readonly id: number; readonly kind: 'snapshot'; readonly prefix: string }
  | { readonly id: number; readonly kind: 'revoke'; readonly lease: string }
  | { readonly id: number; readonly kind: 'close' }

export type WorkerReply =
  | { readonly kind: 'opened'; readonly revision: Revision }
  | { readonly kind: 'failed-to-open'; readonly trouble: TroubleKind; readonly message: string }
  /** What the changes were comes before the answers to those who made them. */
  | { readonly kind: 'batches'; readonly batches: readonly WatchBatch[] }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome }
  | {
      readonly kind: 'snapshot'
      readonly id: number
      readonly revision: Revision
      readonly entries: readonly Entry[]
    }
  | { readonly kind: 'trouble'; readonly id: number; readonly trouble: TroubleKind; readonly message: string }
  | { readonly kind: 'done'; readonly id: number }

const APPLICATION_ID = 0x484f4c44
const SCHEMA = `
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, modRevision INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
  CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
  INSERT INTO head VALUES (1, 1);
`

class Database {
  readonly #path: string
  readonly #db: DatabaseSync
  readonly #read: StatementSync
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #leased: StatementSync
  readonly #below: StatementSync
  readonly #advance: StatementSync
  revision: Revision

  constructor(path: string) {
    this.#path = path
    this.#db = new DatabaseSync(path, { timeout: 1_000 })
    this.#db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    const { application_id } = this.#db.prepare('PRAGMA application_id').get() ?? {}
    const { tables } = this.#db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {}
    if (application_id !== APPLICATION_ID && tables !== 0) throw new Error('it is a database of another program')
    // Written only once, so that a full disk does not keep anybody from reading.
    if (tables === 0) this.#db.exec(`BEGIN; PRAGMA application_id = ${APPLICATION_ID}; ${SCHEMA} COMMIT;`)
    chmodSync(path, 0o600)
    this.#read = this.#db.prepare('SELECT modRevision FROM entries WHERE key = ?')
    this.#put = this.#db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)')
    this.#delete = this.#db.prepare('DELETE FROM entries WHERE key = ?')
    this.#leased = this.#db.prepare('SELECT key FROM entries WHERE lease = ?')
    this.#below = this.#db.prepare(
      'SELECT key, value, modRevision FROM entries WHERE key >= ? AND substr(key, 1, ?) = ?',
    )
    this.#advance = this.#db.prepare('UPDATE head SET revision = ?')
    this.revision = Number(this.#db.prepare('SELECT revision FROM head').get()?.revision)
    this.#dropOldLeases()
  }

  close(): void {
    this.#db.close()
  }

  snapshot(prefix: string): Entry[] {
    const rows = this.#below.all(prefix, [...prefix].length, prefix)
    return rows.map((row) => ({ key: String(row.key), value: String(row.value), modRevision: Number(row.modRevision) }))
  }

  /** All of them under one fsync. Throws when that fails; then none of them happened. */
  commit(transactions: readonly Transaction[]): { outcomes: Outcome[]; batches: WatchBatch[] } {
    const before = this.revision
    const batches: WatchBatch[] = []
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      const outcomes = transactions.map((transaction) => this.#one(transaction, batches))
      if (this.revision !== before) this.#advance.run(this.revision)
      this.#db.exec('COMMIT')
      return { outcomes, batches }
    } catch (error) {
      this.revision = before
      // After some errors SQLite has rolled back already.
      if (this.#db.isTransaction) this.#db.exec('ROLLBACK')
      throw error
    }
  }

  keysOf(lease: string): string[] {
    return this.#leased.all(lease).map((row) => String(row.key))
  }

  troubleOf(error: unknown): TroubleKind {
    const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
    if (code === SQLITE_FULL) return 'full'
    if (code === SQLITE_READONLY) return 'read-only'
    try {
      accessSync(dirname(this.#path), constants.W_OK)
      return 'unreachable'
    } catch {
      return 'read-only'
    }
  }

  #one({ compare, changes }: Transaction, batches: WatchBatch[]): Outcome {
    if (!compare.every((condition) => this.#holds(condition))) return { committed: false, revision: this.revision }
    const revision = this.revision + 1
    const events = changes.flatMap((change) => this.#change(change, revision) ?? [])
    if (events.length === 0) return { committed: true, revision: this.revision }
    this.revision = revision
    batches.push({ revision, events })
    return { committed: true, revision }
  }

  /** Undefined when it changed nothing. */
  #change(change: Change, revision: Revision): WatchEvent | undefined {
    const { key } = change
    if (change.kind === 'put') {
      this.#put.run(key, change.value, revision, change.lease ?? null)
      return { key, value: change.value }
    }
    return this.#delete.run(key).changes > 0 ? { key, value: null } : undefined
  }

  #holds({ key, modRevision }: Compare): boolean {
    return Number(this.#read.get(key)?.modRevision ?? 0) === modRevision
  }

  /** Leases are of the process that took them; whoever opens the file anew has outlived them all. */
  #dropOldLeases(): void {
    const keys = this.#db.prepare('SELECT key FROM entries WHERE lease IS NOT NULL').all()
    if (keys.length === 0) return
    try {
      this.commit([{ compare: [], changes: keys.map((row) => ({ kind: 'delete', key: String(row.key) })) }])
    } catch (error) {
      // On a full disk they stay for now; who leads next takes its key over.
      if (this.troubleOf(error) === 'unreachable') throw error
    }
  }
}

const SQLITE_READONLY = 8
const SQLITE_FULL = 13

const port = parentPort
if (!port) throw new Error('this file runs as a worker of sqlite.ts')
const { path }: { path: string } = workerData
const reply = (message: WorkerReply) => port.postMessage(message)

let database: Database | undefined
let queue: WorkerRequest[] = []

try {
  database = new Database(path)
  reply({ kind: 'opened', revision: database.revision })
} catch (error) {
  const message = error instanceof Error ? error.message : String(error)
  const code = error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : 0
  const trouble = code === SQLITE_FULL ? 'full' : code === SQLITE_READONLY ? 'read-only' : 'unreachable'
  reply({ kind: 'failed-to-open', trouble, message })
}

port.on('message', (request: WorkerRequest) => {
  queue.push(request)
  // One turn of the loop later everything that was sent meanwhile is here as well.
  if (queue.length === 1) setImmediate(drain)
})

function drain(): void {
  const requests = queue
  queue = []
  const commits = requests.flatMap((request) => asCommit(request) ?? [])
  commitAll(commits)
  for (const request of requests) {
    if (request.kind === 'snapshot') answerSnapshot(request.id, request.prefix)
    if (request.kind === 'close') {
      database?.close()
      database = undefined
      reply({ kind: 'done', id: request.id })
    }
  }
}

type Commit = { readonly id: number; readonly transaction: Transaction; readonly isRevocation: boolean }

function asCommit(request: WorkerRequest): Commit | undefined {
  if (request.kind === 'commit') return { id: request.id, transaction: request.transaction, isRevocation: false }
  if (request.kind !== 'revoke') return undefined
  const keys = database?.keysOf(request.lease) ?? []
  const changes = keys.map((key) => ({ kind: 'delete' as const, key }))
  return { id: request.id, transaction: { compare: [], changes }, isRevocation: true }
}

function commitAll(commits: readonly Commit[]): void {
  if (commits.length === 0) return
  try {
    // An error of the disk may have left the connection unusable: then a new one is the way on.
    database ??= new Database(path)
    const { outcomes, batches } = database.commit(commits.map(({ transaction }) => transaction))
    if (batches.length > 0) reply({ kind: 'batches', batches })
    for (const [index, { id, isRevocation }] of commits.entries()) {
      const outcome = outcomes[index]
      if (isRevocation) reply({ kind: 'done', id })
      else if (outcome) reply({ kind: 'outcome', id, outcome })
    }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    const trouble = database?.troubleOf(error) ?? 'unreachable'
    if (trouble === 'unreachable') reopenNextTime()
    for (const { id } of commits) reply({ kind: 'trouble', id, trouble, message })
  }
}

/** A connection that has met an error of the disk may not know the file any more. */
function reopenNextTime(): void {
  try {
    database?.close()
  } catch {
    // It was of no use any more.
  }
  database = undefined
}

function answerSnapshot(id: number, prefix: string): void {
  try {
    database ??= new Database(path)
    reply({ kind: 'snapshot', id, revision: database.revision, entries: database.snapshot(prefix) })
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    reply({ kind: 'trouble', id, trouble: 'unreachable', message })
  }
}
