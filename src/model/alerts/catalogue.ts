/**
 * Every alert there is: those of the reference under its names, and a few of our own for what it has no alert for. Nothing
 * else lists them: to add one is to add a row here, and to find out its value in src/observe/alerts/.
 */
import { type AlertKind, type AlertScope, fact, level, never, type Threshold } from './kind.ts'

const percent = (preset: string): Threshold => ({ unit: 'percent', preset, comparison: 'reaches' })
const daysLeft = (preset: string): Threshold => ({ unit: 'days', preset, comparison: 'runs-down-to' })
const above = (unit: string, preset = ''): Threshold => ({ unit, preset, comparison: 'exceeds' })
const below = (unit: string): Threshold => ({ unit, preset: '', comparison: 'falls-below' })

const NO_FLASH = 'Nothing is kept on flash.'
const NO_SOURCES = 'No database copies from another one (Replica Of).'
const NO_ACTIVE = 'There are no Active-Active databases.'
const NO_REMOVAL = 'No node can leave yet.'

const CLUSTER: readonly AlertKind[] = [
  level('cluster_certs_about_to_expire', daysLeft('45'), {
    severity: 'WARNING',
    measure: 'days_left',
    says: 'A certificate expires within <threshold> days',
    found: 'The end of the certificates of the cluster and of single databases.',
    isSteady: true,
  }),
  fact('cluster_even_node_count', {
    severity: 'WARNING',
    measure: 'node_count',
    says: 'True high availability requires an odd number of nodes, three at least',
    found: 'The number of nodes. With one it is over only when it is switched off.',
  }),
  never('cluster_flash_overcommit', NO_FLASH),
  never('cluster_inconsistent_rl_sw', 'There is one node.'),
  fact('cluster_internal_bdb', {
    severity: 'ERROR',
    says: 'The state of the cluster cannot be written',
    found: 'Whether the store that holds the state takes what is written.',
  }),
  never('cluster_license_about_to_expire', 'There is no licence.', daysLeft('7')),
  fact('cluster_multiple_nodes_down', {
    severity: 'WARNING',
    measure: 'nodes_down',
    says: 'Several nodes are down: data may be lost',
    found: 'The nodes that cannot be reached; there is one so far.',
  }),
  fact('cluster_node_joined', {
    severity: 'INFO',
    says: 'A node has joined the cluster',
    found: 'Nodes that joined within five minutes, the first one left out; none can join yet.',
  }),
  never('cluster_node_remove_abort_completed', NO_REMOVAL),
  never('cluster_node_remove_abort_failed', NO_REMOVAL),
  never('cluster_node_remove_completed', NO_REMOVAL),
  never('cluster_node_remove_failed', NO_REMOVAL),
  fact('cluster_ocsp_query_failed', {
    severity: 'ERROR',
    says: 'The OCSP server gave no answer',
    found: 'The last query about the certificate of the proxy.',
  }),
  fact('cluster_ocsp_status_revoked', {
    severity: 'ERROR',
    says: 'The certificate of the proxy is revoked',
    found: 'What the OCSP server says of it.',
  }),
  fact('cluster_ram_overcommit', {
    severity: 'ERROR',
    measure: 'promised_bytes',
    says: 'The cluster has less memory than its databases were promised',
    found: 'The memory of the nodes, and memory_size of all databases.',
  }),
  fact('cluster_too_few_nodes_for_replication', {
    severity: 'WARNING',
    measure: 'node_count',
    says: 'Databases with replicas need two nodes at least',
    found: 'The number of nodes, once there is a database with a replica.',
  }),
  level('cluster_users_count_approaches_limit', percent('90'), {
    severity: 'WARNING',
    measure: 'users_percent',
    says: 'There are <threshold> percent of the users that there can be',
    found: 'The number of users, of 32,000.',
    isOnByDefault: true,
    isSteady: true,
  }),
]

const NODE: readonly AlertKind[] = [
  fact('node_aof_slow_disk_io', {
    severity: 'ERROR',
    measure: 'delayed_fsyncs',
    says: 'Databases wait for the disk',
    found: 'Writes that waited because the disk had not taken earlier ones in two seconds (aof_delayed_fsync).',
    isSteady: false,
  }),
  fact('node_checks_error', {
    severity: 'ERROR',
    says: 'A check of the node failed',
    found: 'The checks of GET /v1/nodes/check, once a minute.',
  }),
  level('node_cpu_utilization', percent('80'), {
    severity: 'WARNING',
    measure: 'cpu_util',
    says: 'CPU utilization has reached <threshold>%',
    found: 'The time that the processors of the node do not idle.',
  }),
  level('node_ephemeral_storage', percent('80'), {
    severity: 'WARNING',
    measure: 'storage_util',
    says: 'Ephemeral storage has reached <threshold>% of its capacity',
    found: 'The file system for temporary files.',
  }),
  fact('node_failed', {
    severity: 'ERROR',
    says: 'The node is down',
    found: 'Whether the node can be reached; the only one cannot tell of its own end.',
  }),
  never('node_free_flash', NO_FLASH, percent('80')),
  fact('node_insufficient_disk_aofrw', {
    severity: 'ERROR',
    measure: 'missing',
    says: 'The node has too little disk space to rewrite the logs of writes',
    found: 'The free space, and the data of the databases that keep such a log.',
    isSteady: false,
  }),
  level('node_internal_certs_about_to_expire', daysLeft('45'), {
    severity: 'WARNING',
    measure: 'days_left',
    says: 'A certificate of the node expires within <threshold> days',
    found:
      'The end of the certificates that the cluster made for itself: a job makes them anew before, by default with 60 days left.',
    isSteady: true,
  }),
  level('node_memory', percent('80'), {
    severity: 'WARNING',
    measure: 'memory_util',
    says: 'Node memory has reached <threshold>% of its capacity',
    found: 'The memory that could not be used any more.',
  }),
  level(
    'node_net_throughput',
    { unit: 'bytes per second', preset: '', comparison: 'reaches' },
    {
      severity: 'WARNING',
      measure: 'throughput',
      says: 'Network throughput has reached <threshold> bytes/s',
      found: 'What the network interfaces take in and send out.',
    },
  ),
  level('node_persistent_storage', percent('80'), {
    severity: 'WARNING',
    measure: 'storage_util',
    says: 'Persistent storage has reached <threshold>% of its capacity',
    found: 'The file system of the data folder.',
  }),
]

const DATABASE: readonly AlertKind[] = [
  never('bdb_backup_delayed', 'No backups are made yet.', above('minutes')),
  never('bdb_crdt_src_high_syncer_lag', NO_ACTIVE, above('seconds')),
  never('bdb_crdt_src_syncer_connection_error', NO_ACTIVE),
  never('bdb_crdt_src_syncer_general_error', NO_ACTIVE),
  level('bdb_high_latency', above('microseconds'), {
    severity: 'WARNING',
    measure: 'latency',
    says: 'Latency is higher than <threshold> microseconds',
    found: 'The mean time that commands take in the engine.',
  }),
  never('bdb_high_syncer_lag', NO_SOURCES, above('seconds')),
  level('bdb_high_throughput', above('requests per second'), {
    severity: 'WARNING',
    measure: 'throughput',
    says: 'Throughput is higher than <threshold> requests per second',
    found: 'The commands that the shards carry out.',
  }),
  level('bdb_long_running_action', above('seconds', '600'), {
    severity: 'WARNING',
    measure: 'action_seconds',
    says: 'An action has been running for more than <threshold> seconds',
    found: 'The oldest action of the database that has not ended.',
    isSteady: true,
  }),
  level('bdb_low_throughput', below('requests per second'), {
    severity: 'WARNING',
    measure: 'throughput',
    says: 'Throughput is lower than <threshold> requests per second',
    found: 'The commands that the shards carry out.',
  }),
  level('bdb_ram_dataset_overhead', percent(''), {
    severity: 'WARNING',
    measure: 'overhead_util',
    says: 'What a shard needs beside its data has reached <threshold>% of its memory limit',
    found: 'The largest used_memory_overhead of its shards.',
  }),
  never('bdb_ram_values', NO_FLASH, below('percent')),
  never('bdb_replica_src_high_syncer_lag', NO_SOURCES, above('seconds')),
  never('bdb_replica_src_syncer_connection_error', NO_SOURCES),
  never('bdb_replica_src_syncer_general_error', NO_SOURCES),
  never('bdb_shard_num_ram_values', NO_FLASH, below('values')),
  level('bdb_size', percent('80'), {
    severity: 'WARNING',
    measure: 'memory_util',
    says: 'Dataset size has reached <threshold>% of the memory limit',
    found: 'used_memory of the primaries, of memory_size.',
  }),
  never('bdb_syncer_connection_error', NO_SOURCES),
  never('bdb_syncer_general_error', NO_SOURCES),
  fact('bdb_shard_down', {
    severity: 'ERROR',
    measure: 'shards_down',
    says: 'A process of the database is down, or cannot be reached',
    found: 'The processes that the database should have.',
    isOnByDefault: true,
    isOurs: true,
    isSteady: false,
  }),
  fact('bdb_replica_out_of_sync', {
    severity: 'WARNING',
    measure: 'replicas_out_of_sync',
    says: 'A replica does not follow its primary: a failover would lose data, or could not happen',
    found: 'The replicas that are not linked to their primaries.',
    isOnByDefault: true,
    isOurs: true,
    isSteady: false,
  }),
  fact('bdb_action_failed', {
    severity: 'ERROR',
    says: 'The last change of the database failed, and was undone',
    found: 'The newest action of the database that ended.',
    isOnByDefault: true,
    isOurs: true,
  }),
]

export const ALERTS: Readonly<Record<AlertScope, readonly AlertKind[]>> = {
  cluster: CLUSTER,
  node: NODE,
  bdb: DATABASE,
}

export function alertNamed(scope: AlertScope, name: string): AlertKind | undefined {
  return ALERTS[scope].find((kind) => kind.name === name)
}

/** Of each source that a database copies from; by these names they stand in paths. */
export const SOURCE_ALERTS = {
  replica: ['replica_src_high_syncer_lag', 'replica_src_syncer_connection_error', 'replica_src_syncer_general_error'],
  crdt: ['crdt_src_high_syncer_lag', 'crdt_src_syncer_connection_error', 'crdt_src_syncer_general_error'],
} as const
