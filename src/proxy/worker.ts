/**
 * One worker of a proxy, as the process with the doors sees it: every order that is answered has a number, since a worker
 * tells what it has counted while it still looks at its slot map. Callers: the crew.
 *
 * Between the death of a worker and the moment we hear of it, whatever is sent to it fails: that is expected, and must
 * not end the process that has the doors. Node holds back all but the first of the clients that a worker has not taken
 * yet, and tells nobody when it ends before that: they are still ours, and are dealt out again.
 */
import { type ChildProcess, fork, type SendHandle } from 'node:child_process'
import type { Socket } from 'node:net'
import type { ProxyConfig } from './config.ts'
import { type CountsOfAll, countsOfPast } from './counts.ts'
import type { ClientAnswer, ClientQuestion } from './peers.ts'

/** What a worker hears. A client comes as a handle beside its message. */
export type WorkerOrder =
  | {
      readonly kind: 'serve'
      readonly round: number
      readonly config: ProxyConfig
      readonly worker: number
      readonly workers: number
      /** Nobody that any worker has served until now has a greater number. */
      readonly lastClientId: number
    }
  | { readonly kind: 'client'; readonly databaseUid: number; readonly isVisitor: boolean }
  /** Tell at once what has been counted of these databases. */
  | { readonly kind: 'count'; readonly round: number; readonly databaseUids: readonly number[] }
  /** Another worker asks about your clients. */
  | {
      readonly kind: 'peer'
      readonly round: number
      readonly databaseUid: number
      readonly question: ClientQuestion
    }
  /** What the others say to the question of this number. */
  | { readonly kind: 'answers'; readonly number: number; readonly answers: readonly ClientAnswer[] }
  /** No client will come any more: end when all have gone. */
  | { readonly kind: 'retire' }

/** What a worker says when it has done what the order of this number asks for. */
export type WorkerReport = { readonly round: number; readonly counts: CountsOfAll; readonly answer?: ClientAnswer }

/** What a worker asks of the others, with its own number. */
export type WorkerQuestion = {
  readonly number: number
  readonly databaseUid: number
  readonly question: ClientQuestion
}

export type WorkerPorts = {
  readonly onTrouble: (message: string, detail: object) => void
  /** Resolves to what the other workers answer; never rejects. */
  readonly onQuestion: (question: WorkerQuestion) => Promise<readonly ClientAnswer[]>
}

/** Somebody who knocked at the door of a database. */
export type Newcomer = {
  readonly databaseUid: number
  readonly socket: Socket
  /** Is let in whatever the limits, and needs no certificate. */
  readonly isVisitor: boolean
}

export type Ended = { readonly code: number | null; readonly signal: string | null }

export class Worker {
  /** Resolves when there is no such process any more, or never was. */
  readonly ended: Promise<Ended>
  readonly #process: ChildProcess
  readonly #told = new Map<number, CountsOfAll[number]>()
  readonly #waiting = new Map<number, (report?: WorkerReport) => void>()
  readonly #onTheirWay = new Set<Newcomer>()
  #round = 0

  constructor(program: string, { onTrouble, onQuestion }: WorkerPorts) {
    const child = fork(program, ['--worker'], { serialization: 'advanced' })
    this.#process = child
    child.on('message', (message: WorkerReport | WorkerQuestion) => {
      if ('question' in message) void this.#passOn(message, onQuestion)
      else {
        for (const one of message.counts) this.#told.set(one[0], one)
        this.#waiting.get(message.round)?.(message)
      }
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
  async serve(
    config: ProxyConfig,
    place: { readonly worker: number; readonly workers: number; readonly lastClientId: number },
    timeoutMs: number,
  ): Promise<void> {
    await this.#order((round) => ({ kind: 'serve', round, config, ...place }), timeoutMs)
  }

  /** Resolves when it has told, has ended, or has had its time. */
  async count(databaseUids: readonly number[], timeoutMs: number): Promise<void> {
    await this.#order((round) => ({ kind: 'count', round, databaseUids }), timeoutMs)
  }

  /** Undefined: it does not answer in time. */
  async ask({ databaseUid, question }: WorkerQuestion, timeoutMs: number): Promise<ClientAnswer | undefined> {
    return (await this.#order((round) => ({ kind: 'peer', round, databaseUid, question }), timeoutMs))?.answer
  }

  take(newcomer: Newcomer): void {
    const { databaseUid, socket, isVisitor } = newcomer
    this.#onTheirWay.add(newcomer)
    const done = () => {
      this.#onTheirWay.delete(newcomer)
      // The worker has one of its own by now.
      socket.destroy()
    }
    this.#send({ kind: 'client', databaseUid, isVisitor }, done, { handle: socket, onSent: done })
  }

  /** Those who were handed to it and never left here, once it has ended. */
  takeBack(): Newcomer[] {
    const left = [...this.#onTheirWay]
    this.#onTheirWay.clear()
    return left
  }

  retire(): void {
    this.#send({ kind: 'retire' }, () => undefined)
  }

  kill(): void {
    this.#process.kill('SIGKILL')
  }

  async #passOn(asked: WorkerQuestion, onQuestion: WorkerPorts['onQuestion']): Promise<void> {
    const answers = await onQuestion(asked)
    this.#send({ kind: 'answers', number: asked.number, answers }, () => undefined)
  }

  #order(orderOf: (round: number) => WorkerOrder, timeoutMs: number): Promise<WorkerReport | undefined> {
    const round = ++this.#round
    return new Promise((resolve) => {
      const finish = (report?: WorkerReport) => {
        clearTimeout(timer)
        this.#waiting.delete(round)
        resolve(report)
      }
      const timer = setTimeout(() => finish(), timeoutMs)
      this.#waiting.set(round, finish)
      this.#send(orderOf(round), () => finish())
    })
  }

  #send(
    order: WorkerOrder,
    onFailure: () => void,
    { handle, onSent }: { readonly handle?: SendHandle; readonly onSent?: () => void } = {},
  ): void {
    // Kept open, since what Node would close when the worker has it stays open for ever when the worker ends before.
    if (this.isThere)
      this.#process.send(order, handle, { keepOpen: true }, (error) => (error ? onFailure() : onSent?.()))
    else onFailure()
  }
}
