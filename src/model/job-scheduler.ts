/**
 * The job_scheduler object of the API: what is done at certain times, and when. A job that has nothing to do here keeps its
 * settings, and says why.
 */
import { CronPattern } from 'croner'
import { applied, kept } from './field.ts'
import { compileObject, defaultsOf, type ObjectParser } from './parse.ts'
import type { Problem } from './problem.ts'
import { flag, objectOf, settings, text, whole } from './shapes.ts'
import { isObject } from './values.ts'

const cron = (preset: string) =>
  text(preset, 'Minute, hour, day, month and day of the week, in UTC.', { maxLength: 128 })
const enabled = (preset = true) => flag(preset, 'Whether it is done at all.')

const fields = {
  cert_rotation_job_settings: applied(
    settings(
      {
        cron_expression: cron('0 * * * *'),
        enabled: enabled(),
        expiry_days_before_rotation: whole(60, 'Days before its end at which a certificate is made anew.', {
          minimum: 1,
          maximum: 90,
        }),
      },
      'Makes the certificates anew that the cluster made for itself.',
    ),
  ),
  node_checks_job_settings: applied(
    settings({ cron_expression: cron('0 * * * *'), enabled: enabled() }, 'Checks every node.'),
  ),
  log_rotation_job_settings: kept(
    settings({ cron_expression: cron('*/5 * * * *'), enabled: enabled() }, 'Sets logs aside that are full.'),
    'Logs are set aside at the moment that they are full.',
  ),
  backup_job_settings: kept(
    settings({ cron_expression: cron('*/5 * * * *'), enabled: enabled() }, 'Looks for backups that are due.'),
    'Backups are not available yet.',
  ),
  bdb_usage_report_job_settings: kept(
    settings(
      {
        cron_expression: cron('0 */1 * * *'),
        enabled: enabled(false),
        file_retention_days: whole(365, 'Days for which reports are kept.', { minimum: 1, maximum: 1000 }),
      },
      'Writes usage reports.',
    ),
    'GET /v1/usage_report makes the report when it is asked for.',
  ),
  rotate_ccs_job_settings: kept(
    settings(
      {
        cron_expression: cron('*/5 * * * *'),
        enabled: enabled(),
        file_suffix: text('5min', 'End of the names of copies.', { maxLength: 32 }),
        rotate_max_num: whole(24, 'Copies that are kept.', { minimum: 1, maximum: 100 }),
      },
      'Copies the state of the cluster.',
    ),
    'The state is in a database of its own, or in etcd, and is backed up with that.',
  ),
  redis_cleanup_job_settings: kept(
    settings({ cron_expression: cron('0 * * * *') }, 'Removes files that are left over.'),
    'What is left over is removed as soon as it is.',
  ),
}

export const JobScheduler = objectOf('job_scheduler', fields)

/** Those that are carried out. */
export const JOBS = ['cert_rotation', 'node_checks'] as const
export type JobName = (typeof JOBS)[number]

const parser = compileObject(JobScheduler, { rules: [cronProblem] })

export function jobSchedulerParser(): ObjectParser {
  return parser
}

export type JobSettings = {
  readonly cron: string
  readonly enabled: boolean
  /** Of cert_rotation. */
  readonly expiryDays: number
}

/** `given`: the settings that were set. */
export function jobSettings(given: Readonly<Record<string, unknown>>, name: JobName): JobSettings {
  const all: Readonly<Record<string, unknown>> = Object(
    { ...defaultsOf(JobScheduler), ...given }[`${name}_job_settings`],
  )
  return {
    cron: String(all.cron_expression),
    enabled: all.enabled !== false,
    expiryDays: Number(all.expiry_days_before_rotation ?? 0),
  }
}

function cronProblem(given: Readonly<Record<string, unknown>>): Problem | null {
  for (const [name, value] of Object.entries(given)) {
    const expression = isObject(value) ? value.cron_expression : undefined
    if (expression === undefined || isCron(String(expression))) continue
    const description =
      `${name}.cron_expression must be five fields, minute, hour, day of the month, month and day of the week, such as ` +
      `"0 3 * * *"; ${JSON.stringify(String(expression).slice(0, 40))} is none.`
    return { code: 'invalid_configuration', field: `${name}.cron_expression`, description }
  }
  return null
}

/** Five fields: minute, hour, day of the month, month and day of the week. */
export function isCron(expression: string): boolean {
  try {
    new CronPattern(expression, 'UTC', { mode: '5-part' })
    return /^\S+( +\S+){4}$/.test(expression.trim())
  } catch {
    return false
  }
}
