/**
 * The policy object of the API (cluster_settings in the reference): presets for new databases, placement, and the pace of
 * what the cluster does by itself. With one node and one shard per database, most of it has nothing to decide yet.
 */

import { applied, kept, refused } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { PROXY_POLICIES } from './proxy-policies.ts'
import { BYTES_MAX, flag, objectOf, oneOf, oneOfNumbers, text, whole } from './shapes.ts'

const ONE_NODE = 'The cluster has one node.'
const NO_PROXY = 'With one node there is one proxy at most, and it serves every sharded database.'
const NO_FLASH = 'There is no data on flash.'
const NO_BACKUP = 'It says nothing while backups are not available.'
const NO_METRICS = 'Metrics are told as they are at any time, with names, and there is no watchdog.'
const NO_SERVICE = 'It tunes a service that is not part of this control plane.'

const off = (why: string) => ({ accepts: [false], why })
const bytes = (description: string) => whole(0, description, { maximum: BYTES_MAX })
const share = (preset: number, description: string) => whole(preset, description, { maximum: 100 })

const fields = {
  // Presets for new databases.
  default_provisioned_redis_version: applied(
    text('', 'Engine of new databases; empty: the newest.', { maxLength: 40 }),
  ),
  default_tracking_table_max_keys_policy: applied(
    whole(1_000_000, 'tracking_table_max_keys of new databases.', { maximum: BYTES_MAX }),
  ),
  default_shards_placement: kept(
    oneOf(['dense', 'sparse'], 'dense', 'shards_placement of new databases.'),
    'With one node, few and many are the same.',
  ),
  default_non_sharded_proxy_policy: applied(oneOf([...PROXY_POLICIES], 'single', 'proxy_policy of new databases.')),
  default_sharded_proxy_policy: applied(oneOf([...PROXY_POLICIES], 'all-master-shards', 'The same when sharded.')),
  default_oss_cluster: refused(
    flag(false, 'oss_cluster of new databases.'),
    off('Each database says for itself whether it speaks the cluster protocol.'),
  ),
  default_oss_sharding: kept(flag(false, 'Reserved.'), 'The reference reserves it for the future.'),
  default_bigstore_version: kept(oneOfNumbers([1, 2], 1, 'bigstore_version of new databases.'), NO_FLASH),
  default_fork_evict_ram: kept(
    flag(false, 'Evict keys so that a fork fits.'),
    'No open engine evicts for the sake of a fork.',
  ),
  default_recovery_wait_time: kept(
    whole(-1, 'recovery_wait_time of new databases.', { minimum: -1 }),
    'Files are on the node of their shard: there is nothing to wait for.',
  ),
  oss_cluster_api_preferred_endpoint_type: kept(
    oneOf(['ip', 'hostname'], 'ip', 'The same of new endpoints.'),
    'Databases listen on one address, which is what the cluster protocol tells.',
  ),
  oss_cluster_api_preferred_ip_type: kept(
    oneOf(['internal', 'external'], 'internal', 'The same of new endpoints.'),
    'Databases listen on one address, which is what the cluster protocol tells.',
  ),
  resp3_default: kept(
    flag(true, 'resp3 of databases that are upgraded to 7.2.'),
    'Databases keep theirs when upgraded.',
  ),
  redis_upgrade_policy: kept(
    oneOf(['major', 'latest'], 'major', 'Which versions to upgrade to.'),
    'Engines are those that are installed.',
  ),
  acl_pubsub_default: applied(
    oneOf(
      ['resetchannels', 'allchannels'],
      'allchannels',
      'Channels that an ACL allows when it does not speak of them.',
    ),
  ),
  data_internode_encryption: applied(flag(false, 'data_internode_encryption of new databases.')),
  db_conns_auditing: refused(
    flag(false, 'Audit the connections of new databases.'),
    off('Connections are not audited here.'),
    { deprecated: true },
  ),
  hide_user_data_from_log: refused(
    flag(false, 'Keep data of users out of the logs of engines.'),
    off('Not every engine can do that.'),
  ),

  // Memory, placement and nodes.
  shards_overbooking: applied(flag(true, 'Promise databases more memory than there is.')),
  rack_aware: refused(flag(false, 'Keep replicas in different racks.'), {
    ...off(ONE_NODE),
    code: 'rack_awareness_violation',
  }),
  automatic_node_offload: kept(flag(true, 'Move shards away from a node that is promised too much.'), ONE_NODE),
  evict_node_use_free_memory: kept(flag(false, 'Count free memory when a node is emptied.'), ONE_NODE),
  persistent_node_removal: kept(flag(false, 'Wait for files when a node is removed.'), ONE_NODE),
  redis_migrate_node_threshold: kept(bytes('Free bytes below which shards move away.'), ONE_NODE),
  redis_migrate_node_threshold_p: kept(share(4, 'The same in percent.'), ONE_NODE),
  redis_provision_node_threshold: kept(bytes('Free bytes below which no shards come.'), ONE_NODE),
  redis_provision_node_threshold_p: kept(share(12, 'The same in percent.'), ONE_NODE),
  bigstore_migrate_node_threshold: kept(bytes('Free flash below which shards move away.'), NO_FLASH),
  bigstore_migrate_node_threshold_p: kept(share(0, 'The same in percent.'), NO_FLASH),
  bigstore_provision_node_threshold: kept(bytes('Free flash below which no shards come.'), NO_FLASH),
  bigstore_provision_node_threshold_p: kept(share(0, 'The same in percent.'), NO_FLASH),
  max_redis_forks: kept(
    whole(0, 'Forks at a time on a node; 0: no limit.'),
    'Engines decide themselves when they fork.',
  ),
  endpoint_rebind_propagation_grace_time: kept(whole(15, 'Seconds between adding and removing a proxy.'), NO_PROXY),
  expose_hostnames_for_all_suffixes: kept(
    flag(false, 'Host names for every DNS suffix.'),
    'Names are not published yet.',
  ),
  failure_detection_sensitivity: applied(
    oneOf(['high', 'low'], 'high', 'Whether a process that hangs is replaced after 2.5 seconds, or after 11.'),
  ),
  witness_disk_update_frequency_divisor: kept(
    whole(3, 'How often a witness disk is written.', { minimum: 1 }),
    NO_SERVICE,
  ),

  // Replicas and recovery.
  auto_recovery: kept(flag(false, 'Recover databases by themselves.'), 'Databases always recover by themselves.'),
  repl_diskless: kept(flag(true, 'Feed replicas without a file.'), 'The engine decides.'),
  diskless_repl: kept(oneOf(['yes', 'no'], 'yes', 'The same under its older name.'), 'The engine decides.', {
    deprecated: true,
  }),
  max_slave_full_syncs: applied(whole(0, 'Replicas of a node that copy all data at a time; 0: no limit.')),
  slave_ha: refused(flag(false, 'Replace lost replicas elsewhere.'), off(ONE_NODE), { deprecated: true }),
  slave_ha_grace_period: kept(whole(900, 'Seconds before that.'), ONE_NODE),
  slave_ha_cooldown_period: kept(whole(3600, 'Seconds between two of those.'), ONE_NODE),
  slave_ha_bdb_cooldown_period: kept(whole(86_400, 'Seconds between two of those on one database.'), ONE_NODE),
  parallel_shards_upgrade: kept(
    whole(0, 'Shards to upgrade at a time; 0: all.'),
    'All shards of a database are replaced at a time.',
  ),
  default_concurrent_restore_actions: kept(whole(10, 'Restores at a time; 0: no limit.'), NO_BACKUP),
  max_simultaneous_backups: kept(whole(4, 'Backups at a time.'), NO_BACKUP),
  persistence_cleanup_grace_time: kept(
    whole(0, 'Seconds that stale files stay.'),
    'Files go with the database that they belong to.',
  ),
  persistence_cleanup_scan_interval: kept(
    text('', 'When stale files are looked for, as a cron expression.'),
    'Files go with the database that they belong to.',
  ),
  use_librdb: kept(flag(false, 'Read snapshots with another library.'), NO_BACKUP),

  // Signing in.
  login_lockout_threshold: applied(whole(5, 'Wrong passwords until a user is locked out; 0: never.')),
  login_lockout_duration: applied(whole(1800, 'For how many seconds; 0: until the password is changed.')),
  login_lockout_counter_reset_after: applied(whole(900, 'Seconds after which wrong passwords are forgotten.')),
  master_healthcheck_api_auth: refused(flag(true, 'Require a password for the local health check.'), {
    accepts: [true],
    why: 'It is always required once there is a cluster.',
  }),

  // What is told.
  show_internals: kept(
    flag(false, 'Show databases of the cluster itself.'),
    'The cluster has no databases of its own.',
  ),
  show_metrics_during_state_machine: kept(flag(false, 'Metrics while something changes.'), NO_METRICS),
  metrics_exporter_expose_bdb_name: kept(flag(false, 'Names of databases in metrics.'), NO_METRICS),
  filter_node_wd_health_metrics: kept(flag(true, 'Leave out the metrics of the watchdog.'), NO_METRICS),
  max_saved_events_per_type: kept(
    whole(0, 'Events that are kept of each kind.'),
    'The newest 100 MB of events are kept, of all kinds together.',
  ),
  slow_log_max_len: kept(
    whole(1024, 'Entries of the slow log in support packages.'),
    'Support packages hold no slow logs: arguments of commands are data.',
  ),
}

export const ClusterPolicy = objectOf('cluster_settings', fields)

const parser = compileObject(ClusterPolicy)

export function policyParser(): ObjectParser {
  return parser
}
