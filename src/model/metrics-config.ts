/**
 * The metrics_config object of the API: what the second version of the metrics tells, and to how many at once. The exporter
 * reads its part of it here.
 */
import { isTagKey } from './database/tags.ts'
import { applied, kept, refused } from './field.ts'
import { compileObject, defaultsOf, type ObjectParser } from './parse.ts'
import type { Problem } from './problem.ts'
import { flag, list, objectOf, text, whole } from './shapes.ts'
import { shorten } from './wording.ts'

const TAG_KEYS_MAX = 50
const BUCKETS = ['key_size_buckets', 'key_items_buckets'] as const
/** Each a power of 1024. */
const UNITS = 'BKMGTPE'
const BOUNDARY_MAX = 1_023

const NOT_COUNTED = 'The engines that Debian ships do not count keys by their size.'
const NOT_STORED =
  'The exporter stores nothing: whoever reads it does. What GET …/stats answers with is kept for a year.'

const buckets = (description: string) => kept(text('', description), NOT_COUNTED)

export const MetricsConfig = objectOf('metrics_config', {
  key_distribution_enabled: refused(flag(false, 'Tell how sizes of keys, and numbers of their items, are spread.'), {
    accepts: [false],
    why: NOT_COUNTED,
  }),
  key_size_buckets: buckets('Boundaries of the classes of sizes, separated by commas, such as 1K,128M.'),
  key_items_buckets: buckets('Boundaries of the classes of numbers of items, separated by commas.'),
  local_storage_max_size_mb: kept(
    whole(1_024, 'Megabytes of metrics that are stored on a node.', { minimum: 1 }),
    NOT_STORED,
  ),
  local_storage_retention_days: kept(
    whole(8, 'Days for which metrics are stored on a node.', { minimum: 1 }),
    NOT_STORED,
  ),
  expose_db_tags: applied(flag(false, 'Tell the tags of databases, as the labels of db_tags.')),
  metrics_tag_keys_exposed: applied(
    list(
      text('', 'The key of a tag, as databases have it.', { maxLength: 64 }),
      'Keys of tags that may become labels.',
      TAG_KEYS_MAX,
    ),
  ),
  max_requests_in_flight: applied(
    whole(2, 'Requests for the second version of the metrics that are answered at once; 0: any number.', {
      maximum: 10_000,
    }),
  ),
})

const parser = compileObject(MetricsConfig, { rules: [emptyProblem, tagKeysProblem, bucketsProblem] })

export function metricsConfigParser(): ObjectParser {
  return parser
}

export type ExporterRules = {
  /** Tags with other keys are not told. */
  readonly tagKeys: ReadonlySet<string>
  readonly requestsAtOnce: number
}

/** `given`: the settings that were set. */
export function exporterRules(given: Readonly<Record<string, unknown>> = {}): ExporterRules {
  const { expose_db_tags, metrics_tag_keys_exposed, max_requests_in_flight } = {
    ...defaultsOf(MetricsConfig),
    ...given,
  }
  const keys = expose_db_tags === true && Array.isArray(metrics_tag_keys_exposed) ? metrics_tag_keys_exposed : []
  const limit = Number(max_requests_in_flight)
  return { tagKeys: new Set(keys.map(String)), requestsAtOnce: limit === 0 ? Number.POSITIVE_INFINITY : limit }
}

function emptyProblem(given: Readonly<Record<string, unknown>>): Problem | null {
  if (Object.keys(given).length > 0) return null
  const names = Object.keys(MetricsConfig.properties).join(', ')
  return { code: 'invalid_field', field: '', description: `The body must have one field at least, of ${names}.` }
}

function tagKeysProblem({ metrics_tag_keys_exposed: keys }: Readonly<Record<string, unknown>>): Problem | null {
  if (!Array.isArray(keys)) return null
  const at = keys.findIndex((key) => !isTagKey(String(key)))
  if (at < 0) return null
  const field = `metrics_tag_keys_exposed[${at}]`
  const description = `${field} must be what a tag may have as its key: 1 to 64 letters, digits and underscores, not starting with a digit, and none of the cluster's own.`
  return { code: 'invalid_field', field, description }
}

function bucketsProblem(given: Readonly<Record<string, unknown>>): Problem | null {
  for (const field of BUCKETS) {
    const value = given[field]
    if (typeof value !== 'string' || value === '') continue
    const boundaries = value.split(',').map(boundaryIn)
    const isRising = boundaries.every((one, index) => one > (boundaries[index - 1] ?? 0))
    if (isRising) continue
    const description = `${field} must be rising numbers from 1 to ${BOUNDARY_MAX}, separated by commas, each with one of ${UNITS} behind it or none, such as 512,1K,128M; ${JSON.stringify(shorten(value))} is not.`
    return { code: 'invalid_field', field, description }
  }
  return null
}

/** NaN for what is none. */
function boundaryIn(text: string): number {
  const [, digits, unit = 'B'] = /^(\d{1,4})([BKMGTPE])?$/.exec(text) ?? []
  const number = Number(digits)
  return number >= 1 && number <= BOUNDARY_MAX ? number * 1024 ** UNITS.indexOf(unit) : Number.NaN
}
