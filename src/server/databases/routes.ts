/**
 * The routes of databases: one row each. What a row does is in the file that its handler comes from.
 */
import Type from 'typebox'
import { DatabaseObject } from '#model/database/schema.ts'
import { ShardObject } from '#model/shard.ts'
import type { RefusalCode } from '../errors.ts'
import { DRY_RUN, EXTENDED, FIELDS } from '../http/query.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import { readDatabaseShards } from '../shards/read.ts'
import { databaseAvailability, endpointAvailability } from './availability.ts'
import { runCommand } from './command.ts'
import { createDatabase, createDatabaseV2 } from './create.ts'
import { addPassword, removePassword, setPassword } from './passwords.ts'
import { optimizedPlacement, rebalanceDatabase, revampDatabase } from './placement.ts'
import { readDatabase, readDatabases } from './read.ts'
import { deleteDatabase } from './remove.ts'
import { resumeTraffic, stopTraffic } from './traffic.ts'
import { updateDatabase, updateDatabaseWithAction } from './update.ts'
import { upgradeDatabase } from './upgrade.ts'

const CONFIGURATION: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'invalid_configuration',
  'unsupported_feature',
  'invalid_db_name',
  'missing_db_name',
  'invalid_certificate',
  'invalid_password',
  'invalid_sharding',
  'bad_shards_blueprint',
  'bdb_unavailable',
  'port_unavailable',
  'insufficient_resources',
  'invalid_data_persistence',
  'eviction_policy_violation',
  'invalid_bdb_tags',
  'wrong_cluster_state_id',
]
const PLACEMENT: readonly RefusalCode[] = [
  'db_not_exist',
  'invalid_query',
  'invalid_field',
  'insufficient_resources',
  'busy',
  'db_not_active',
  'wrong_cluster_state_id',
  'etag_mismatch',
]
const CREATION: readonly RefusalCode[] = [
  ...CONFIGURATION,
  'insufficient_permissions',
  'busy',
  'missing_memory_size',
  'uid_exists',
  'invalid_version',
  'idempotency_key_reused',
]
const CHANGE: readonly RefusalCode[] = [...CONFIGURATION, 'db_not_exist', 'busy', 'db_not_active', 'etag_mismatch']
const PASSWORD: readonly RefusalCode[] = [
  'db_not_exist',
  'invalid_password',
  'missing_field',
  'unknown_field',
  'busy',
  'etag_mismatch',
  'wrong_cluster_state_id',
]

const TRAFFIC: readonly RefusalCode[] = [
  'db_not_exist',
  'busy',
  'db_not_active',
  'etag_mismatch',
  'wrong_cluster_state_id',
]

const TrafficAnswer = Type.Object({ action_uid: Type.String() })
const PasswordBody = Type.Object({ password: Type.String({ minLength: 1, maxLength: 512 }) })
const UpgradeBody = Type.Object({
  redis_version: Type.Optional(Type.String({ description: 'Such as 7.2, or valkey 8.1; absent: the newest.' })),
  force_restart: Type.Optional(Type.Boolean({ description: 'Also when the version stays the same.' })),
  keep_redis_version: Type.Optional(Type.Boolean()),
})
const CommandBody = Type.Object({ command: Type.String(), args: Type.Optional(Type.Array(Type.String())) })
const CommandAnswer = Type.Object({ response: Type.Unknown() })
const AVAILABILITY: readonly QueryParameter[] = [
  { name: 'extend_check', description: 'Comma-separated further checks: lag', schema: Type.String() },
  {
    name: 'availability_lag_tolerance_ms',
    description: 'How far a replica may be behind, in milliseconds',
    schema: Type.Integer(),
  },
]

const BlueprintObject = Type.Array(
  Type.Object({
    nodes: Type.Array(Type.Object({ node_uid: Type.String(), role: Type.String() })),
    slot_range: Type.String(),
  }),
)
const BlueprintOrAction = Type.Union([Type.Object({ action_uid: Type.String() }), BlueprintObject])
const RevampBody = Type.Object({
  avoid_nodes: Type.Optional(Type.Array(Type.String())),
  bigstore_ram_size: Type.Optional(Type.Integer()),
  memory_size: Type.Optional(Type.Integer()),
  replication: Type.Optional(Type.Boolean()),
  shards_count: Type.Optional(Type.Integer()),
  shards_placement: Type.Optional(Type.String()),
})
const PLACEMENT_QUERY: readonly QueryParameter[] = [
  { name: 'avoid_nodes', description: 'Comma-separated uids of nodes to avoid', schema: Type.String() },
  { name: 'memory_size', description: 'As if the database had this memory_size', schema: Type.Integer() },
  { name: 'shards_count', description: 'As if it had so many shards', schema: Type.Integer() },
  { name: 'shards_placement', description: 'dense or sparse', schema: Type.String() },
  { name: 'bigstore_ram_size', description: 'Must be 0: there is no flash', schema: Type.Integer() },
  { name: 'replication', description: 'enabled or disabled', schema: Type.String() },
]
const REBALANCE_QUERY: readonly QueryParameter[] = [
  { name: 'only_failovers', description: 'Move nothing, only hand over between replicas', schema: Type.Boolean() },
  { name: 'max_operations', description: 'How many hand-overs at most', schema: Type.Integer() },
]
const PAUSE_PERSISTENCE: QueryParameter = {
  name: 'pause_persistence',
  description: 'Must be false: persistence is never paused',
  schema: Type.Boolean(),
}

export const databaseRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/bdbs',
    access: 'view_all_bdbs_info',
    summary: 'All databases',
    query: [FIELDS, EXTENDED],
    answers: Type.Array(DatabaseObject),
    refusals: [],
    handle: readDatabases,
  },
  {
    method: 'POST',
    path: '/v1/bdbs',
    access: 'create_bdb',
    summary: 'Create a database',
    query: [DRY_RUN],
    body: DatabaseObject,
    answers: DatabaseObject,
    refusals: CREATION,
    handle: createDatabase,
  },
  {
    method: 'POST',
    path: '/v2/bdbs',
    access: 'create_bdb',
    summary: 'Create a database given under "bdb"',
    query: [DRY_RUN],
    body: Type.Object({ bdb: DatabaseObject }),
    answers: DatabaseObject,
    refusals: [...CREATION, 'missing_field'],
    handle: createDatabaseV2,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}',
    access: 'view_bdb_info',
    summary: 'One database',
    query: [FIELDS, EXTENDED],
    answers: DatabaseObject,
    refusals: ['db_not_exist'],
    handle: readDatabase,
  },
  {
    method: 'PUT',
    path: '/v1/bdbs/{uid}',
    access: 'update_bdb',
    summary: 'Change a database',
    query: [DRY_RUN],
    body: DatabaseObject,
    answers: DatabaseObject,
    refusals: CHANGE,
    handle: updateDatabase,
  },
  {
    method: 'DELETE',
    path: '/v1/bdbs/{uid}',
    access: 'delete_bdb',
    summary: 'Delete a database with all its data',
    answers: DatabaseObject,
    refusals: ['db_not_exist', 'busy', 'insufficient_permissions', 'etag_mismatch', 'wrong_cluster_state_id'],
    handle: deleteDatabase,
  },
  {
    method: 'PUT',
    path: '/v1/bdbs/{uid}/{action}',
    access: 'update_bdb_with_action',
    summary: 'Change a database and flush it, or give it a new administrative password',
    query: [DRY_RUN],
    body: DatabaseObject,
    answers: DatabaseObject,
    refusals: [...CHANGE, 'unknown_action', 'insufficient_permissions'],
    handle: updateDatabaseWithAction,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/actions/optimize_shards_placement',
    access: 'view_bdb_info',
    summary: 'Where the shards of the database would best be, as a blueprint',
    query: PLACEMENT_QUERY,
    answers: BlueprintObject,
    refusals: ['db_not_exist', 'invalid_query', 'unknown_field', 'invalid_field', 'insufficient_resources'],
    handle: optimizedPlacement,
  },
  {
    method: 'PUT',
    path: '/v1/bdbs/{uid}/actions/rebalance',
    access: 'update_bdb_with_action',
    summary: 'Move hash slots until no shard has much more keys, or work, than another',
    query: [DRY_RUN, ...REBALANCE_QUERY],
    answers: BlueprintOrAction,
    refusals: [...PLACEMENT, 'bdb_unavailable'],
    handle: rebalanceDatabase,
  },
  {
    method: 'PUT',
    path: '/v1/bdbs/{uid}/actions/revamp',
    access: 'update_bdb_with_action',
    summary: 'Change how many shards and replicas there are, and place them anew',
    query: [DRY_RUN, PAUSE_PERSISTENCE],
    body: RevampBody,
    answers: BlueprintOrAction,
    refusals: [...PLACEMENT, ...CONFIGURATION, 'invalid_sharding'],
    handle: revampDatabase,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/actions/stop_traffic',
    access: 'update_bdb_with_action',
    summary: 'Keep applications out of a database, and send away those that are there',
    answers: TrafficAnswer,
    refusals: TRAFFIC,
    handle: stopTraffic,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/actions/resume_traffic',
    access: 'update_bdb_with_action',
    summary: 'Let applications into a database again',
    answers: TrafficAnswer,
    refusals: TRAFFIC,
    handle: resumeTraffic,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/upgrade',
    access: 'update_bdb_with_action',
    summary: 'Replace the processes of a database by those of another version while it serves',
    body: UpgradeBody,
    answers: DatabaseObject,
    refusals: [...CHANGE, 'invalid_version'],
    handle: upgradeDatabase,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/passwords',
    access: 'update_bdb',
    summary: 'Add a password of the default user',
    body: PasswordBody,
    answers: DatabaseObject,
    refusals: PASSWORD,
    handle: addPassword,
  },
  {
    method: 'PUT',
    path: '/v1/bdbs/{uid}/passwords',
    access: 'update_bdb',
    summary: 'Set the only password of the default user',
    body: PasswordBody,
    answers: DatabaseObject,
    refusals: PASSWORD,
    handle: setPassword,
  },
  {
    method: 'DELETE',
    path: '/v1/bdbs/{uid}/passwords',
    access: 'update_bdb',
    summary: 'Remove a password of the default user',
    body: PasswordBody,
    answers: DatabaseObject,
    refusals: [...PASSWORD, 'password_not_exist'],
    handle: removePassword,
  },
  {
    method: 'POST',
    path: '/v1/bdbs/{uid}/command',
    access: 'update_bdb',
    summary: 'Run a command on a database',
    body: CommandBody,
    answers: CommandAnswer,
    refusals: [
      'db_not_exist',
      'db_not_active',
      'command_failed',
      'unknown_field',
      'invalid_field',
      'missing_field',
      'bdb_unavailable',
    ],
    handle: runCommand,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{uid}/availability',
    access: 'view_bdb_info',
    summary: 'Whether the database can be used right now',
    query: AVAILABILITY,
    refusals: [
      'invalid_query',
      'db_not_found',
      'bdb_unavailable',
      'bdb_unavailable_shard_unreachable',
      'bdb_unavailable_port_unbound',
      'bdb_unavailable_shard_unreachable_port_unbound',
    ],
    handle: databaseAvailability,
  },
  {
    method: 'GET',
    path: '/v1/local/bdbs/{uid}/endpoint/availability',
    access: 'view_bdb_info',
    beforeBootstrap: true,
    summary: 'Whether the endpoint of the database on this node can be used right now',
    query: AVAILABILITY,
    refusals: ['invalid_query', 'db_not_found', 'bdb_endpoint_unavailable'],
    handle: endpointAvailability,
  },
  {
    method: 'GET',
    path: '/v1/bdbs/{bdb_uid}/shards',
    access: 'view_bdb_info',
    summary: 'The shards of one database',
    answers: Type.Array(ShardObject),
    refusals: ['db_not_exist'],
    handle: readDatabaseShards,
  },
]
