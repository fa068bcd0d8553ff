/**
 * What a schema cannot say about a database: the forms of its texts, and settings that must fit each other. Pure; every
 * rule returns the first problem or null. `databaseProblem` asks them all of a whole configuration; what needs to know
 * the cluster (memory, ports in use, installed engines) is decided by the API.
 */
import type { PortRange } from '../port-range.ts'
import type { Problem, ProblemCode } from '../problem.ts'
import type { DatabaseConfig } from './schema.ts'
import { tagsProblem } from './tags.ts'

export type RuleContext = {
  /** Version of the engine that is to serve it: `7.0.15`. */
  readonly engineVersion: string
  readonly engineName?: 'redis' | 'valkey'
  /** Where endpoints may be; any port when it is left out. */
  readonly databasePorts?: PortRange
}

/** Since this version an engine opens a port while it runs. */
const LIVE_PORT_MAJOR = 7

type Part<Name extends keyof DatabaseConfig> = Pick<DatabaseConfig, Name>

export function databaseProblem(config: DatabaseConfig, context: RuleContext): Problem | null {
  return (
    nameProblem(config) ??
    portProblem(config, context.databasePorts) ??
    tagsProblem(config.tags) ??
    evictionProblem(config, context) ??
    persistenceProblem(config) ??
    passwordProblem('authentication_redis_pass', config.authentication_redis_pass) ??
    passwordProblem('authentication_admin_pass', config.authentication_admin_pass) ??
    disabledCommandsProblem(config) ??
    backlogProblem('repl_backlog_size', config.repl_backlog_size) ??
    backlogProblem('crdt_repl_backlog_size', config.crdt_repl_backlog_size) ??
    slaveBufferProblem(config) ??
    defragProblem(config) ??
    shardingProblem(config, context) ??
    tlsProblem(config, context) ??
    gradualLimitsProblem(config)
  )
}

/** A DNS label, as the reference asks for: the name may become one. */
const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/

export function nameProblem({ name }: Part<'name'>): Problem | null {
  if (name === '') return found('missing_db_name', 'name', 'A database needs a name.')
  if (NAME.test(name)) return null
  const description =
    'name must have 1 to 63 characters, letters, digits and hyphens, with a letter or digit at both ends.'
  return found('invalid_db_name', 'name', description)
}

export function portProblem({ port }: Part<'port'>, range: PortRange | undefined): Problem | null {
  if (port === 0 || !range || (port >= range.first && port <= range.last)) return null
  const description = `port must be from ${range.first} to ${range.last}, or 0 to have one chosen; got ${port}.`
  return found('port_unavailable', 'port', description)
}

/** LFU came with Redis 4, LRM with Redis 8.6; Valkey has no LRM. */
export function evictionProblem({ eviction_policy }: Part<'eviction_policy'>, context: RuleContext): Problem | null {
  const { engineVersion, engineName = 'redis' } = context
  const lacks =
    (eviction_policy.endsWith('-lrm') && (engineName !== 'redis' || isOlder(engineVersion, 8, 6))) ||
    (eviction_policy.endsWith('-lfu') && engineName === 'redis' && isOlder(engineVersion, 4, 0))
  if (!lacks) return null
  const description = `${engineName} ${engineVersion} does not have the eviction_policy ${eviction_policy}; -lru is similar.`
  return found('eviction_policy_violation', 'eviction_policy', description)
}

function isOlder(version: string, major: number, minor: number): boolean {
  const [ownMajor = 0, ownMinor = 0] = version.split('.').map(Number)
  return ownMajor < major || (ownMajor === major && ownMinor < minor)
}

/** One hour, one write. */
const SNAPSHOT_PRESET = [{ secs: 3600, writes: 1 }]

/** Snapshots without a rule would never be taken: they get the one that clients expect to read back. */
export function withSnapshotPolicy<T extends Part<'data_persistence' | 'snapshot_policy'>>(config: T): T {
  if (config.data_persistence !== 'snapshot' || config.snapshot_policy.length > 0) return config
  return { ...config, snapshot_policy: SNAPSHOT_PRESET }
}

export function persistenceProblem(config: Part<'data_persistence' | 'snapshot_policy'>): Problem | null {
  if (withSnapshotPolicy(config) === config) return null
  return found(
    'invalid_data_persistence',
    'snapshot_policy',
    'Snapshots need a snapshot_policy: how often, at how many writes.',
  )
}

/**
 * Any text up to 512 characters: only its hash reaches the engine. What cannot be written as UTF-8 is refused, because
 * different passwords of that kind would have the same hash.
 */
export function passwordProblem(field: string, password: string): Problem | null {
  if (password.length <= 512 && password.isWellFormed()) return null
  return found('invalid_password', field, `${field} must be at most 512 characters of well-formed Unicode.`)
}

/** `get`, `config|set`. Whether the engine has such a command it says itself. */
const COMMAND = /^[A-Za-z][A-Za-z0-9_.-]{0,63}(?:\|[A-Za-z][A-Za-z0-9_.-]{0,63})?$/

export function disabledCommandsProblem({ disabled_commands }: Part<'disabled_commands'>): Problem | null {
  const wrong = disabled_commands.split(/[\s,]+/).find((name) => name !== '' && !COMMAND.test(name))
  if (wrong === undefined) return null
  const description =
    'disabled_commands must be names of commands with commas or spaces between them, such as "FLUSHALL, CONFIG|SET"; ' +
    `${JSON.stringify(wrong.slice(0, 40))} is none.`
  return found('invalid_configuration', 'disabled_commands', description)
}

function backlogProblem(field: 'repl_backlog_size' | 'crdt_repl_backlog_size', size: string): Problem | null {
  if (size === 'auto' || isNumberFrom(size, 1, Number.MAX_SAFE_INTEGER)) return null
  return found('invalid_configuration', field, `${field} must be auto or a number of bytes, as a string.`)
}

/** A pebibyte: more than any buffer, and bytes stay exact. */
const BUFFER_MAX_MEGABYTES = 2 ** 30
const SECONDS_MAX = 2 ** 31 - 1

export function slaveBufferProblem({ slave_buffer }: Part<'slave_buffer'>): Problem | null {
  const parts = slave_buffer.split(':')
  const [hard = '', soft = '0', seconds = '0'] = parts
  const isRight =
    slave_buffer === 'auto' ||
    ((parts.length === 1 || parts.length === 3) &&
      isNumberFrom(hard, 0, BUFFER_MAX_MEGABYTES) &&
      isNumberFrom(soft, 0, BUFFER_MAX_MEGABYTES) &&
      isNumberFrom(seconds, 0, SECONDS_MAX))
  if (isRight) return null
  const description =
    'slave_buffer must be auto, a number of megabytes, or hard:soft:seconds with both limits in megabytes.'
  return found('invalid_configuration', 'slave_buffer', description)
}

function isNumberFrom(text: string, first: number, last: number): boolean {
  return /^[0-9]{1,16}$/.test(text) && Number(text) >= first && Number(text) <= last
}

const SIZE = /^[1-9][0-9]{0,11}(?:b|kb?|mb?|gb?)?$/i

type Defrag = Part<
  | 'active_defrag_cycle_min'
  | 'active_defrag_cycle_max'
  | 'active_defrag_ignore_bytes'
  | 'active_defrag_threshold_lower'
  | 'active_defrag_threshold_upper'
>

/** The engine takes limits in the wrong order without a word, and then does nothing. */
export function defragProblem(config: Defrag): Problem | null {
  if (!SIZE.test(config.active_defrag_ignore_bytes)) {
    const description = 'active_defrag_ignore_bytes must be a number of bytes, such as 100mb, 1gb or 4096.'
    return found('invalid_configuration', 'active_defrag_ignore_bytes', description)
  }
  return (
    orderProblem(config, 'active_defrag_cycle_min', 'active_defrag_cycle_max') ??
    orderProblem(config, 'active_defrag_threshold_lower', 'active_defrag_threshold_upper')
  )
}

function orderProblem<Low extends string, High extends string>(
  config: Readonly<Record<Low | High, number>>,
  low: Low,
  high: High,
): Problem | null {
  if (config[low] <= config[high]) return null
  return found('invalid_configuration', low, `${low} (${config[low]}) must not be above ${high} (${config[high]}).`)
}

/** Since this version an engine can be told which port its kind talks at. */
const CLUSTER_PORT_MAJOR = 7

export function shardingProblem(
  { sharding, shards_count, oss_cluster, tls_mode }: Part<'sharding' | 'shards_count' | 'oss_cluster' | 'tls_mode'>,
  { engineVersion }: Pick<RuleContext, 'engineVersion'>,
): Problem | null {
  const wrongCluster = (description: string) => found('invalid_oss_cluster_configuration', 'oss_cluster', description)
  if (oss_cluster && !sharding)
    return wrongCluster('oss_cluster needs sharding: set sharding to true; one shard is enough.')
  if (oss_cluster && tls_mode === 'enabled')
    return wrongCluster(
      'With oss_cluster clients reach the shards themselves, which do not speak TLS: disable tls_mode.',
    )
  if (!sharding && shards_count > 1) {
    const description = `${shards_count} shards need sharding: set it to true, or shards_count to 1.`
    return found('invalid_sharding', 'shards_count', description)
  }
  if (sharding && Number.parseInt(engineVersion, 10) < CLUSTER_PORT_MAJOR)
    return found('invalid_sharding', 'sharding', `${engineVersion} cannot be sharded here; version 7 and newer can.`)
  return null
}

/** Without anybody to trust, asking for client certificates would keep everybody out, or nobody. */
export function tlsProblem(
  config: Part<
    | 'tls_mode'
    | 'enforce_client_authentication'
    | 'authentication_ssl_client_certs'
    | 'replication'
    | 'client_cert_subject_validation_type'
    | 'authorized_subjects'
    | 'authorized_names'
  >,
  { engineVersion }: Pick<RuleContext, 'engineVersion'>,
): Problem | null {
  const asksClients = config.enforce_client_authentication === 'enabled'
  if (config.replication && Number.parseInt(engineVersion, 10) < LIVE_PORT_MAJOR) {
    const description = `A replica of ${engineVersion} could not take over: it cannot open a port while it runs.`
    return found('invalid_replication', 'replication', description)
  }
  if (config.tls_mode !== 'enabled') return null
  if (asksClients && config.authentication_ssl_client_certs.length === 0) {
    const description =
      'enforce_client_authentication is enabled: authentication_ssl_client_certs must say whose certificates are ' +
      'trusted; or disable it, to let clients in by their password alone.'
    return found('invalid_configuration', 'authentication_ssl_client_certs', description)
  }
  return asksClients ? subjectsProblem(config) : null
}

/** A rule that nobody can meet would keep everybody out. */
function subjectsProblem(
  config: Part<'client_cert_subject_validation_type' | 'authorized_subjects' | 'authorized_names'>,
): Problem | null {
  const rule = config.client_cert_subject_validation_type
  if (rule !== 'disabled' && config.authorized_subjects.length + config.authorized_names.length === 0) {
    const description = `client_cert_subject_validation_type is ${rule}: authorized_subjects must say who may come in.`
    return found('invalid_configuration', 'authorized_subjects', description)
  }
  const nameless = config.authorized_subjects.findIndex(({ CN }) => CN === '')
  if (nameless < 0) return null
  const field = `authorized_subjects[${nameless}].CN`
  return found('invalid_configuration', field, `${field} must say for whom a certificate is.`)
}

/** `ssl` is the older name of `tls_mode`: whichever of them a request changes counts. */
export function withTlsMode<T extends Part<'tls_mode' | 'ssl'>>(config: T, before: Part<'tls_mode' | 'ssl'>): T {
  const changedBySsl = config.tls_mode === before.tls_mode && config.ssl !== before.ssl
  const mode = changedBySsl ? (config.ssl ? 'enabled' : 'disabled') : config.tls_mode
  return { ...config, tls_mode: mode, ssl: mode === 'enabled' }
}

export function gradualLimitsProblem(config: Part<'gradual_sync_policy_parameters'>): Problem | null {
  const zero = Object.entries(config.gradual_sync_policy_parameters).find(([, limit]) => limit === 0)
  if (!zero) return null
  const field = `gradual_sync_policy_parameters.${zero[0]}`
  return found('invalid_configuration', field, `${field} must be -1, which means no limit, or at least 1.`)
}

function found(code: ProblemCode, field: string, description: string): Problem {
  return { code, field, description }
}
