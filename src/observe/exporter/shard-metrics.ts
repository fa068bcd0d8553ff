/**
 * What is told of each process, from its own INFO: the same table under the names of both versions.
 */
import { INFO_COLUMNS, type InfoNumber, infoNumber, type ShardReading } from '#model/statistics/readings.ts'
import type { MetricType } from './lines.ts'

export type ShardMetric = {
  readonly name: string
  readonly type: MetricType
  readonly value: (reading: ShardReading) => number
}

const SAME: Readonly<Record<'gauge' | 'counter', readonly InfoNumber[]>> = {
  gauge: [
    'active_defrag_running',
    'allocator_active',
    'allocator_allocated',
    'allocator_resident',
    'aof_last_cow_size',
    'aof_rewrite_in_progress',
    'blocked_clients',
    'connected_clients',
    'current_cow_peak',
    'current_cow_size',
    'current_fork_perc',
    'maxclients',
    'master_sync_in_progress',
    'mem_aof_buffer',
    'mem_clients_normal',
    'mem_clients_slaves',
    'mem_fragmentation_ratio',
    'mem_not_counted_for_evict',
    'mem_overhead_db_hashtable_rehashing',
    'mem_replication_backlog',
    'module_fork_in_progress',
    'pubsub_channels',
    'pubsub_clients',
    'pubsub_patterns',
    'pubsubshard_channels',
    'rdb_bgsave_in_progress',
    'rdb_changes_since_last_save',
    'rdb_last_cow_size',
    'total_blocking_keys',
    'total_blocking_keys_on_nokey',
    'total_watched_keys',
    'tracking_clients',
    'tracking_total_keys',
    'tracking_total_prefixes',
    'used_memory',
    'used_memory_lua',
    'used_memory_peak',
    'used_memory_scripts',
    'used_memory_vm_total',
    'watching_clients',
    'connected_slaves',
    'instantaneous_ops_per_sec',
    'master_repl_offset',
  ],
  counter: [
    'aof_delayed_fsync',
    'aof_rewrites',
    'evicted_keys',
    'expire_cycle_cpu_milliseconds',
    'expired_keys',
    'expired_subkeys',
    'lazyfreed_objects',
    'rdb_saves',
    'total_commands_processed',
    'total_connections_received',
    'total_error_replies',
    'total_net_input_bytes',
    'total_net_output_bytes',
  ],
}

const RENAMED: Readonly<Record<string, readonly [InfoNumber, 'gauge' | 'counter']>> = {
  keyspace_read_hits: ['keyspace_hits', 'counter'],
  keyspace_read_misses: ['keyspace_misses', 'counter'],
  db0_keys: ['keys', 'gauge'],
  db_keys: ['keys', 'gauge'],
  no_of_keys: ['keys', 'gauge'],
  db0_expires: ['expires', 'gauge'],
  db_expires: ['expires', 'gauge'],
  db0_avg_ttl: ['avg_ttl', 'gauge'],
  db_avg_ttl: ['avg_ttl', 'gauge'],
}

export const SHARD_METRICS: readonly ShardMetric[] = [
  ...(['gauge', 'counter'] as const).flatMap((type) => SAME[type].map((name) => metric(name, type, name))),
  ...Object.entries(RENAMED).map(([name, [info, type]]) => metric(name, type, info)),
]

function metric(name: string, type: MetricType, info: InfoNumber): ShardMetric {
  const column = INFO_COLUMNS.get(info) ?? -1
  return { name, type, value: ({ numbers }) => numbers[column] ?? Number.NaN }
}

/** Seconds since the epoch. */
export function startedAt(reading: ShardReading): number {
  return Math.round(reading.atMs / 1000 - infoNumber(reading, 'uptime_in_seconds'))
}
