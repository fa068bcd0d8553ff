import assert from 'node:assert/strict'
import { test } from 'node:test'
import { defaultsOf } from '../parse.ts'
import {
  DatabaseObject,
  databaseDefaults,
  databaseParser,
  ignoredDatabaseFields,
  secretDatabaseFields,
} from './schema.ts'

/** Every field that the reference (8.2) documents for a database. */
const DOCUMENTED = `
account_id action_uid active_defrag_cycle_max active_defrag_cycle_min active_defrag_ignore_bytes
active_defrag_max_scan_fields active_defrag_threshold_lower active_defrag_threshold_upper activedefrag aof_policy
audit_settings authentication_admin_pass authentication_redis_pass authentication_sasl_pass authentication_sasl_uname
authentication_ssl_client_certs authentication_ssl_crdt_certs authorized_names authorized_subjects
auto_shards_balancing auto_shards_balancing_grace_period auto_upgrade avoid_nodes background_op backup
backup_failure_reason backup_history backup_interval backup_interval_offset backup_location backup_progress
backup_status bigstore bigstore_ram_size bigstore_ram_weights bigstore_version client_cert_subject_validation_type
conns conns_global_maximum_dedicated conns_minimum_dedicated conns_type crdt crdt_causal_consistency
crdt_config_version crdt_featureset_version crdt_ghost_replica_ids crdt_guid crdt_modules crdt_protocol_version
crdt_repl_backlog_size crdt_replica_id crdt_replicas crdt_sources crdt_sync crdt_sync_connection_alarm_timeout_seconds
crdt_sync_dist crdt_syncer_auto_oom_unlatch crdt_xadd_id_uniqueness_mode created_time data_internode_encryption
data_persistence dataset_import_sources db_conns_auditing default_user disabled_commands
disconnect_clients_on_password_removal dns_address_master email_alerts endpoint endpoint_ip endpoint_node endpoints
enforce_client_authentication eviction_policy export_failure_reason export_progress export_status
generate_text_monitor gradual_src_max_sources gradual_src_mode gradual_sync_max_shards_per_source gradual_sync_mode
gradual_sync_policy gradual_sync_policy_parameters hash_slots_policy implicit_shard_key import_failure_reason
import_progress import_status internal last_backup_time last_changed_time last_export_time link_sconn_on_full_request
master_persistence max_aof_file_size max_aof_load_time max_client_pipeline max_connections max_pipelined maxclients
memory_size metrics_export_all mkms module_list mtls_allow_outdated_certs mtls_allow_weak_hashing multi_commands_opt
name oss_cluster oss_cluster_api_preferred_endpoint_type oss_cluster_api_preferred_ip_type oss_sharding
partial_request_timeout_seconds port preemptive_drain_timeout_seconds probabilistic proxy_policy
query_performance_factor rack_aware recovery_wait_time redis_version repl_backlog_size replica_read_only
replica_sconns_on_demand replica_sources replica_sync replica_sync_connection_alarm_timeout_seconds replica_sync_dist
replication replication_oom_threshold_percent resp3 roles_permissions sched_policy search search_on_bigstore
shard_block_crossslot_keys shard_block_foreign_keys shard_imbalance_threshold shard_imbalance_threshold_percentage
shard_key_regex shard_list sharding shards_count shards_placement skip_import_analyze slave_buffer slave_ha
slave_ha_priority snapshot_policy ssl status support_syncer_reconf sync sync_dedicated_threads sync_sources
syncer_log_level syncer_mode tags timeseries tls_mode tracking_table_max_keys traffic_manually_disabled type uid
use_nodes use_selective_flush version wait_command
`

/** Enumerations as documented: strict clients fail on any other value. */
const ENUMERATIONS: Readonly<Record<string, string>> = {
  activedefrag: 'yes no',
  aof_policy: 'appendfsync-every-sec appendfsync-always',
  backup_failure_reason: 'no-permission wrong-file-path general-error',
  backup_status: 'exporting succeeded failed',
  bigstore_version: '1 2',
  client_cert_subject_validation_type: 'disabled san_cn full_subject',
  conns_type: 'per-thread per-shard',
  crdt_sync: 'enabled disabled paused stopped',
  crdt_xadd_id_uniqueness_mode: 'liberal strict semi-strict',
  data_persistence: 'disabled snapshot aof',
  enforce_client_authentication: 'enabled disabled',
  eviction_policy:
    'volatile-lru volatile-ttl volatile-random allkeys-lru allkeys-random noeviction volatile-lfu allkeys-lfu allkeys-lrm volatile-lrm',
  export_failure_reason: 'no-permission wrong-file-path general-error',
  export_status: 'exporting succeeded failed',
  gradual_src_mode: 'enabled disabled',
  gradual_sync_mode: 'enabled disabled auto',
  gradual_sync_policy: 'default non-gradual migration replica active-active custom',
  hash_slots_policy: 'legacy 16k',
  import_status: 'idle initializing importing succeeded failed',
  link_sconn_on_full_request: 'enabled disabled ssl_only',
  multi_commands_opt: 'disabled batch auto',
  oss_cluster_api_preferred_endpoint_type: 'ip hostname',
  oss_cluster_api_preferred_ip_type: 'internal external',
  proxy_policy: 'single all-master-shards all-nodes',
  replica_sconns_on_demand: 'enabled disabled',
  replica_sync: 'enabled disabled paused stopped',
  sched_policy: 'cmp mru spread mnp',
  shards_placement: 'dense sparse',
  skip_import_analyze: 'enabled disabled',
  status: 'pending active active-change-pending delete-pending import-pending creation-failed recovery',
  sync: 'enabled disabled paused stopped',
  syncer_log_level: 'crit error warn info trace debug',
  syncer_mode: 'distributed centralized',
  tls_mode: 'enabled disabled replica_ssl',
  type: 'redis memcached',
}

const { properties } = DatabaseObject

test('has every documented field and no other', () => {
  assert.deepEqual(Object.keys(properties).sort(), DOCUMENTED.trim().split(/\s+/))
})

test('has the documented values of every enumeration', () => {
  const own = Object.entries(properties).flatMap(([name, { enum: values }]) =>
    values ? [[name, values.join(' ')]] : [],
  )
  assert.deepEqual(Object.fromEntries(own.sort()), ENUMERATIONS)
})

test('a database that was read can be sent back, and only what can be set is left of it', () => {
  const read = {
    ...defaultsOf(DatabaseObject),
    uid: 7,
    status: 'active',
    redis_version: '7.0',
    backup_status: 'failed',
  }
  const parsed = databaseParser().parse(JSON.parse(JSON.stringify(read)), 'update', read)
  assert.ok(parsed.ok, JSON.stringify(parsed))
  const createOnly = Object.entries(properties).flatMap(([name, field]) => (field['x-create-only'] ? [name] : []))
  const expected = Object.keys(databaseDefaults()).filter((name) => !createOnly.includes(name))
  assert.deepEqual(Object.keys(parsed.value).sort(), expected.sort())
})

test('every configuration has a value for all that can be set, and for nothing else', () => {
  const settable = Object.entries(properties).flatMap(([name, field]) =>
    field['x-effect'] === 'reported' ? [] : [name],
  )
  assert.deepEqual(Object.keys(databaseDefaults()).sort(), settable.filter((name) => name !== 'uid').sort())
})

test('what a real cluster shows besides is ignored, and never one of our own fields', () => {
  const body = Object.fromEntries(ignoredDatabaseFields.map((name) => [name, 1]))
  assert.deepEqual(databaseParser().parse(body, 'create'), { ok: true, value: {} })
  for (const name of ignoredDatabaseFields) assert.ok(!(name in properties), name)
})

test('seals what holds a password or a key', () => {
  assert.deepEqual([...secretDatabaseFields].sort(), [
    'authentication_admin_pass',
    'authentication_redis_pass',
    'authentication_sasl_pass',
    'backup_location',
    'crdt_sources',
    'dataset_import_sources',
    'replica_sources',
    'sync_sources',
  ])
})

test('nothing that promises protection or durability is merely kept', () => {
  const promises = [
    'authentication_ssl_client_certs',
    'audit_settings',
    'backup',
    'data_internode_encryption',
    'rack_aware',
    'replica_read_only',
    'replication',
    'roles_permissions',
    'shard_block_crossslot_keys',
    'slave_ha',
    'ssl',
    'tls_mode',
  ]
  for (const name of promises) assert.match(String(properties[name]?.['x-effect']), /^(refused|applied)$/, name)
})
