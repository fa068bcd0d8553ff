/**
 * The line before an expensive piece of work: a few at once, a bounded number waiting. Every address is served in turn,
 * and within an address every name, so that whoever sends a thousand guesses waits behind each other's own and not before
 * anybody else. When the line is full, one of those gives way who have the most in it.
 */

export type LineLimits = { readonly atOnce: number; readonly waiting: number }

type Waiter = { readonly enter: (isServed: boolean) => void }
type Names = Map<string, Waiter[]>

export class FairLine {
  readonly #limits: LineLimits
  readonly #chance: () => number
  readonly #addresses = new Map<string, Names>()
  #waiting = 0
  #served = 0

  /** `chance` from 0 to below 1: chooses among those who have equally many. */
  constructor(limits: LineLimits, chance: () => number = Math.random) {
    this.#limits = limits
    this.#chance = chance
  }

  /** True: it is their turn, until `leave`. False: they had to give way. */
  enter(address: string, name: string): Promise<boolean> | true {
    if (this.#served < this.#limits.atOnce) {
      this.#served++
      return true
    }
    const { promise, resolve } = Promise.withResolvers<boolean>()
    this.#add(address, name, { enter: resolve })
    if (this.#waiting > this.#limits.waiting) this.#giveWay()
    return promise
  }

  /** Whoever had their turn is done: the next one has it. */
  leave(): void {
    const next = this.#next()
    if (next) next.enter(true)
    else this.#served--
  }

  #add(address: string, name: string, waiter: Waiter): void {
    const names: Names = this.#addresses.get(address) ?? new Map()
    const waiters = names.get(name) ?? []
    waiters.push(waiter)
    names.set(name, waiters)
    this.#addresses.set(address, names)
    this.#waiting++
  }

  /** Both the address and the name go to the end of their lines. */
  #next(): Waiter | undefined {
    const [first] = this.#addresses
    if (!first) return undefined
    const [address, names] = first
    const [[name, waiters] = ['', []]] = names
    const [next] = waiters
    this.#addresses.delete(address)
    names.delete(name)
    if (waiters.length > 1) names.set(name, waiters.slice(1))
    if (names.size > 0) this.#addresses.set(address, names)
    if (next) this.#waiting--
    return next
  }

  /** The newest of the name with the most, of the address with the most. */
  #giveWay(): void {
    const [address, names] = this.#oneOfMost(this.#addresses, (some) => [...some.values()].flat().length)
    const [name, waiters] = this.#oneOfMost(names, ({ length }) => length)
    const newest = waiters.pop()
    if (waiters.length === 0) names.delete(name)
    if (names.size === 0) this.#addresses.delete(address)
    this.#waiting--
    newest?.enter(false)
  }

  #oneOfMost<T>(all: ReadonlyMap<string, T>, count: (one: T) => number): [string, T] {
    const counted = [...all].map((entry) => ({ entry, size: count(entry[1]) }))
    const most = Math.max(...counted.map(({ size }) => size))
    const candidates = counted.filter(({ size }) => size === most)
    const chosen = candidates[Math.floor(this.#chance() * candidates.length)]
    if (!chosen) throw new Error('nobody waits')
    return chosen.entry
  }
}
