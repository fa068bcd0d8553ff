/**
 * Does what is to be done at certain times, and follows changes of those times. One run of a job at a time: one that is
 * still under way when its time comes again is not begun twice. Callers: main makes it with what each job does.
 */
import { Cron } from 'croner'
import { JOBS, type JobName, type JobSettings, jobSettings } from '#model/job-scheduler.ts'
import type { State } from '#store/state.ts'
import type { ServerLog } from '../parts.ts'

export type Job = (settings: JobSettings) => Promise<void>

export type JobSchedulerParts = {
  readonly state: State
  readonly jobs: Readonly<Record<JobName, Job>>
  readonly log: ServerLog
}

export class JobScheduler {
  readonly #parts: JobSchedulerParts
  readonly #running = new Map<JobName, { readonly cron: Cron; readonly settings: string }>()
  #isClosed = false

  constructor(parts: JobSchedulerParts) {
    this.#parts = parts
    const { state } = parts
    state.view.onChange((collection) => {
      if (collection === state.cluster) this.#follow()
    })
    this.#follow()
  }

  close(): void {
    this.#isClosed = true
    for (const { cron } of this.#running.values()) cron.stop()
    this.#running.clear()
  }

  #follow(): void {
    if (this.#isClosed) return
    const given = this.#parts.state.cluster.get('')?.value.jobs ?? {}
    for (const name of JOBS) this.#plan(name, jobSettings(given, name))
  }

  #plan(name: JobName, settings: JobSettings): void {
    const before = this.#running.get(name)
    const key = JSON.stringify(settings)
    if (before?.settings === key) return
    before?.cron.stop()
    this.#running.delete(name)
    if (!settings.enabled) return
    const { jobs, log } = this.#parts
    const options = { mode: '5-part', timezone: 'UTC', protect: true, unref: true } as const
    const cron = new Cron(settings.cron, options, async () => {
      try {
        await jobs[name](settings)
      } catch (error) {
        log.warn({ err: error, job: name }, 'a job failed')
      }
    })
    this.#running.set(name, { cron, settings: key })
  }
}
