/**
 * Which shards have been seen of which database: an index, so that a pass need not look through all of them. What is
 * seen now is always asked of the agents; this only remembers whom to ask about.
 */
import type { Agent } from '#plan/agent.ts'
import type { ObservedEndpoint, ObservedShard } from '#plan/step.ts'
import type { State } from '#store/state.ts'

export class Sightings {
  readonly #state: State
  readonly #agents: ReadonlyMap<number, Agent>
  readonly #byDatabase = new Map<number, Set<number>>()

  constructor(state: State, agents: ReadonlyMap<number, Agent>) {
    this.#state = state
    this.#agents = agents
  }

  /** Returns the uid of the database that the shard belongs to. */
  remember(shard: ObservedShard): number {
    const owner = this.#ownerOf(shard)
    const known = this.#byDatabase.get(owner)
    if (known) known.add(shard.uid)
    else this.#byDatabase.set(owner, new Set([shard.uid]))
    return owner
  }

  forget(databaseUid: number): void {
    this.#byDatabase.delete(databaseUid)
  }

  /** What a proxy serves of the database. */
  endpointOf(databaseUid: number): ObservedEndpoint | undefined {
    for (const agent of this.#agents.values()) {
      const endpoint = agent.endpoints().get(databaseUid)
      if (endpoint) return endpoint
    }
    return undefined
  }

  isNothingLeft(databaseUid: number): boolean {
    return this.of(databaseUid).length === 0 && this.endpointOf(databaseUid) === undefined
  }

  /** What the agents see of the database at this moment. */
  of(databaseUid: number): ObservedShard[] {
    const uids = this.#byDatabase.get(databaseUid)
    if (!uids) return []
    const observed = [...this.#agents.values()].map((agent) => agent.observed())
    const seen = [...uids].flatMap((uid) => observed.flatMap((shards) => shards.get(uid) ?? []))
    return seen.filter((shard) => this.#ownerOf(shard) === databaseUid)
  }

  /**
   * A folder that was cut off before it could say whose it is shows 0. Then the documents decide: they were written
   * first. Only what no document places anywhere is nobody's, and may be removed.
   */
  #ownerOf(shard: ObservedShard): number {
    if (shard.databaseUid !== 0) return shard.databaseUid
    for (const { value } of this.#state.databases.values()) {
      if (value.shards.some((place) => place.uid === shard.uid)) return value.uid
    }
    return 0
  }
}
