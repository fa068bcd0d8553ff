/**
 * Which shard has which slot, as far as the proxy knows. Callers: the endpoint, which fills it from the configuration,
 * from CLUSTER SLOTS and from redirections; clients, which look up every request. Being wrong costs a redirection and
 * nothing else: the engine refuses what does not belong to it.
 */
import { SLOT_COUNT } from '#model/slots.ts'

/** A primary; `index` is its place in the lists of all pools, and never another's. */
export type Shard = {
  readonly index: number
  readonly host: string
  readonly port: number
  /** When connections to it began to fail, ms; 0 while they do not. */
  awaySince: number
}

export type ShardSlots = {
  readonly host: string
  readonly port: number
  readonly slots: readonly (readonly [number, number])[]
}

export class SlotMap {
  /** The index of the shard that has a slot; -1 when nobody has. */
  readonly owners = new Int16Array(SLOT_COUNT).fill(-1)
  readonly shards: Shard[] = []
  readonly #byAddress = new Map<string, Shard>()
  /** Called when the shards that have slots have become others. */
  readonly onServingChange = new Set<() => void>()
  #serving: readonly Shard[] | null = null
  #told: readonly Shard[] = []

  /** The shard at an address; made when it is new. */
  at(host: string, port: number): Shard {
    const address = `${host}:${port}`
    const known = this.#byAddress.get(address)
    if (known) return known
    const shard: Shard = { index: this.shards.length, host, port, awaySince: 0 }
    this.shards.push(shard)
    this.#byAddress.set(address, shard)
    return shard
  }

  ownerOf(slot: number): Shard | undefined {
    const index = this.owners[slot] ?? -1
    return index < 0 ? undefined : this.shards[index]
  }

  move(slot: number, shard: Shard): void {
    this.owners[slot] = shard.index
    this.#serving = null
  }

  /** Replaces the whole map. */
  replace(all: readonly ShardSlots[]): void {
    this.owners.fill(-1)
    for (const { host, port, slots } of all) {
      const { index } = this.at(host, port)
      for (const [first, last] of slots) this.owners.fill(index, first, last + 1)
    }
    this.#serving = null
    const { serving } = this
    const isSame = serving.length === this.#told.length && serving.every((shard) => this.#told.includes(shard))
    this.#told = serving
    if (!isSame) for (const listener of [...this.onServingChange]) listener()
  }

  /** The shards that have slots, in the order of their first: what a cursor counts, so it changes with the map only. */
  get serving(): readonly Shard[] {
    if (this.#serving) return this.#serving
    const found = new Set<number>()
    for (const owner of this.owners) if (owner >= 0) found.add(owner)
    this.#serving = [...found].flatMap((index) => this.shards[index] ?? [])
    return this.#serving
  }
}
