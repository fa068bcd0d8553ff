/**
 * The routes of statistics: `/v1/…/stats` answers with the samples of a time, `/v1/…/stats/last` with the newest.
 */
import Type from 'typebox'
import { refuse } from '../errors.ts'
import type { ApiRequest, QueryParameter, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CLUSTER, databaseAt, databases, endpoints, nodeAt, nodes, shardAt, shards, shownDatabase } from './objects.ts'
import { QUESTION, questionIn } from './question.ts'
import { answerAll, answerLast, answerLastOne, answerOne } from './read.ts'
import { usageReportRoute } from './usage-report.ts'

const SampleObject = Type.Record(Type.String(), Type.Union([Type.Number(), Type.String()]))
const StatisticsObject = Type.Object(
  { uid: Type.Union([Type.String(), Type.Integer()]), intervals: Type.Array(SampleObject) },
  { additionalProperties: true },
)
const LastObject = Type.Record(Type.String(), SampleObject)
const PARENT: QueryParameter = {
  name: 'parent_uid',
  description: 'Only shards of the database with this uid',
  schema: Type.Integer({ minimum: 1 }),
}
const get = { method: 'GET', query: QUESTION } as const

export const statisticsRoutes: readonly Route[] = [
  usageReportRoute,
  {
    ...get,
    path: '/v1/bdbs/stats',
    access: 'view_all_bdb_stats',
    summary: 'Statistics of all databases',
    answers: Type.Array(StatisticsObject),
    refusals: ['invalid_query'],
    handle: (request, parts) => answerAll(request, parts, 'database', databases(request, parts)),
  },
  {
    ...get,
    path: '/v1/bdbs/stats/last',
    access: 'view_all_bdb_stats',
    summary: 'The newest statistics of all databases',
    answers: LastObject,
    refusals: ['invalid_query'],
    handle: (request, parts) => answerLast(request, parts, 'database', databases(request, parts)),
  },
  {
    ...get,
    path: '/v1/bdbs/stats/last/{uid}',
    access: 'view_bdb_stats',
    summary: 'The newest statistics of a database',
    answers: LastObject,
    refusals: ['db_not_exist', 'invalid_query'],
    handle: (request, parts) =>
      answerLast(request, parts, 'database', [shownDatabase(databaseAt(request, parts, request.params.uid).uid)]),
  },
  {
    ...get,
    path: '/v1/bdbs/stats/{uid}',
    access: 'view_bdb_stats',
    summary: 'Statistics of a database',
    answers: StatisticsObject,
    refusals: ['db_not_exist', 'invalid_query'],
    handle: (request, parts) =>
      answerOne(request, parts, shownDatabase(databaseAt(request, parts, request.params.uid).uid)),
  },
  {
    ...get,
    path: '/v1/nodes/stats',
    access: 'view_all_nodes_stats',
    summary: 'Statistics of all nodes',
    answers: Type.Array(StatisticsObject),
    refusals: ['invalid_query'],
    handle: (request, parts) => answerAll(request, parts, 'node', nodes(parts)),
  },
  {
    ...get,
    path: '/v1/nodes/stats/last',
    access: 'view_all_nodes_stats',
    summary: 'The newest statistics of all nodes',
    answers: LastObject,
    refusals: ['invalid_query'],
    handle: (request, parts) => answerLast(request, parts, 'node', nodes(parts)),
  },
  {
    ...get,
    path: '/v1/nodes/stats/last/{uid}',
    access: 'view_node_stats',
    summary: 'The newest statistics of a node',
    answers: LastObject,
    refusals: ['node_not_found', 'invalid_query'],
    handle: (request, parts) => answerLast(request, parts, 'node', [nodeAt(parts, request.params.uid)]),
  },
  {
    ...get,
    path: '/v1/nodes/stats/{uid}',
    access: 'view_node_stats',
    summary: 'Statistics of a node',
    answers: StatisticsObject,
    refusals: ['node_not_found', 'invalid_query'],
    handle: (request, parts) => answerOne(request, parts, nodeAt(parts, request.params.uid)),
  },
  {
    ...get,
    path: '/v1/cluster/stats',
    access: 'view_cluster_stats',
    summary: 'Statistics of the cluster',
    answers: StatisticsObject,
    refusals: ['invalid_query'],
    handle: (request, parts) => answerOne(request, parts, CLUSTER),
  },
  {
    ...get,
    path: '/v1/cluster/stats/last',
    access: 'view_cluster_stats',
    summary: 'The newest statistics of the cluster',
    answers: SampleObject,
    refusals: ['invalid_query'],
    handle: (request, parts) => answerLastOne(request, parts, CLUSTER),
  },
  {
    ...get,
    path: '/v1/shards/stats',
    access: 'view_all_shard_stats',
    summary: 'Statistics of all shards',
    query: [...QUESTION, PARENT],
    answers: Type.Array(StatisticsObject),
    refusals: ['invalid_query'],
    handle: (request, parts) => answerAll(request, parts, 'shard', shards(request, parts)),
  },
  {
    ...get,
    path: '/v1/shards/stats/last',
    access: 'view_all_shard_stats',
    summary: 'The newest statistics of all shards',
    query: [...QUESTION, PARENT],
    answers: LastObject,
    refusals: ['invalid_query'],
    handle: (request, parts) => answerLast(request, parts, 'shard', shards(request, parts)),
  },
  {
    ...get,
    path: '/v1/shards/stats/last/{uid}',
    access: 'view_shard_stats',
    summary: 'The newest statistics of a shard',
    answers: LastObject,
    refusals: ['shard_not_exist', 'invalid_query'],
    handle: (request, parts) => answerLast(request, parts, 'shard', [shardAt(request, parts, request.params.uid)]),
  },
  {
    ...get,
    path: '/v1/shards/stats/{uid}',
    access: 'view_shard_stats',
    summary: 'Statistics of a shard',
    answers: StatisticsObject,
    refusals: ['shard_not_exist', 'invalid_query'],
    handle: (request, parts) => answerOne(request, parts, shardAt(request, parts, request.params.uid)),
  },
  {
    ...get,
    path: '/v1/endpoints/stats',
    access: 'view_endpoint_stats',
    summary: 'Statistics of endpoints, for each node that serves them',
    answers: Type.Array(StatisticsObject),
    refusals: ['invalid_query'],
    handle: (request, parts) => answerAll(request, parts, 'endpoint', endpoints(request, parts)),
  },
  {
    ...get,
    path: '/v1/bdbs/{bdb_uid}/peer_stats',
    access: 'view_bdb_stats',
    summary: 'Statistics of the peers of an Active-Active database: there is none',
    answers: Type.Object({ peer_stats: Type.Array(StatisticsObject) }),
    refusals: ['db_not_exist', 'db_not_active_active', 'invalid_query'],
    handle: refusePeers,
  },
  {
    ...get,
    path: '/v1/bdbs/{bdb_uid}/peer_stats/{uid}',
    access: 'view_bdb_stats',
    summary: 'Statistics of a peer of an Active-Active database: there is none',
    answers: StatisticsObject,
    refusals: ['db_not_exist', 'db_not_active_active', 'invalid_query'],
    handle: refusePeers,
  },
  {
    ...get,
    path: '/v1/bdbs/{bdb_uid}/sync_source_stats',
    access: 'view_bdb_stats',
    summary: 'Statistics of the sources of a database: it has none',
    answers: Type.Object({ sync_source_stats: Type.Array(StatisticsObject) }),
    refusals: ['db_not_exist', 'invalid_query'],
    handle: (request, parts) => {
      databaseAt(request, parts, request.params.bdb_uid)
      questionIn(request, 'database')
      return { json: { sync_source_stats: [] } }
    },
  },
  {
    ...get,
    path: '/v1/bdbs/{bdb_uid}/sync_source_stats/{uid}',
    access: 'view_bdb_stats',
    summary: 'Statistics of a source of a database: it has none',
    answers: StatisticsObject,
    refusals: ['db_not_exist', 'sync_source_not_found', 'invalid_query'],
    handle: (request, parts) => {
      databaseAt(request, parts, request.params.bdb_uid)
      return refuse('sync_source_not_found')
    },
  },
]

function refusePeers(request: ApiRequest, parts: Parts): never {
  databaseAt(request, parts, request.params.bdb_uid)
  questionIn(request, 'database')
  return refuse('db_not_active_active')
}
