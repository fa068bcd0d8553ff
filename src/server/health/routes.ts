/**
 * How the cluster and its databases are, in one answer each; and what it would mean if a node died.
 */
import Type from 'typebox'
import { wireRole } from '../databases/leaders.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { flag } from '../http/body.ts'
import type { QueryParameter, Route } from '../http/route.ts'
import { impactOf } from './impact.ts'
import { clusterReport, databaseReport } from './report.ts'

const ISSUES_ONLY: QueryParameter = {
  name: 'issues_only',
  description: 'Leave out what is well',
  schema: Type.Boolean(),
}
const Report = Type.Record(Type.String(), Type.Unknown())
const Impact = Type.Object({
  node_uid: Type.Integer(),
  databases: Type.Array(
    Type.Object({
      bdb_uid: Type.Integer(),
      bdb_name: Type.String(),
      loses: Type.Union([Type.Literal('data'), Type.Literal('service'), Type.Literal('redundancy')]),
      says: Type.String(),
    }),
  ),
})

export const healthRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v4/cluster/health',
    access: 'view_cluster_info',
    summary: 'How the cluster is: nodes, databases, certificates and alerts in one answer',
    query: [ISSUES_ONLY],
    answers: Report,
    refusals: ['invalid_query'],
    handle: async (request, parts) => ({
      json: await clusterReport(request, parts, flag(request.query, 'issues_only')),
    }),
  },
  ...(['/v4/db/{uid}/health', '/v4/bdb/{uid}/health'] as const).map(
    (path): Route => ({
      method: 'GET',
      path,
      access: 'view_bdb_info',
      summary: 'How a database is, and what to do about it',
      query: [ISSUES_ONLY],
      answers: Report,
      refusals: ['db_not_exist', 'invalid_query'],
      handle: async (request, parts) => {
        const uid = request.params.uid ?? ''
        const held = parts.state.databases.get(uid)
        if (!held) return noSuchDatabase(uid)
        return { json: await databaseReport(parts, held.value, flag(request.query, 'issues_only')) }
      },
    }),
  ),
  {
    method: 'GET',
    path: '/v1/nodes/{uid}/impact',
    access: 'view_all_nodes_info',
    summary: 'What each database would lose if this node died (not in the original)',
    answers: Impact,
    refusals: ['node_not_found'],
    handle: (request, { state }) => {
      const node = state.nodes.get(request.params.uid ?? '')?.value ?? refuse('node_not_found')
      const databases = [...state.databases.values()]
        .map(({ value }) => value)
        .filter(({ uid }) => isInReach(request, uid, 'view_bdb_info'))
      const isLeading = (database: (typeof databases)[number], uid: number) => {
        const place = database.shards.find((one) => one.uid === uid)
        return place !== undefined && wireRole(state, database, place) === 'master'
      }
      return { json: { node_uid: node.uid, databases: impactOf(databases, node.uid, isLeading) } }
    },
  },
]
