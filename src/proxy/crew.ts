/**
 * The workers of a proxy: processes that serve clients, while this one only opens the doors and hands each new client
 * to the next worker in turn. Callers: the program. A worker that ends is replaced; its clients connect again.
 */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import type { ProxyConfig } from './config.ts'
import { type CountsOfAll, countsOfPast, sumOfCounts } from './counts.ts'
import { Doors } from './doors.ts'

/** What a worker hears. A client comes as a handle beside its message. */
export type WorkerOrder =
  | { readonly kind: 'serve'; readonly config: ProxyConfig; readonly worker: number; readonly workers: number }
  | { readonly kind: 'client'; readonly databaseUid: number }
  /** Tell what has been counted of these databases. */
  | { readonly kind: 'count'; readonly databaseUids: readonly number[] }
  /** No client will come any more: end when all have gone. */
  | { readonly kind: 'retire' }

/** What a worker says. */
export type WorkerReport = { readonly counts: CountsOfAll }

export type CrewOptions = {
  readonly program: string
  readonly size: number
  readonly onTrouble: (message: string, detail: object) => void
}

/** A worker that cannot even start must not be started in a loop. */
const REPLACE_PAUSE_MS = 500
/** Whoever has not told by then is counted as it was. */
const COUNT_MS = 500

export class Crew {
  readonly #options: CrewOptions
  readonly #doors: Doors
  readonly #workers: (ChildProcess | null)[]
  #config: ProxyConfig = { endpoints: [] }
  /** What each worker told last, by the database, and what those counted that have ended. */
  readonly #told = new Map<ChildProcess, Map<number, CountsOfAll[number]>>()
  #past: CountsOfAll = []
  #turn = 0
  #isRetired = false

  constructor(options: CrewOptions) {
    this.#options = options
    this.#doors = new Doors((databaseUid, socket) => {
      const worker = this.#next()
      if (worker) worker.send({ kind: 'client', databaseUid } satisfies WorkerOrder, socket)
      else socket.destroy()
    }, options.onTrouble)
    this.#workers = new Array(options.size).fill(null)
  }

  get doors(): ReadonlyMap<string, SendHandle> {
    return this.#doors.all
  }
  get problems(): ReadonlyMap<number, string> {
    return this.#doors.problems
  }
  takeDoor(place: string, handle: SendHandle): void {
    this.#doors.take(place, handle)
  }

  async apply(config: ProxyConfig): Promise<void> {
    const moving = this.#config.endpoints.filter(({ isMoving }) => isMoving).map(({ databaseUid }) => databaseUid)
    const hasMoved = config.endpoints.some(({ databaseUid, isMoving }) => !isMoving && moving.includes(databaseUid))
    this.#config = config
    this.#workers.forEach((worker, index) => {
      if (worker) this.#tell(worker, index)
      else this.#hire(index)
    })
    await this.#doors.apply(config.endpoints)
    // They answer when they know where the slots are now.
    if (hasMoved) await this.counts([])
  }

  async counts(databaseUids: readonly number[]): Promise<CountsOfAll> {
    await Promise.all(this.#workers.map((worker) => worker && this.#ask(worker, databaseUids)))
    const wanted = new Set(databaseUids)
    const told = [...this.#told.values()].map((counts) => [...counts.values()])
    return sumOfCounts([this.#past, ...told]).filter(([uid]) => wanted.has(uid))
  }

  /** Resolves when it has told, or has had its time. */
  #ask(worker: ChildProcess, databaseUids: readonly number[]): Promise<void> {
    if (!worker.connected) return Promise.resolve()
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        worker.off('message', finish)
        resolve()
      }
      const timer = setTimeout(finish, COUNT_MS)
      worker.once('message', finish)
      worker.send({ kind: 'count', databaseUids } satisfies WorkerOrder)
    })
  }

  /** Takes no new clients; resolves when the last worker has ended. */
  async retire(): Promise<void> {
    this.#isRetired = true
    this.#doors.close()
    const ended = this.#workers.map((worker) => {
      if (!worker) return undefined
      const end = new Promise((resolve) => worker.once('exit', resolve))
      if (worker.connected) worker.send({ kind: 'retire' } satisfies WorkerOrder)
      return end
    })
    await Promise.all(ended)
  }

  /** Ends all at once. */
  close(): void {
    this.#isRetired = true
    this.#doors.close()
    for (const worker of this.#workers) worker?.kill('SIGKILL')
  }

  #hire(index: number): void {
    const worker = fork(this.#options.program, ['--worker'], { serialization: 'advanced' })
    this.#workers[index] = worker
    const told = new Map<number, CountsOfAll[number]>()
    this.#told.set(worker, told)
    worker.on('message', ({ counts }: WorkerReport) => {
      for (const one of counts) told.set(one[0], one)
    })
    worker.once('exit', (code, signal) => {
      this.#workers[index] = null
      this.#told.delete(worker)
      this.#past = sumOfCounts([this.#past, countsOfPast([...told.values()])])
      if (this.#isRetired) return
      this.#options.onTrouble('a worker of the proxy ended, and is replaced', { worker: index, code, signal })
      setTimeout(() => {
        if (!this.#isRetired) this.#hire(index)
      }, REPLACE_PAUSE_MS)
    })
    this.#tell(worker, index)
  }

  #tell(worker: ChildProcess, index: number): void {
    const workers = this.#options.size
    // Clients are dealt out evenly, and so is how many there may be.
    const endpoints = this.#config.endpoints.map((endpoint) => ({
      ...endpoint,
      limits: { ...endpoint.limits, maxConnections: Math.ceil(endpoint.limits.maxConnections / workers) },
    }))
    worker.send({ kind: 'serve', config: { endpoints }, worker: index, workers } satisfies WorkerOrder)
  }

  #next(): ChildProcess | undefined {
    for (let tried = 0; tried < this.#workers.length; tried++) {
      const worker = this.#workers[this.#turn++ % this.#workers.length]
      if (worker?.connected) return worker
    }
    return undefined
  }
}
