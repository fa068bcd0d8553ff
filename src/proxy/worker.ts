/**
 * One worker of a proxy, as the process with the doors sees it: every order that is answered has a number, since a worker
 * tells what it has counted while it still looks at its slot map. Callers: the crew.
 *
 * Between the death of a worker and the moment we hear of it, whatever is sent to it fails: that is expected, and must
 * not end the process that has the doors.
 */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ProxyConfig } from './config.ts'
import { type CountsOfAll, countsOfPast } from './counts.ts'

/** What a worker hears. A client comes as a handle beside its message. */
export type WorkerOrder =
  | {
      readonly kind: 'serve'
      readonly round: number
      readonly config: ProxyConfig
      readonly worker: number
      readonly workers: number
    }
  | { readonly kind: 'client'; readonly databaseUid: number; readonly isVisitor: boolean }
  /** Tell at once what has been counted of these databases. */
  | { readonly kind: 'count'; readonly round: number; readonly databaseUids: readonly number[] }
  /** No client will come any more: end when all have gone. */
  | { readonly kind: 'retire' }

/** What a worker says when it has done what the order of this number asks for. */
export type WorkerReport = { readonly round: number; readonly counts: CountsOfAll }

export type Ended = { readonly code: number | null; readonly signal: string | null }

export class Worker {
  /** Resolves when there is no such process any more, or never was. */
  readonly ended: Promise<Ended>
  readonly #process: ChildProcess
  readonly #told = new Map<number, CountsOfAll[number]>()
  readonly #waiting = new Map<number, () => void>()
  #round = 0

  constructor(program: string, onTrouble: (message: string, detail: object) => void) {
    const child = fork(program, ['--worker'], { serialization: 'advanced' })
    this.#process = child
    child.on('message', ({ round, counts }: WorkerReport) => {
      for (const one of counts) this.#told.set(one[0], one)
      this.#waiting.get(round)?.()
    })
    this.ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => resolve({ code, signal }))
      child.on('error', (err) => {
        onTrouble('a worker of the proxy cannot be reached', { err })
        if (child.pid === undefined) resolve({ code: null, signal: null })
      })
    })
    void this.ended.then(() => {
      for (const finish of [...this.#waiting.values()]) finish()
    })
  }

  get isThere(): boolean {
    return this.#process.connected
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  /** What it told last. */
  get counts(): CountsOfAll {
    return [...this.#told.values()]
  }
  get countsOfPast(): CountsOfAll {
    return countsOfPast(this.counts)
  }

  /** Resolves when it serves this, has ended, or has had its time. */
  serve(config: ProxyConfig, worker: number, workers: number, timeoutMs: number): Promise<void> {
    return this.#order((round) => ({ kind: 'serve', round, config, worker, workers }), timeoutMs)
  }

  /** Resolves when it has told, has ended, or has had its time. */
  count(databaseUids: readonly number[], timeoutMs: number): Promise<void> {
    return this.#order((round) => ({ kind: 'count', round, databaseUids }), timeoutMs)
  }

  /** A visitor is let in whatever the limits, and needs no certificate. */
  take(databaseUid: number, socket: Socket, { isVisitor } = { isVisitor: false }): void {
    this.#send({ kind: 'client', databaseUid, isVisitor }, () => socket.destroy(), socket)
  }

  retire(): void {
    this.#send({ kind: 'retire' }, () => undefined)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  #order(orderOf: (round: number) => WorkerOrder, timeoutMs: number): Promise<void> {
    const round = ++this.#round
    return new Promise((resolve) => {
      const finish = () => {
        clearTimeout(timer)
        this.#waiting.delete(round)
        resolve()
      }
      const timer = setTimeout(finish, timeoutMs)
      this.#waiting.set(round, finish)
      this.#send(orderOf(round), finish)
    })
  }

  #send(order: WorkerOrder, onFailure: () => void, handle?: SendHandle): void {
    if (this.isThere) this.#process.send(order, handle, (error) => error && onFailure())
    else onFailure()
  }
}
