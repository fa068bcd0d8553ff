/**
 * What SSO holds in memory: the key of its requests, the line of those whose assertion is being looked at, and how often it
 * has told the log of somebody who did not get in. Anybody may post anything there, so the log takes so many a minute; the
 * rest is counted.
 */
import { harmless } from '#model/event.ts'
import { FairLine, type LineLimits } from '../users/fair-line.ts'
import { RequestIds } from './request-ids.ts'

/** Looking at what is hostile takes up to a tenth of a second of the only thread there is. */
const LINE: LineLimits = { atOnce: 1, waiting: 64 }
const MINUTE_MS = 60_000
const TOLD_EACH_MINUTE = 100
const LONGEST_REASON = 400

type Log = { warn(facts: object, message: string): void }

export class SsoDesk {
  readonly requestIds: RequestIds
  readonly line = new FairLine(LINE)
  readonly #now: () => number
  readonly #log: Log
  #since = 0
  #count = 0

  constructor(options: { key: Buffer; now: () => number; log: Log }) {
    this.requestIds = new RequestIds(options.key)
    this.#now = options.now
    this.#log = options.log
  }

  /** Why somebody did not get in: for the log alone. */
  tell(reason: string): void {
    const nowMs = this.#now()
    if (Math.abs(nowMs - this.#since) >= MINUTE_MS) {
      const untold = this.#count - TOLD_EACH_MINUTE
      if (untold > 0) this.#log.warn({ untold }, 'more could not sign in by SSO than are told one by one')
      this.#since = nowMs
      this.#count = 0
    }
    this.#count++
    if (this.#count <= TOLD_EACH_MINUTE)
      this.#log.warn({ reason: harmless(reason, LONGEST_REASON) }, 'somebody could not sign in by SSO')
  }
}
