/**
 * Has failover drills when they are due, and follows changes of those times. What cannot be drilled at its time (it is being
 * changed, or has no replica in step) is left out, and the log says why. Callers: main makes it.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { leadsOf } from '#plan/leads.ts'
import { databaseFacts } from '../events/answered.ts'
import { Timetable } from '../jobs/timetable.ts'
import type { Parts } from '../parts.ts'
import { askToHandOver } from '../shards/failover.ts'

export class DrillScheduler {
  readonly #parts: Parts
  readonly #timetable = new Timetable()

  constructor(parts: Parts) {
    this.#parts = parts
    const { databases, view } = parts.state
    view.onChange((collection, id) => {
      if (collection === databases) this.#follow(id)
    })
    for (const { id } of databases.values()) this.#follow(id)
  }

  close(): void {
    this.#timetable.close()
  }

  #follow(id: string): void {
    const drills = this.#parts.state.databases.get(id)?.value.drills
    this.#timetable.set(id, drills, drills?.cron ?? null, () => this.#drill(id))
  }

  async #drill(id: string): Promise<void> {
    const { state, events, log } = this.#parts
    const database = state.databases.get(id)?.value
    if (!database?.drills) return
    try {
      const find = () => state.databases.get(id)?.value ?? database
      const options = { dryRun: false, drillTargetMs: database.drills.targetMs }
      await askToHandOver(this.#parts, find, [this.#next(database)], options)
    } catch (error) {
      const description = error instanceof Error ? error.message : String(error)
      log.warn({ err: error, databaseUid: database.uid }, 'a failover drill was left out')
      events.record({ type: 'bdb_drill_left_out', severity: 'WARNING', description, ...databaseFacts({ state }, id) })
    }
  }

  /** The primary whose slots have changed hands least often: each gets its turn. */
  #next({ uid, shards }: DatabaseDocument): number {
    const leads = leadsOf(this.#parts.state.statuses.get(uid)?.value.leads ?? [], shards)
    return leads.reduce((a, b) => (b.term < a.term ? b : a)).shardUid
  }
}
