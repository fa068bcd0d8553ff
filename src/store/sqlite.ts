/**
 * The embedded store: one SQLite file, no service to run. What is committed is on the disk (WAL, synchronous=FULL) before
 * the promise resolves. All of its work happens in a worker; this side keeps the watches and the promises.
 */
import { randomUUID } from 'node:crypto'
import { Worker } from 'node:worker_threads'
import type { Change, Entry, Lease, Outcome, Revision, Store, Transaction, Watch, WatchHandlers } from './contract.ts'
import { StoreTrouble } from './contract.ts'
import { History } from './history.ts'
import type { WorkerReply, WorkerRequest } from './sqlite-worker.ts'

/** Rejects with StoreTrouble when the file cannot be opened, or is not ours. */
export async function openSqliteStore(path: string): Promise<Store> {
  // Not with our own arguments: they may say how to read the main program.
  const execArgv = ['--disable-warning=ExperimentalWarning']
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: { path },
    execArgv,
    // It moves texts through and keeps nothing: a small nursery is enough.
    resourceLimits: { maxYoungGenerationSizeMb: 4 },
  })
  const revision = await new Promise<Revision>((resolve, reject) => {
    worker.once('error', (error) =>
      reject(new StoreTrouble('unreachable', `${path} cannot be opened`, { cause: error })),
    )
    worker.once('message', (reply: WorkerReply) => {
      if (reply.kind === 'opened') return resolve(reply.revision)
      const [kind, why] =
        reply.kind === 'failed-to-open' ? [reply.trouble, reply.message] : (['unreachable', ''] as const)
      reject(new StoreTrouble(kind, `the state file ${path} cannot be opened: ${why}`))
    })
  }).catch(async (error) => {
    await worker.terminate()
    throw error
  })
  return new SqliteStore(worker, revision)
}

type Answer = { readonly resolve: (reply: WorkerReply) => void; readonly reject: (error: StoreTrouble) => void }
/** A request as it is before it has its number; distributed over the union, so that each keeps its own fields. */
type Unnumbered = WorkerRequest extends infer R ? (R extends { id: number } ? Omit<R, 'id'> : never) : never

class SqliteStore implements Store {
  readonly #worker: Worker
  readonly #waiting = new Map<number, Answer>()
  readonly #leases = new Map<string, () => void>()
  readonly #watches = new Map<Watch, WatchHandlers['onLost']>()
  #history: History
  #lastId = 0
  #trouble: StoreTrouble | undefined
  #closed: Promise<void> | undefined

  constructor(worker: Worker, revision: Revision) {
    this.#worker = worker
    this.#history = new History(revision)
    worker.on('message', (reply: WorkerReply) => this.#receive(reply))
    worker.on('error', (error) => this.#fail(error))
    worker.on('exit', (code) => this.#fail(new Error(`its worker ended with ${code}`)))
  }

  async snapshot(prefix: string): Promise<{ revision: Revision; entries: readonly Entry[] }> {
    const reply = await this.#ask({ kind: 'snapshot', prefix })
    if (reply.kind !== 'snapshot') throw unexpected(reply)
    return { revision: reply.revision, entries: reply.entries }
  }

  async commit(transaction: Transaction): Promise<Outcome> {
    if (!transaction.changes.every((change) => this.#isLeaseAlive(change))) {
      throw this.#trouble ?? new StoreTrouble('unreachable', 'the lease of what was to be put is gone')
    }
    const reply = await this.#ask({ kind: 'commit', transaction })
    if (reply.kind !== 'outcome') throw unexpected(reply)
    return reply.outcome
  }

  watch(prefix: string, afterRevision: Revision, handlers: WatchHandlers): Watch {
    const forget = () => this.#watches.delete(watch)
    const remembered = this.#history.watch(prefix, afterRevision, {
      onBatch: handlers.onBatch,
      onLost: (reason) => {
        forget()
        handlers.onLost(reason)
      },
    })
    const close = () => {
      forget()
      remembered.close()
    }
    const watch: Watch = { close }
    this.#watches.set(watch, handlers.onLost)
    return watch
  }

  /** There is nobody else who could take over, so that a lease ends with this process and not by time. */
  async grantLease(_ttlMs: number): Promise<Lease> {
    if (this.#trouble) throw this.#trouble
    const lost = Promise.withResolvers<void>()
    // Not a number that counts up: what an earlier process left may still wait to be removed from a full disk.
    const id = randomUUID()
    this.#leases.set(id, lost.resolve)
    const revoke = async () => {
      lost.resolve()
      if (this.#leases.delete(id)) await this.#ask({ kind: 'revoke', lease: id })
    }
    return { id, lost: lost.promise, revoke }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    const closed = this.#ask({ kind: 'close' })
    this.#trouble ??= new StoreTrouble('closed', 'the store is closed')
    this.#history.close()
    this.#watches.clear()
    await closed.catch(() => undefined)
    for (const lost of this.#leases.values()) lost()
    await this.#worker.terminate()
  }

  #isLeaseAlive(change: Change): boolean {
    return change.kind === 'delete' || change.lease === undefined || this.#leases.has(change.lease)
  }

  #ask(request: Unnumbered): Promise<WorkerReply> {
    if (this.#trouble) return Promise.reject(this.#trouble)
    const id = ++this.#lastId
    const answer = Promise.withResolvers<WorkerReply>()
    this.#waiting.set(id, answer)
    this.#worker.postMessage({ ...request, id })
    return answer.promise
  }

  #receive(reply: WorkerReply): void {
    if (reply.kind === 'batches') this.#history.record(reply.batches)
    if (reply.kind === 'history-lost') this.#loseWatches(reply.revision)
    if (!('id' in reply)) return
    const waiting = this.#waiting.get(reply.id)
    this.#waiting.delete(reply.id)
    if (reply.kind === 'trouble') waiting?.reject(new StoreTrouble(reply.trouble, reply.message))
    else waiting?.resolve(reply)
  }

  /** There are changes that nobody was told of: the memory of changes begins anew. */
  #loseWatches(revision: Revision): void {
    const watches = [...this.#watches]
    this.#history.close()
    this.#history = new History(revision)
    for (const [watch, onLost] of watches) {
      watch.close()
      onLost(new Error('a change that was answered with an error is in the file after all'))
    }
  }

  /** A fault of ours. What was under way may have happened; nothing that comes later will. */
  #fail(cause: unknown): void {
    const isExpected = this.#trouble?.kind === 'closed'
    this.#trouble ??= new StoreTrouble('unreachable', 'the store broke down', { cause })
    for (const lost of this.#leases.values()) lost()
    const unanswered = isExpected ? this.#trouble : new StoreTrouble('unknown', 'the store broke down', { cause })
    for (const { reject } of this.#waiting.values()) reject(unanswered)
    this.#waiting.clear()
  }
}

function unexpected(reply: WorkerReply): Error {
  return new Error(`the store's worker answered with ${reply.kind}`)
}
