/**
 * Does what is to be done at certain times, and follows changes of those times. Callers: main makes it with what each job
 * does.
 */
import { JOBS, type JobName, type JobSettings, jobSettings } from '#model/job-scheduler.ts'
import type { State } from '#store/state.ts'
import type { ServerLog } from '../parts.ts'
import { Timetable } from './timetable.ts'

export type Job = (settings: JobSettings) => Promise<void>

export type JobSchedulerParts = {
  readonly state: State
  readonly jobs: Readonly<Record<JobName, Job>>
  readonly log: ServerLog
}

export class JobScheduler {
  readonly #parts: JobSchedulerParts
  readonly #timetable = new Timetable()

  constructor(parts: JobSchedulerParts) {
    this.#parts = parts
    const { state } = parts
    state.view.onChange((collection) => {
      if (collection === state.cluster) this.#follow()
    })
    this.#follow()
  }

  close(): void {
    this.#timetable.close()
  }

  #follow(): void {
    const { state, jobs, log } = this.#parts
    const given = state.cluster.get('')?.value.jobs ?? {}
    for (const name of JOBS) {
      const settings = jobSettings(given, name)
      this.#timetable.set(name, settings, settings.enabled ? settings.cron : null, async () => {
        try {
          await jobs[name](settings)
        } catch (error) {
          log.warn({ err: error, job: name }, 'a job failed')
        }
      })
    }
  }
}
