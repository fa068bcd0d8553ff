/**
 * The settings of diagnostic logging: what is collected from time to time for whoever has to find out later what was wrong,
 * and when.
 */
import { applied, type Field } from './field.ts'
import { isCron } from './job-scheduler.ts'
import { compileObject, defaultsOf, type ObjectParser } from './parse.ts'
import type { Problem } from './problem.ts'
import { objectOf, settings, text, whole } from './shapes.ts'
import { isObject } from './values.ts'
import { shorten } from './wording.ts'

const EVERY_TEN_MINUTES = '*/10 * * * *'
const EVERY_HALF_HOUR = '*/30 * * * *'

/** Of what is collected; in the API each is called so with `_target` behind it. */
export const COLLECTED = {
  bdb_client_list: { preset: EVERY_TEN_MINUTES, about: 'Who is connected to the primaries of each database.' },
  bdb_info: { preset: EVERY_TEN_MINUTES, about: 'INFO of the primaries of each database.' },
  bdb: { preset: EVERY_TEN_MINUTES, about: 'Each database as the API shows it, and its status.' },
  command_stats: {
    preset: EVERY_HALF_HOUR,
    about: 'How often each shard ran each command, how long, and how many failed.',
  },
  network_stats: {
    preset: EVERY_HALF_HOUR,
    about: "The kernel's counters of cards, protocols and sockets, of each node.",
  },
  persistent_files: { preset: EVERY_TEN_MINUTES, about: 'Snapshots and logs of writes: names, sizes and times.' },
  rladmin_status: { preset: EVERY_TEN_MINUTES, about: 'Nodes, databases, endpoints and shards, a line each.' },
  shard_info: { preset: EVERY_TEN_MINUTES, about: 'INFO of every shard.' },
  shard_latency_histogram: {
    preset: EVERY_TEN_MINUTES,
    about: 'How the times of each command are spread, of every shard.',
  },
  shard_latency: {
    preset: EVERY_TEN_MINUTES,
    about: 'What kept every shard longer than it should, newest of each kind.',
  },
  shard: { preset: EVERY_TEN_MINUTES, about: 'Every shard as its node sees it.' },
  slowlog: { preset: EVERY_TEN_MINUTES, about: 'The newest slow commands of every shard, with their arguments.' },
  socket_files: { preset: EVERY_TEN_MINUTES, about: 'The sockets of shards and of the proxy: whether they are there.' },
} as const
export type Collected = keyof typeof COLLECTED
export const COLLECTED_NAMES = Object.keys(COLLECTED).filter((name): name is Collected =>
  Object.hasOwn(COLLECTED, name),
)

const ENTRIES_MAX = 10_000

function target(name: Collected): Field {
  const { preset, about } = COLLECTED[name]
  const cron = text(preset, 'Minute, hour, day, month and day of the week, in UTC.', { maxLength: 128 })
  const entries = whole(100, 'So many entries of each shard at most.', { minimum: 1, maximum: ENTRIES_MAX })
  return applied(settings({ cron_expression: cron, ...(name === 'slowlog' && { max_entries: entries }) }, about))
}

export const Diagnostics = objectOf(
  'diagnostics',
  Object.fromEntries(COLLECTED_NAMES.map((name) => [`${name}_target`, target(name)])),
)

const parser = compileObject(Diagnostics, { rules: [cronProblem] })

export function diagnosticsParser(): ObjectParser {
  return parser
}

export type CollectorSettings = {
  readonly cron: string
  /** Of slowlog. */
  readonly maxEntries: number
}

/** `given`: the settings that were set. */
export function collectorSettings(given: Readonly<Record<string, unknown>>, name: Collected): CollectorSettings {
  const all: Readonly<Record<string, unknown>> = Object({ ...defaultsOf(Diagnostics), ...given }[`${name}_target`])
  return { cron: String(all.cron_expression), maxEntries: Number(all.max_entries ?? 0) }
}

function cronProblem(given: Readonly<Record<string, unknown>>): Problem | null {
  for (const [name, value] of Object.entries(given)) {
    const expression = isObject(value) ? value.cron_expression : undefined
    if (expression === undefined || isCron(String(expression))) continue
    const field = `${name}.cron_expression`
    const description = `${field} must be five fields, minute, hour, day of the month, month and day of the week, such as "*/10 * * * *"; ${JSON.stringify(shorten(String(expression)))} is none.`
    return { code: 'invalid_field', field, description }
  }
  return null
}
