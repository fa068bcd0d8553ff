/**
 * The routes of shards.
 */
import Type from 'typebox'
import { ShardObject } from '#model/shard.ts'
import type { RefusalCode } from '../errors.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import { handOverShard, handOverShards } from './failover.ts'
import { migrateShard, migrateShards } from './migrate.ts'
import { readShard, readShards } from './read.ts'

const EXTRA: readonly QueryParameter[] = [
  { name: 'extra_info_keys', description: 'Comma-separated fields of INFO to show as well', schema: Type.String() },
]

const Names = Type.Array(Type.String())
const FailoverBody = Type.Object({
  shard_uids: Type.Optional(Names),
  dead_uids: Type.Optional(Names),
  dead_nodes: Type.Optional(Names),
  dry_run: Type.Optional(Type.Boolean()),
  force_rebind: Type.Optional(Type.Boolean()),
  drill: Type.Optional(Type.Boolean()),
  target_ms: Type.Optional(Type.Integer({ minimum: 1 })),
})
const FailoverAnswer = Type.Object({ action_uid: Type.String(), description: Type.String() })
const FAILOVER: readonly RefusalCode[] = [
  'shard_not_exist',
  'shard_is_slave',
  'no_replica_in_step',
  'db_busy',
  'invalid_field',
  'unknown_field',
]

const MigrateBody = Type.Object({
  shard_uids: Type.Optional(Names),
  target_node_uid: Type.Optional(Type.Union([Type.Integer(), Type.String()])),
  override_rack_policy: Type.Optional(Type.Boolean()),
  dry_run: Type.Optional(Type.Boolean()),
  preserve_roles: Type.Optional(Type.Boolean()),
  max_concurrent_bdb_migrations: Type.Optional(Type.Integer()),
})
const MIGRATE: readonly RefusalCode[] = [
  'shard_not_exist',
  'node_not_found',
  'db_busy',
  'invalid_field',
  'unknown_field',
]

export const shardRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/shards',
    access: 'view_all_shard_stats',
    summary: 'All shards, asked at this moment',
    query: EXTRA,
    answers: Type.Array(ShardObject),
    refusals: [],
    handle: readShards,
  },
  {
    method: 'GET',
    path: '/v1/shards/{uid}',
    access: 'view_shard_stats',
    summary: 'One shard, asked at this moment',
    query: EXTRA,
    answers: ShardObject,
    refusals: ['shard_not_exist'],
    handle: readShard,
  },
  {
    method: 'POST',
    path: '/v1/shards/actions/migrate',
    access: 'migrate_shard',
    summary: 'Have shards move to another node',
    body: MigrateBody,
    answers: FailoverAnswer,
    refusals: [...MIGRATE, 'shard_uids_required'],
    handle: migrateShards,
  },
  {
    method: 'POST',
    path: '/v1/shards/{uid}/actions/migrate',
    access: 'migrate_shard',
    summary: 'Have a shard move to another node',
    body: MigrateBody,
    answers: FailoverAnswer,
    refusals: MIGRATE,
    handle: migrateShard,
  },
  {
    method: 'POST',
    path: '/v1/shards/actions/failover',
    access: 'failover_shard',
    summary: 'Have primaries of one database hand over to their replicas, without losing a write',
    body: FailoverBody,
    answers: FailoverAnswer,
    refusals: [...FAILOVER, 'shard_uids_required', 'failover_shards_different_bdb'],
    handle: handOverShards,
  },
  {
    method: 'POST',
    path: '/v1/shards/{uid}/actions/failover',
    access: 'failover_shard',
    summary: 'Have a primary hand over to its replica, without losing a write',
    body: FailoverBody,
    answers: FailoverAnswer,
    refusals: FAILOVER,
    handle: handOverShard,
  },
]
