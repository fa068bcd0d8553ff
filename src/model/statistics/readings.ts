/**
 * What an agent reads of its machine at one moment: counters as they stand, before anything is computed from two of
 * them. Plain data, since agents will be on other machines. Callers: agents make it, the sampler compares it with the
 * one before, and the exporter shows it as it is.
 */

/** The numbers of INFO that are kept. A shard's `numbers` has them in this order; NaN: the engine does not say. */
export const INFO_NUMBERS = [
  'process_id',
  'uptime_in_seconds',
  'connected_clients',
  'maxclients',
  'blocked_clients',
  'tracking_clients',
  'pubsub_clients',
  'watching_clients',
  'total_watched_keys',
  'total_blocking_keys',
  'total_blocking_keys_on_nokey',
  'used_memory',
  'used_memory_rss',
  'used_memory_peak',
  'used_memory_lua',
  'used_memory_vm_total',
  'used_memory_scripts',
  'used_memory_dataset',
  'used_memory_overhead',
  'maxmemory',
  'allocator_allocated',
  'allocator_active',
  'allocator_resident',
  'mem_fragmentation_ratio',
  'mem_not_counted_for_evict',
  'mem_replication_backlog',
  'mem_clients_slaves',
  'mem_clients_normal',
  'mem_aof_buffer',
  'mem_overhead_db_hashtable_rehashing',
  'lazyfreed_objects',
  'active_defrag_running',
  'loading',
  'current_cow_size',
  'current_cow_peak',
  'current_fork_perc',
  'rdb_changes_since_last_save',
  'rdb_bgsave_in_progress',
  'rdb_last_save_time',
  'rdb_last_cow_size',
  'rdb_saves',
  'aof_rewrite_in_progress',
  'aof_rewrites',
  'aof_last_cow_size',
  'aof_current_size',
  'aof_delayed_fsync',
  'module_fork_in_progress',
  'total_connections_received',
  'total_commands_processed',
  'total_net_input_bytes',
  'total_net_output_bytes',
  'rejected_connections',
  'sync_full',
  'sync_partial_ok',
  'sync_partial_err',
  'expired_keys',
  'expired_subkeys',
  'expire_cycle_cpu_milliseconds',
  'evicted_keys',
  'keyspace_hits',
  'keyspace_misses',
  'pubsub_channels',
  'pubsub_patterns',
  'pubsubshard_channels',
  'tracking_total_keys',
  'tracking_total_prefixes',
  'acl_access_denied_auth',
  'total_error_replies',
  'instantaneous_ops_per_sec',
  'connected_slaves',
  'master_repl_offset',
  'slave_repl_offset',
  'master_link_up',
  'master_sync_in_progress',
  'used_cpu_sys',
  'used_cpu_user',
  'used_cpu_sys_children',
  'used_cpu_user_children',
  'used_cpu_sys_main_thread',
  'used_cpu_user_main_thread',
  /** Of all its databases together. */
  'keys',
  'expires',
  'avg_ttl',
] as const
export type InfoNumber = (typeof INFO_NUMBERS)[number]

export const INFO_COLUMNS: ReadonlyMap<string, number> = new Map(INFO_NUMBERS.map((name, index) => [name, index]))

/** What a request does, as the engine's flags of its command say. */
export type RequestKind = 'read' | 'write' | 'other'

export type CommandReading = {
  /** In small letters, `config|set` for a command within a command. */
  readonly name: string
  readonly kind: RequestKind
  readonly calls: number
  readonly microseconds: number
  readonly failed: number
}

export type ShardReading = {
  readonly uid: number
  readonly atMs: number
  /** By a clock of the machine that never jumps: the time between two readings is its difference. */
  readonly clockMs: number
  readonly numbers: Float64Array
  readonly commands: readonly CommandReading[]
  /**
   * How the latency of commands is spread, classes as in a RequestReading; null: not known, or not asked since others see
   * the clients. Without the commands that we send too. It may be some seconds older than the rest.
   */
  readonly latencies: Readonly<Record<RequestKind, readonly number[]>> | null
  /** It may be some seconds older than the rest; null: not known. */
  readonly process: ProcessSize | null
  /** What of it was ours: none of it is an application's. */
  readonly own: {
    /** By the name of the command. */
    readonly calls: Readonly<Record<string, number>>
    readonly connections: number
    readonly receivedBytes: number
    readonly sentBytes: number
    /** Connections of ours that are open. */
    readonly clients: number
  }
}

export type ProcessSize = {
  readonly openFiles: number
  /** So many files it may have open. */
  readonly maxFiles: number
  readonly virtualBytes: number
  readonly threads: number
}

export function infoNumber({ numbers }: Pick<ShardReading, 'numbers'>, name: InfoNumber): number {
  return numbers[INFO_COLUMNS.get(name) ?? -1] ?? Number.NaN
}

/** How replicas follow: no application sends these. */
export const REPLICATION_COMMANDS: ReadonlySet<string> = new Set(['replconf', 'psync', 'sync'])

/** Logins that an engine has refused. Before Redis 7.2 it only says how often AUTH failed, and nothing of HELLO. */
export function refusedLogins(reading: Pick<ShardReading, 'numbers' | 'commands'>): number {
  const told = infoNumber(reading, 'acl_access_denied_auth')
  return Number.isNaN(told) ? (reading.commands.find(({ name }) => name === 'auth')?.failed ?? 0) : told
}

/** Upper ends of the classes of a latency histogram, microseconds; one more class has what took longer. */
export const LATENCY_BOUNDS_US: readonly number[] = Array.from({ length: 22 }, (_, power) => 2 ** power)

export type RequestReading = {
  readonly requests: number
  readonly responses: number
  /** NaN: not known. */
  readonly microseconds: number
  /** How many took at most LATENCY_BOUNDS_US, not counting those below the bound before; empty: not known. */
  readonly histogram: readonly number[]
}

/** What the proxy counts of one database's endpoint. */
export type EndpointReading = {
  readonly databaseUid: number
  readonly atMs: number
  readonly clockMs: number
  readonly read: RequestReading
  readonly write: RequestReading
  readonly other: RequestReading
  readonly clients: number
  readonly connectionsReceived: number
  readonly connectionsRefused: number
  readonly ingressBytes: number
  readonly egressBytes: number
  /** NaN: not known. */
  readonly logins: number
  readonly loginsRefused: number
  /** Of single commands, by their names. */
  readonly commands: Readonly<Record<'get' | 'set' | 'flush' | 'touch', number>>
}

export type NodeReading = {
  readonly atMs: number
  readonly clockMs: number
  readonly cores: number
  /** Clock ticks of all processors together, as the kernel counts them. */
  readonly cpu: Readonly<Record<'user' | 'nice' | 'system' | 'idle' | 'iowait' | 'irqs' | 'steal', number>>
  readonly totalMemoryBytes: number
  /** What nobody uses at all. */
  readonly freeMemoryBytes: number
  /** What could be had without swapping. */
  readonly availableMemoryBytes: number
  readonly receivedBytes: number
  readonly sentBytes: number
  readonly persistentStorage: StorageReading
  readonly ephemeralStorage: StorageReading
  /** The processes of its proxy: first the one that lets clients in, then the others. Empty: there is none. */
  readonly proxy: readonly ProcessReading[]
}
export type ProcessReading = {
  readonly pid: number
  readonly userSeconds: number
  readonly systemSeconds: number
  /** Of one core, in the time since the reading before; NaN: not known. */
  readonly corePart: number
  readonly residentBytes: number
  readonly virtualBytes: number
  readonly openFiles: number
  readonly startedAtMs: number
}
export type StorageReading = {
  readonly totalBytes: number
  readonly freeBytes: number
  /** What is left for those who are not root. */
  readonly availableBytes: number
}

/** What to read; a reading of all shards at once would be felt. */
export type ReadingsWanted = {
  readonly shardUids: readonly number[]
  /** Of these databases, if this machine's proxy serves them. */
  readonly databaseUids: readonly number[]
  readonly node: boolean
}

/** What could not be read in time is missing. */
export type Readings = {
  readonly shards: readonly ShardReading[]
  readonly endpoints: readonly EndpointReading[]
  readonly node: NodeReading | null
}
