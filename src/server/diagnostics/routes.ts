/**
 * The routes for finding out what is wrong: checks of nodes, and support packages. Those who are limited to some databases
 * get packages of these alone.
 */
import Type from 'typebox'
import type { NodeDocument } from '#model/documents/cluster.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { wholeNumber } from '../http/query.ts'
import type { Answer, ApiRequest, QueryParameter, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { checkNodes, isFine, shownFindings } from './checks.ts'
import { scrubberOf } from './scrub.ts'
import { type PackageScope, supportPackage } from './support-package.ts'

const CheckedNode = {
  result: Type.Boolean({ description: 'Whether every check went well.' }),
  error: Type.Optional(Type.String({ description: 'The first thing that is wrong.' })),
  checks: Type.Array(
    Type.Object({ name: Type.String(), result: Type.Boolean(), error: Type.Optional(Type.String()) }),
    { description: 'All of them (not in the original).' },
  ),
}
const NodeCheckObject = Type.Object({ node_uid: Type.Integer(), ...CheckedNode })
const ClusterCheckObject = Type.Object({
  cluster_test_result: Type.Boolean(),
  nodes: Type.Array(Type.Object({ node_uid: Type.String(), ...CheckedNode })),
})

const MOST_LOG_BYTES = 1_000_000
const BYTES: QueryParameter = {
  name: 'bytes',
  description: `How many bytes at most, 1 to ${MOST_LOG_BYTES}`,
  schema: Type.Integer({ minimum: 1, maximum: MOST_LOG_BYTES, default: 65_536 }),
}

const GZIP = 'application/x-gzip'

export const diagnosticRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/check',
    access: 'view_all_nodes_checks',
    summary: 'Check all nodes: the machine, and what should run on it',
    answers: ClusterCheckObject,
    refusals: [],
    handle: async (_request, parts) => {
      const all = await checkNodes(parts, allNodes(parts))
      const nodes = all.map((one) => ({ node_uid: String(one.nodeUid), ...shownFindings(one) }))
      return { json: { cluster_test_result: all.every(isFine), nodes } }
    },
  },
  {
    method: 'GET',
    path: '/v1/nodes/check/{uid}',
    access: 'view_node_check',
    summary: 'Check one node',
    answers: NodeCheckObject,
    refusals: ['node_not_found'],
    handle: async ({ params }, parts) => {
      const [findings] = await checkNodes(parts, [findNode(parts, params.uid)])
      if (!findings) return refuse('node_not_found')
      return { json: { node_uid: findings.nodeUid, ...shownFindings(findings) } }
    },
  },
  {
    method: 'GET',
    path: '/v1/shards/{uid}/log',
    access: 'view_debugging_info',
    summary: 'The newest lines of the log of a shard (not in the original)',
    query: [BYTES],
    answers: Type.Object({ shard_uid: Type.String(), log: Type.String() }),
    refusals: ['shard_not_exist', 'invalid_query'],
    handle: readShardLog,
  },
  debugInfo('/v1/cluster/debuginfo', 'Support package of the cluster with its nodes and databases', everything),
  debugInfo('/v1/debuginfo/all', 'The same under its older name', everything),
  debugInfo('/v1/debuginfo/node', 'Support package of this node', (request, parts) =>
    nodesOnly(request, parts, [parts.nodeUid]),
  ),
  debugInfo('/v1/nodes/debuginfo', 'Support package of all nodes', (request, parts) =>
    nodesOnly(
      request,
      parts,
      allNodes(parts).map(({ uid }) => uid),
    ),
  ),
  debugInfo(
    '/v1/nodes/{node_uid}/debuginfo',
    'Support package of one node',
    (request, parts) => nodesOnly(request, parts, [findNode(parts, request.params.node_uid).uid]),
    ['node_not_found'],
  ),
  debugInfo('/v1/bdbs/debuginfo', 'Support package of all databases', (request, parts) => ({
    ...NOTHING,
    databaseUids: inReach(request, parts),
  })),
  debugInfo('/v1/bdbs/{bdb_uid}/debuginfo', 'Support package of one database', oneDatabase, ['db_not_exist']),
  debugInfo('/v1/debuginfo/all/bdb/{bdb_uid}', 'The same under its older name', oneDatabase, ['db_not_exist']),
  debugInfo('/v1/debuginfo/node/bdb/{bdb_uid}', 'The same, of this node', oneDatabase, ['db_not_exist']),
]

async function readShardLog(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { uid = '' } = request.params
  const bytes = wholeNumber(request, BYTES)
  for (const { value } of parts.state.databases.values()) {
    const place = value.shards.find((one) => String(one.uid) === uid)
    if (!place || !isInReach(request, value.uid, 'view_debugging_info')) continue
    const text = await parts.agents.get(place.nodeUid)?.logTail({ kind: 'shard', shardUid: place.uid }, bytes)
    return { json: { shard_uid: uid, log: scrubberOf(parts.state.secrets())(text ?? '') } }
  }
  return refuse('shard_not_exist', { description: `There is no shard with the uid ${uid.slice(0, 40)}.` })
}

const NOTHING: PackageScope = { databaseUids: [], nodeUids: [], hasCluster: false }

function debugInfo(
  path: string,
  summary: string,
  scopeOf: (request: ApiRequest, parts: Parts) => PackageScope,
  refusals: Route['refusals'] = [],
): Route {
  const handle = (request: ApiRequest, parts: Parts): Answer => ({
    file: supportPackage(parts, scopeOf(request, parts)),
    name: 'debuginfo.tar.gz',
  })
  return { method: 'GET', path, access: 'view_debugging_info', summary, file: GZIP, refusals, handle }
}

function everything(request: ApiRequest, parts: Parts): PackageScope {
  const databaseUids = inReach(request, parts)
  if (request.caller?.rights.isLimited) return { ...NOTHING, databaseUids }
  return { hasCluster: true, nodeUids: allNodes(parts).map(({ uid }) => uid), databaseUids }
}

/** What a node writes is about all databases. */
function nodesOnly({ caller }: ApiRequest, _parts: Parts, nodeUids: readonly number[]): PackageScope {
  if (!caller?.rights.isLimited) return { ...NOTHING, nodeUids }
  const description = 'Logs of nodes are about all databases, and your roles limit you to some: ask for those.'
  return refuse('insufficient_permissions', { description })
}

function oneDatabase({ params }: ApiRequest, { state }: Parts): PackageScope {
  const uid = params.bdb_uid ?? ''
  const database = state.databases.get(uid)
  return database ? { ...NOTHING, databaseUids: [database.value.uid] } : noSuchDatabase(uid)
}

function inReach(request: ApiRequest, { databases }: Parts): number[] {
  return databases.uids.filter((uid) => isInReach(request, uid, 'view_debugging_info'))
}

function allNodes({ state }: Parts): NodeDocument[] {
  return [...state.nodes.values()].map(({ value }) => value).sort((one, other) => one.uid - other.uid)
}

function findNode({ state }: Parts, uid: string | undefined): NodeDocument {
  const description = `There is no node with the uid ${String(uid).slice(0, 40)}.`
  return state.nodes.get(uid ?? '')?.value ?? refuse('node_not_found', { description })
}
