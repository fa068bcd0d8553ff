/**
 * The side of the embedded store that touches the disk, in a thread of its own, so that an fsync never stops the API.
 * What waits in the queue is committed together: one fsync for all of it, but each transaction with its own compares
 * and its own revision. Only sqlite.ts talks to it.
 *
 * The file belongs to one process (the caller holds a lock on its folder), so it is opened in exclusive mode, which also
 * spares the shared-memory file, and with it a crash when the disk is full.
 */
import { accessSync, chmodSync, closeSync, constants, existsSync, openSync, statfsSync } from 'node:fs'
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
  /** The file, read anew, holds changes up to here that no batch told of. */
  | { readonly kind: 'history-lost'; readonly revision: Revision }
  | { readonly kind: 'outcome'; readonly id: number; readonly outcome: Outcome }
  | {
      readonly kind: 'snapshot'
      readonly id: number
      readonly revision: Revision
      readonly entries: readonly Entry[]
    }
  | { readonly kind: 'trouble'; readonly id: number; readonly trouble: TroubleKind; readonly message: string }
  | { readonly kind: 'done'; readonly id: number }

const SQLITE_READONLY = 8
const SQLITE_FULL = 13
/** The bytes are written, but perhaps not on the disk: only who reads the file anew knows. */
const SQLITE_IOERR_FSYNC = 1034

const APPLICATION_ID = 0x484f4c44
const SCHEMA = `
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, modRevision INTEGER NOT NULL, lease TEXT) WITHOUT ROWID;
  CREATE TABLE head (id INTEGER PRIMARY KEY CHECK (id = 1), revision INTEGER NOT NULL);
  INSERT INTO head VALUES (1, 1);
`

type WriteRequest = Extract<WorkerRequest, { kind: 'commit' | 'revoke' }>

class Database {
  readonly #db: DatabaseSync
  readonly #read: StatementSync
  readonly #put: StatementSync
  readonly #delete: StatementSync
  readonly #leased: StatementSync
  readonly #from: StatementSync
  readonly #advance: StatementSync
  revision: Revision

  constructor(db: DatabaseSync) {
    this.#db = db
    db.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;')
    const { application_id } = db.prepare('PRAGMA application_id').get() ?? {}
    const { tables } = db.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() ?? {}
    if (application_id !== APPLICATION_ID && tables !== 0) throw new Error('it is a database of another program')
    // Written only once, so that a full disk does not keep anybody from reading.
    if (tables === 0) db.exec(`BEGIN; PRAGMA application_id = ${APPLICATION_ID}; ${SCHEMA} COMMIT;`)
    this.#read = db.prepare('SELECT modRevision FROM entries WHERE key = ?')
    this.#put = db.prepare('INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)')
    this.#delete = db.prepare('DELETE FROM entries WHERE key = ?')
    this.#leased = db.prepare('SELECT key FROM entries WHERE lease = ?')
    this.#from = db.prepare('SELECT key, value, modRevision FROM entries WHERE key >= ? ORDER BY key')
    this.#advance = db.prepare('UPDATE head SET revision = ?')
    this.revision = Number(db.prepare('SELECT revision FROM head').get()?.revision)
  }

  close(): void {
    this.#db.close()
  }

  snapshot(prefix: string): Entry[] {
    const entries: Entry[] = []
    for (const row of this.#from.iterate(prefix)) {
      const key = String(row.key)
      // Keys are in the order of their bytes, so that all which begin alike stand together.
      if (!key.startsWith(prefix)) break
      entries.push({ key, value: String(row.value), modRevision: Number(row.modRevision) })
    }
    return entries
  }

  /** Every lease that some key was put with. */
  leases(): string[] {
    const rows = this.#db.prepare('SELECT DISTINCT lease FROM entries WHERE lease IS NOT NULL').all()
    return rows.map(({ lease }) => String(lease))
  }

  /** Removes what the ended leases held, then does what is asked: one fsync for all. When it throws, nothing happened. */
  write(endedLeases: Iterable<string>, requests: readonly WriteRequest[]) {
    const before = this.revision
    const batches: WatchBatch[] = []
    this.#db.exec('BEGIN IMMEDIATE')
    try {
      for (const lease of endedLeases) this.#one(this.#revocation(lease), batches)
      const outcomes = requests.map((request) =>
        this.#one(request.kind === 'commit' ? request.transaction : this.#revocation(request.lease), batches),
      )
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

  #one({ compare, changes }: Transaction, batches: WatchBatch[]): Outcome {
    if (!compare.every((condition) => this.#holds(condition))) return { committed: false, revision: this.revision }
    const revision = this.revision + 1
    const events = changes.flatMap((change) => this.#change(change, revision) ?? [])
    if (events.length === 0) return { committed: true, revision: this.revision }
    this.revision = revision
    batches.push({ revision, events })
    return { committed: true, revision }
  }

  /** Made only when its turn has come: a put with this lease may stand before it in the same group. */
  #revocation(lease: string): Transaction {
    const rows = this.#leased.all(lease)
    return { compare: [], changes: rows.map(({ key }) => ({ kind: 'delete', key: String(key) })) }
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
}

const port = parentPort
if (!port) throw new Error('this file runs as a worker of sqlite.ts')
const { path }: { path: string } = workerData
const reply = (message: WorkerReply) => port.postMessage(message)

let database: Database | undefined
/** The newest that the other side knows of. */
let revision: Revision = 0
let queue: WorkerRequest[] = []
/** Their keys are still there, because there was no writing when they ended; the next write removes them. */
const endedLeases = new Set<string>()

try {
  makePrivate()
  database = openDatabase()
  for (const lease of database.leases()) endedLeases.add(lease)
  endLeftLeases(database)
  revision = database.revision
  reply({ kind: 'opened', revision })
} catch (error) {
  reply({ kind: 'failed-to-open', trouble: troubleOf(error), message: messageOf(error) })
}

port.on('message', (request: WorkerRequest) => {
  queue.push(request)
  // One turn of the loop later everything that was sent meanwhile is here as well.
  if (queue.length === 1) setImmediate(drain)
})

function drain(): void {
  const requests = queue
  queue = []
  writeAll(requests.filter((request) => request.kind === 'commit' || request.kind === 'revoke'))
  for (const request of requests) {
    if (request.kind === 'snapshot') answerSnapshot(request.id, request.prefix)
    if (request.kind === 'close') {
      closeDatabase()
      reply({ kind: 'done', id: request.id })
    }
  }
}

function writeAll(requests: readonly WriteRequest[]): void {
  if (requests.length === 0) return
  try {
    const current = currentDatabase()
    const { outcomes, batches } = current.write(endedLeases, requests)
    endedLeases.clear()
    revision = current.revision
    if (batches.length > 0) reply({ kind: 'batches', batches })
    for (const [index, outcome] of outcomes.entries()) {
      const request = requests[index]
      if (request) reply({ kind: 'outcome', id: request.id, outcome })
    }
  } catch (error) {
    for (const request of requests) if (request.kind === 'revoke') endedLeases.add(request.lease)
    const trouble = troubleOf(error)
    // This connection may not know the file any more: a new one is the way on, and learns what has happened.
    if (trouble === 'unreachable' || trouble === 'unknown') closeDatabase()
    for (const { id } of requests) reply({ kind: 'trouble', id, trouble, message: messageOf(error) })
  }
}

function answerSnapshot(id: number, prefix: string): void {
  try {
    const current = currentDatabase()
    reply({ kind: 'snapshot', id, revision: current.revision, entries: current.snapshot(prefix) })
  } catch (error) {
    closeDatabase()
    reply({ kind: 'trouble', id, trouble: 'unreachable', message: messageOf(error) })
  }
}

function currentDatabase(): Database {
  database ??= reopenDatabase()
  return database
}

/** Leases live on: they are of this process. What is in the file must be what we left there, or newer. */
function reopenDatabase(): Database {
  // An empty one made in its place would look as if everything had been deleted.
  if (!existsSync(path)) throw new Error('it is not there any more')
  const reopened = openDatabase()
  if (reopened.revision < revision) {
    reopened.close()
    throw new Error(`it holds revision ${reopened.revision}, but ${revision} was written: it is not the same file`)
  }
  if (reopened.revision > revision) {
    revision = reopened.revision
    reply({ kind: 'history-lost', revision })
  }
  return reopened
}

function openDatabase(): Database {
  const db = new DatabaseSync(path, { timeout: 1_000 })
  try {
    return new Database(db)
  } catch (error) {
    db.close()
    throw error
  }
}

function closeDatabase(): void {
  try {
    database?.close()
  } catch {
    // It was of no use any more.
  }
  database = undefined
}

/** SQLite makes its files as readable as the umask lets it, and the journal as readable as the database. */
function makePrivate(): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
  }
  for (const file of [path, `${path}-wal`]) if (existsSync(file)) chmodSync(file, 0o600)
}

/** Leases are of the process that took them; whoever opens the file anew has outlived them all. */
function endLeftLeases(opened: Database): void {
  if (endedLeases.size === 0) return
  try {
    opened.write(endedLeases, [])
    endedLeases.clear()
  } catch (error) {
    // Without room they stay until the next write; who leads next takes its key over.
    if (!['full', 'read-only'].includes(troubleOf(error))) throw error
  }
}

function troubleOf(error: unknown): TroubleKind {
  const extended = error instanceof Error && 'errcode' in error ? Number(error.errcode) : 0
  if (extended === SQLITE_IOERR_FSYNC) return 'unknown'
  if ((extended & 0xff) === SQLITE_FULL || codeOf(error) === 'ENOSPC') return 'full'
  if ((extended & 0xff) === SQLITE_READONLY || codeOf(error) === 'EROFS') return 'read-only'
  return troubleOfFolder(dirname(path))
}

/** SQLite calls much an I/O error, or that it cannot open the file; the folder knows more. */
function troubleOfFolder(folder: string): TroubleKind {
  try {
    accessSync(folder, constants.W_OK)
    return statfsSync(folder).bavail === 0 ? 'full' : 'unreachable'
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'unreachable' : 'read-only'
  }
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
