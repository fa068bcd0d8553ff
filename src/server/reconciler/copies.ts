/**
 * Counts who copies all data of a primary on each node, and who waits for room to begin. Callers: the reconciler. What
 * agents see counts; between the order to copy and the first sight of it, the order does.
 */
import { beginsCopy, type Copying, type CopyRoom, copyingOf } from '#plan/copies.ts'
import type { Plan } from '#plan/database.ts'
import { leadsOf } from '#plan/leads.ts'
import type { ObservedShard, Step } from '#plan/step.ts'
import type { State } from '#store/state.ts'
import type { Sightings } from './sightings.ts'

export class Copies implements CopyRoom {
  readonly #state: State
  readonly #sightings: Sightings
  readonly #wake: (databaseUid: number) => void
  readonly #ordered = new Set<number>()
  readonly #waiting = new Set<number>()

  constructor(state: State, sightings: Sightings, wake: (databaseUid: number) => void) {
    this.#state = state
    this.#sightings = sightings
    this.#wake = wake
  }

  limitOf(nodeUid: number): number {
    const own = Number(this.#state.nodes.get(nodeUid)?.value.settings.max_slave_full_syncs ?? -1)
    const policy = Number(this.#state.cluster.get('')?.value.policy.max_slave_full_syncs ?? 0)
    return (own < 0 ? policy : own) || Number.POSITIVE_INFINITY
  }

  copying(): readonly Copying[] {
    return [...this.#state.databases.values()].flatMap(({ value }) => {
      const ordered = value.shards.filter(({ uid }) => this.#ordered.has(uid))
      if (!value.config.replication && ordered.length === 0 && !value.shards.some(({ leaving }) => leaving)) return []
      const leads = leadsOf(this.#state.statuses.get(value.uid)?.value.leads ?? [], value.shards)
      const seen = copyingOf(value, leads, this.#sightings.of(value.uid))
      return [...seen, ...ordered.map(({ uid, nodeUid }) => ({ shardUid: uid, nodeUid }))]
    })
  }

  /** Until it is disposed of, these steps are under way. */
  order(databaseUid: number, steps: readonly Step[]): Disposable {
    const observed = this.#sightings.of(databaseUid)
    const uids = steps.flatMap((step) => beginsCopy(step, observed) ?? [])
    for (const uid of uids) this.#ordered.add(uid)
    return {
      [Symbol.dispose]: () => {
        for (const uid of uids) this.#ordered.delete(uid)
        if (uids.length > 0) this.wakeAll()
      },
    }
  }

  /** What came of asking the planner about this database. */
  planned(databaseUid: number, plan: Plan): void {
    if (plan.kind === 'wait' && plan.isForRoom) this.#waiting.add(databaseUid)
    else this.#waiting.delete(databaseUid)
  }

  /** A replica that has everything, or is gone, makes room; and so does one whose primary is gone. */
  noticed({ state, spec, completeTerm }: ObservedShard): void {
    if (state !== 'running' || spec?.role.kind !== 'replica' || completeTerm === spec.role.term) this.wakeAll()
  }

  wakeAll(): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const uid of waiting) this.#wake(uid)
  }
}
