/**
 * A server beside the API that runs or does not: as the settings of the cluster say, unless somebody has stopped it until
 * the next start. Each time it is made anew. Callers: discovery and the exporter of metrics.
 */
import type { Operation } from '#model/service-operation.ts'
import type { Service, ServiceState } from '#server/services/desk.ts'

export type Switchable = {
  readonly isListening: boolean
  /** Why it does not listen, in words; null: it does. */
  start(): Promise<string | null>
  close(): Promise<void>
}

export type SwitchedOptions = {
  readonly make: () => Switchable
  /** Null: the settings want it to run. Otherwise why not, in words. */
  readonly whyOff: () => string | null
  /** Whether one that could not listen goes on trying. */
  readonly triesAgain: boolean
  readonly now: () => number
}

export class Switched implements Service {
  readonly #options: SwitchedOptions
  #running: Switchable | null = null
  #startedAtMs: number | null = null
  #isHeld = false
  #isClosed = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(options: SwitchedOptions) {
    this.#options = options
  }

  /** Makes it as it is wanted now. Why it cannot run as it should, in words; null: it is as it should be. */
  follow(): Promise<string | null> {
    return this.#next(() => this.#settle())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    await this.#next(() => this.#stop())
  }

  state(): ServiceState {
    if (!this.#running) return { status: 'STOPPED', startedAtMs: null }
    if (this.#running.isListening) return { status: 'RUNNING', startedAtMs: this.#startedAtMs }
    return { status: this.#options.triesAgain ? 'STARTING' : 'STOPPED', startedAtMs: null }
  }

  objection(operation: Operation): string | null {
    return operation === 'stop' ? null : this.#options.whyOff()
  }

  async carryOut(operation: Operation): Promise<boolean> {
    if (operation !== 'start') {
      this.#isHeld = true
      await this.follow()
    }
    if (operation === 'stop') return true
    this.#isHeld = false
    return (await this.follow()) === null
  }

  /** One change after another; one that rejects is over for the next. */
  #next<T>(change: () => Promise<T>): Promise<T> {
    const turned = this.#turn.then(change)
    this.#turn = turned.catch(() => undefined)
    return turned
  }

  async #settle(): Promise<string | null> {
    const isWanted = !this.#isClosed && !this.#isHeld && this.#options.whyOff() === null
    if (!isWanted) return await this.#stop()
    if (this.#running?.isListening) return null
    await this.#stop()
    return await this.#start()
  }

  async #start(): Promise<string | null> {
    const server = this.#options.make()
    this.#running = server
    this.#startedAtMs = this.#options.now()
    try {
      return await server.start()
    } catch (error) {
      await this.#stop()
      throw error
    }
  }

  async #stop(): Promise<null> {
    const server = this.#running
    this.#running = null
    await server?.close()
    return null
  }
}
