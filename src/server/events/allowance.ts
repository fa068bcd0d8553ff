/**
 * How many refusals are written down one by one: so many a minute for each address, and so many in all. What comes beyond
 * is counted, so that nobody can push what happened out of the log by guessing passwords a thousand times a second.
 */

export type AllowanceLimits = {
  readonly eachMinute: number
  readonly allMinute: number
  /** Addresses that are told apart; the others share one count. */
  readonly addresses: number
}

/** Refusals of one address that were only counted. `address` is empty for all that were not told apart. */
export type Counted = { readonly address: string; readonly count: number }

type Entry = { taken: number; counted: number }

export class Allowance {
  readonly #limits: AllowanceLimits
  readonly #entries = new Map<string, Entry>()
  #taken = 0

  constructor(limits: AllowanceLimits) {
    this.#limits = limits
  }

  /** False: it has been counted instead. */
  take(address: string): boolean {
    const entry = this.#entry(address)
    if (entry.taken < this.#limits.eachMinute && this.#taken < this.#limits.allMinute) {
      entry.taken++
      this.#taken++
      return true
    }
    entry.counted++
    return false
  }

  /** What was counted since the last time; everybody may begin anew. */
  renew(): Counted[] {
    const counted = [...this.#entries].flatMap(([address, { counted }]) =>
      counted > 0 ? [{ address, count: counted }] : [],
    )
    this.#entries.clear()
    this.#taken = 0
    return counted
  }

  #entry(address: string): Entry {
    const key = this.#entries.has(address) || this.#entries.size < this.#limits.addresses ? address : ''
    const known = this.#entries.get(key)
    if (known) return known
    const entry = { taken: 0, counted: 0 }
    this.#entries.set(key, entry)
    return entry
  }
}
