/**
 * Has failover drills when they are due, and follows changes of those times. What cannot be drilled at its time (it is being
 * changed, or has no replica in step) is left out, and the log says why. Callers: main makes it.
 */
import { Cron } from 'croner'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { leadsOf } from '#plan/leads.ts'
import { databaseFacts } from '../events/answered.ts'
import type { Parts } from '../parts.ts'
import { askToHandOver } from '../shards/failover.ts'

export class DrillScheduler {
  readonly #parts: Parts
  readonly #running = new Map<string, { readonly cron: Cron; readonly settings: string }>()
  #isClosed = false

  constructor(parts: Parts) {
    this.#parts = parts
    const { databases, view } = parts.state
    view.onChange((collection, id) => {
      if (collection === databases) this.#follow(id)
    })
    for (const { id } of databases.values()) this.#follow(id)
  }

  close(): void {
    this.#isClosed = true
    for (const { cron } of this.#running.values()) cron.stop()
    this.#running.clear()
  }

  #follow(id: string): void {
    if (this.#isClosed) return
    const drills = this.#parts.state.databases.get(id)?.value.drills
    const before = this.#running.get(id)
    const key = JSON.stringify(drills)
    if (before?.settings === key) return
    before?.cron.stop()
    this.#running.delete(id)
    if (!drills) return
    const options = { mode: '5-part', timezone: 'UTC', protect: true, unref: true } as const
    this.#running.set(id, { cron: new Cron(drills.cron, options, () => this.#drill(id)), settings: key })
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
