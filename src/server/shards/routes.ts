/**
 * The routes of shards.
 */
import Type from 'typebox'
import { ShardObject } from '#model/shard.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import { readShard, readShards } from './read.ts'

const EXTRA: readonly QueryParameter[] = [
  { name: 'extra_info_keys', description: 'Comma-separated fields of INFO to show as well', schema: Type.String() },
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
]
