/**
 * What is done again and again at certain times (UTC), by a name: each entry can be set anew, or taken out, at any moment.
 * One that is still under way when its time comes again is not begun twice. Callers: the schedulers of jobs and of drills.
 */
import { Cron } from 'croner'

/** croner's five fields; whoever waits for a time does not keep the program alive. */
const OPTIONS = { mode: '5-part', timezone: 'UTC', protect: true, unref: true } as const

export class Timetable {
  readonly #entries = new Map<string, { readonly cron: Cron; readonly settings: string }>()
  #isClosed = false

  /**
   * `settings`: what the entry is made of; one that is set with the same again goes on as it is. `times`: a cron expression
   * of five fields, or null: never. `run` must not reject.
   */
  set(name: string, settings: unknown, times: string | null, run: () => Promise<void>): void {
    if (this.#isClosed) return
    const key = JSON.stringify(settings) ?? ''
    const before = this.#entries.get(name)
    if (before?.settings === key) return
    before?.cron.stop()
    this.#entries.delete(name)
    if (times !== null) this.#entries.set(name, { cron: new Cron(times, OPTIONS, run), settings: key })
  }

  /** What is under way goes on; nothing begins any more. */
  close(): void {
    this.#isClosed = true
    for (const { cron } of this.#entries.values()) cron.stop()
    this.#entries.clear()
  }
}
