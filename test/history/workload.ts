/**
 * What clients of one database do in a history run, and what they are told: appends to lists and writes to registers, with
 * values of which there is only one, and reads of both. Callers: the run.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type RespValue, textOf } from '#resp/value.ts'
import { Caller, NeverSent } from './caller.ts'
import type { Operation, WriteOutcome } from './check.ts'

export type Workload = {
  readonly port: number
  /** `on-disk`: as soon as it is answered. `on-replica`: once WAIT says that a replica has it. */
  readonly keptWhen: 'on-disk' | 'on-replica'
  readonly clients: number
}

/** A list that grew without end would make its reads the whole load. */
const APPENDS_PER_LIST = 200
const REGISTERS = 4
const WAIT_MS = 1_000
const PAUSE_MS = 4
const RETRY_MS = 5
/** What an engine or the proxy says before it has done anything. */
const REFUSALS = /^(?:READONLY|LOADING|CLUSTERDOWN|MASTERDOWN|NOREPLICAS|BUSY|TRYAGAIN|MISCONF|OOM|NOAUTH) /

export class Clients {
  readonly history: Operation[] = []
  /** Errors that clients were told, with how often. */
  readonly errors = new Map<string, number>()
  longestOutageMs = 0
  readonly #workload: Workload
  #lastSuccessMs = performance.now()
  #appends = 0
  #values = 0
  #isOver = false
  readonly #running: Promise<void>[]

  constructor(workload: Workload) {
    this.#workload = workload
    this.#running = Array.from({ length: workload.clients }, (_, index) => this.#run(index))
  }

  /** Ends the load, and reads everything once more. Rejects when that cannot be had within the time. */
  async end(withinMs: number): Promise<void> {
    this.#isOver = true
    await Promise.all(this.#running)
    const caller = new Caller(this.#workload.port)
    const deadline = performance.now() + withinMs
    const lists = Array.from({ length: Math.ceil(this.#appends / APPENDS_PER_LIST) }, (_, index) => `list:${index}`)
    const registers = Array.from({ length: REGISTERS }, (_, index) => `register:${index}`)
    for (const key of [...lists, ...registers]) {
      const isList = key.startsWith('list')
      while (!(await (isList ? this.#readList(caller, key) : this.#readRegister(caller, key)))) {
        if (performance.now() > deadline) throw new Error(`${key} cannot be read`)
        await delay(RETRY_MS)
      }
    }
    caller.close()
  }

  /** Ends the load, whatever becomes of it. */
  stop(): void {
    this.#isOver = true
  }

  get kept(): number {
    return this.#count('kept')
  }

  outcomes(): Record<WriteOutcome | 'read', number> {
    const reads = this.history.filter(({ kind }) => kind === 'list' || kind === 'register').length
    const of = (outcome: WriteOutcome) => this.#count(outcome)
    return { kept: of('kept'), answered: of('answered'), unknown: of('unknown'), refused: of('refused'), read: reads }
  }

  #count(outcome: WriteOutcome): number {
    return this.history.filter((one) => 'outcome' in one && one.outcome === outcome).length
  }

  async #run(index: number): Promise<void> {
    const caller = new Caller(this.#workload.port)
    for (let turn = index; !this.#isOver; turn++) {
      const isDone = await this.#turn(caller, turn)
      await delay(isDone ? PAUSE_MS : RETRY_MS)
    }
    caller.close()
  }

  async #turn(caller: Caller, turn: number): Promise<boolean> {
    const register = `register:${turn % REGISTERS}`
    switch (turn % 8) {
      case 0:
      case 1:
      case 2:
      case 3:
        return await this.#append(caller)
      case 4:
      case 5:
        return await this.#write(caller, register)
      case 6:
        return await this.#readRegister(caller, register)
      default:
        return await this.#readList(caller, `list:${Math.floor(this.#appends / APPENDS_PER_LIST)}`)
    }
  }

  async #append(caller: Caller): Promise<boolean> {
    const key = `list:${Math.floor(this.#appends++ / APPENDS_PER_LIST)}`
    const value = this.#value()
    const { startMs, endMs, outcome, answer } = await this.#change(caller, ['RPUSH', key, value])
    const length = answer?.kind === 'integer' ? Number(answer.value) : 0
    this.history.push({ kind: 'append', key, value, startMs, endMs, outcome, length })
    return endMs < Number.POSITIVE_INFINITY
  }

  async #write(caller: Caller, key: string): Promise<boolean> {
    const value = this.#value()
    const { startMs, endMs, outcome } = await this.#change(caller, ['SET', key, value])
    this.history.push({ kind: 'write', key, value, startMs, endMs, outcome })
    return endMs < Number.POSITIVE_INFINITY
  }

  async #change(
    caller: Caller,
    words: readonly string[],
  ): Promise<{ startMs: number; endMs: number; outcome: WriteOutcome; answer?: RespValue }> {
    const waits = this.#workload.keptWhen === 'on-replica'
    const startMs = performance.now()
    const never = Number.POSITIVE_INFINITY
    try {
      const [answer, replicas] = await caller.call(waits ? [words, ['WAIT', '1', String(WAIT_MS)]] : [words])
      const endMs = performance.now()
      if (answer?.kind === 'error') {
        this.#told(answer.text)
        return { startMs, endMs: never, outcome: REFUSALS.test(answer.text) ? 'refused' : 'unknown' }
      }
      this.#succeeded(endMs)
      const isKept = !waits || (replicas?.kind === 'integer' && Number(replicas.value) >= 1)
      return { startMs, endMs, outcome: isKept ? 'kept' : 'answered', ...(answer ? { answer } : {}) }
    } catch (error) {
      return { startMs, endMs: never, outcome: error instanceof NeverSent ? 'refused' : 'unknown' }
    }
  }

  async #readList(caller: Caller, key: string): Promise<boolean> {
    const read = await this.#read(caller, ['LRANGE', key, '0', '-1'])
    if (read?.answer.kind !== 'array') return false
    const values = read.answer.items.map((item) => textOf(item) ?? '')
    this.history.push({ kind: 'list', key, values, startMs: read.startMs, endMs: read.endMs })
    return true
  }

  async #readRegister(caller: Caller, key: string): Promise<boolean> {
    const read = await this.#read(caller, ['GET', key])
    if (!read) return false
    this.history.push({ kind: 'register', key, value: textOf(read.answer), startMs: read.startMs, endMs: read.endMs })
    return true
  }

  async #read(caller: Caller, words: readonly string[]) {
    const startMs = performance.now()
    const [answer] = await caller.call([words]).catch(() => [])
    if (!answer) return undefined
    if (answer.kind !== 'error') return { answer, startMs, endMs: performance.now() }
    this.#told(answer.text)
    return undefined
  }

  #told(error: string): void {
    const text = error.replace(/\d+/g, 'N').slice(0, 80)
    this.errors.set(text, (this.errors.get(text) ?? 0) + 1)
  }

  #succeeded(nowMs: number): void {
    this.longestOutageMs = Math.max(this.longestOutageMs, nowMs - this.#lastSuccessMs)
    this.#lastSuccessMs = nowMs
  }

  #value(): string {
    return `v${this.#values++}`
  }
}
