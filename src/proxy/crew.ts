/**
 * The workers of a proxy: processes that serve clients, while this one only opens the doors and hands each new client
 * to the next worker in turn. Callers: the program. A worker that ends is replaced; its clients connect again.
 */
import type { SendHandle } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ProxyConfig } from './config.ts'
import { type CountsOfAll, sumOfCounts } from './counts.ts'
import { Doors } from './doors.ts'
import { CONTROL_TIMEOUT_MS } from './limits.ts'
import type { ClientAnswer } from './peers.ts'
import { type Newcomer, Worker, type WorkerQuestion } from './worker.ts'

export type CrewOptions = {
  readonly program: string
  readonly size: number
  readonly onTrouble: (message: string, detail: object) => void
}

/** A worker that cannot even start must not be started in a loop. */
const REPLACE_PAUSE_MS = 500
/** Whoever has not told by then is counted as it was. */
const COUNT_MS = 500
/** So long a worker may take to answer another; one that hangs is left out. */
const PEERS_MS = 500
/** A worker asks shards for their slots, and what they are: each takes so long at most. */
const SERVE_MS = 2 * CONTROL_TIMEOUT_MS + COUNT_MS

export class Crew {
  readonly #options: CrewOptions
  readonly #doors: Doors
  readonly #workers: (Worker | null)[]
  #config: ProxyConfig = { endpoints: [] }
  /** What those counted that have ended. */
  #past: CountsOfAll = []
  #turn = 0
  /** Clients that were handed out. */
  #handedOut = 0
  #isRetired = false

  constructor(options: CrewOptions) {
    this.#options = options
    this.#doors = new Doors(
      (databaseUid, socket) => this.#deal({ databaseUid, socket, isVisitor: false }),
      options.onTrouble,
    )
    this.#workers = new Array(options.size).fill(null)
  }

  get doors(): ReadonlyMap<string, SendHandle> {
    return this.#doors.all
  }
  get problems(): ReadonlyMap<number, string> {
    return this.#doors.problems
  }
  /** Of those who serve clients. */
  get pids(): readonly number[] {
    return this.#workers.flatMap((worker) => worker?.pid ?? [])
  }
  takeDoor(place: string, handle: SendHandle): void {
    this.#doors.take(place, handle)
  }

  /** Like that of the proxy of one process; after a move of slots, every worker knows where they are. */
  async apply(config: ProxyConfig): Promise<void> {
    const moving = this.#config.endpoints.filter(({ isMoving }) => isMoving).map(({ databaseUid }) => databaseUid)
    const hasMoved = config.endpoints.some(({ databaseUid, isMoving }) => !isMoving && moving.includes(databaseUid))
    this.#config = config
    const served = this.#workers.map((worker, index) => (worker ? this.#tell(worker, index) : this.#hire(index)))
    try {
      await this.#doors.apply(config.endpoints)
    } finally {
      if (hasMoved) await Promise.all(served)
    }
  }

  async counts(databaseUids: readonly number[]): Promise<CountsOfAll> {
    await Promise.all(this.#workers.map((worker) => worker?.count(databaseUids, COUNT_MS)))
    const wanted = new Set(databaseUids)
    const told = this.#workers.map((worker) => worker?.counts ?? [])
    return sumOfCounts([this.#past, ...told]).filter(([uid]) => wanted.has(uid))
  }

  /** Like that of the proxy of one process. */
  visitor(databaseUid: number): ((socket: Socket) => void) | null {
    const isServed = this.#config.endpoints.some((one) => one.databaseUid === databaseUid && !one.relay)
    const worker = isServed ? this.#next() : undefined
    return worker ? (socket) => worker.take({ databaseUid, socket, isVisitor: true }) : null
  }

  /** Takes no new clients; resolves when the last worker has ended. */
  async retire(): Promise<void> {
    this.#isRetired = true
    this.#doors.close()
    for (const worker of this.#workers) worker?.retire()
    await Promise.all(this.#workers.map((worker) => worker?.ended))
  }

  /** Ends all at once. */
  close(): void {
    this.#isRetired = true
    this.#doors.close()
    for (const worker of this.#workers) worker?.kill()
  }

  #hire(index: number): Promise<void> {
    const worker: Worker = new Worker(this.#options.program, {
      onTrouble: this.#options.onTrouble,
      onQuestion: (asked) => this.#askOthers(worker, asked),
    })
    this.#workers[index] = worker
    void worker.ended.then((how) => {
      this.#workers[index] = null
      for (const newcomer of worker.takeBack()) this.#deal(newcomer)
      this.#past = sumOfCounts([this.#past, worker.countsOfPast])
      if (this.#isRetired) return
      this.#options.onTrouble('a worker of the proxy ended, and is replaced', { worker: index, ...how })
      setTimeout(() => {
        // A new configuration may have been faster.
        if (!this.#isRetired && !this.#workers[index]) void this.#hire(index)
      }, REPLACE_PAUSE_MS)
    })
    return this.#tell(worker, index)
  }

  #tell(worker: Worker, index: number): Promise<void> {
    const workers = this.#options.size
    // Clients are dealt out evenly, and so is how many there may be, and what they may need.
    const { clientMemoryBytes } = this.#config
    const share = clientMemoryBytes === undefined ? {} : { clientMemoryBytes: Math.ceil(clientMemoryBytes / workers) }
    const endpoints = this.#config.endpoints.map((endpoint) => ({
      ...endpoint,
      limits: { ...endpoint.limits, maxConnections: Math.ceil(endpoint.limits.maxConnections / workers) },
    }))
    // Each of them numbers its clients in steps of as many as there are workers.
    const lastClientId = this.#handedOut * workers
    return worker.serve({ endpoints, ...share }, { worker: index, workers, lastClientId }, SERVE_MS)
  }

  async #askOthers(who: Worker, asked: WorkerQuestion): Promise<ClientAnswer[]> {
    const others = this.#workers.filter((worker) => worker !== null && worker !== who)
    const answers = await Promise.all(others.map((worker) => worker?.ask(asked, PEERS_MS)))
    return answers.filter((answer) => answer !== undefined)
  }

  #deal(newcomer: Newcomer): void {
    const worker = this.#next()
    if (worker) worker.take(newcomer)
    else newcomer.socket.destroy()
  }

  #next(): Worker | undefined {
    for (let tried = 0; tried < this.#workers.length; tried++) {
      const worker = this.#workers[this.#turn++ % this.#workers.length]
      if (!worker?.isThere) continue
      this.#handedOut++
      return worker
    }
    return undefined
  }
}
