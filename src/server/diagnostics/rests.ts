/**
 * For work that nobody waits for: after each few milliseconds of it others have many times as long. Callers: the diagnostic
 * log.
 */
import { setTimeout as delay } from 'node:timers/promises'

const WORK_MS = 2
const RESTS_PER_WORK = 9
/** Who waited long for somebody else has not kept anybody waiting. */
const LONGEST_REST_MS = 100

export class Rests {
  readonly #nowMs: () => number
  #sinceMs: number
  #workedMs = 0

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs
    this.#sinceMs = nowMs()
  }

  /** All work so far, without the rests: on a machine that is busy those are most of the time. */
  get workedMs(): number {
    return this.#workedMs + this.#nowMs() - this.#sinceMs
  }

  /** Called between two pieces of work: returns when there may be more. */
  async restIfDue(): Promise<void> {
    const workedMs = this.#nowMs() - this.#sinceMs
    if (workedMs < WORK_MS) return
    this.#workedMs += workedMs
    await delay(Math.min(workedMs * RESTS_PER_WORK, LONGEST_REST_MS))
    this.#sinceMs = this.#nowMs()
  }
}
