/**
 * Actions on the cluster as one. The only one that the reference has is to make another node its primary, and there is
 * no other.
 */
import Type from 'typebox'
import { ActionV1, RunningActions } from '#model/action.ts'
import { CLUSTER_ACTIONS } from '#model/node-action.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import { findNode } from '../nodes/find.ts'
import type { Parts } from '../parts.ts'

export const clusterActionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/actions',
    access: 'view_status_of_cluster_action',
    summary: 'The actions on the cluster as one: none, with one node',
    answers: RunningActions,
    refusals: [],
    handle: () => ({ json: { actions: [] } }),
  },
  {
    method: 'GET',
    path: '/v1/cluster/actions/{action}',
    access: 'view_status_of_cluster_action',
    summary: 'How an action on the cluster goes, or went',
    answers: ActionV1,
    refusals: ['action_not_exist'],
    handle: neverRan,
  },
  {
    method: 'POST',
    path: '/v1/cluster/actions/{action}',
    access: 'start_cluster_action',
    summary: 'Make another node the primary one: refused, there is no other',
    body: Type.Object({ node_uid: Type.Union([Type.String(), Type.Integer()]) }),
    refusals: ['bad_request', 'missing_field', 'unknown_field', 'node_not_found', 'only_node'],
    handle: refuseChange,
  },
  {
    method: 'DELETE',
    path: '/v1/cluster/actions/{action}',
    access: 'cancel_cluster_action',
    summary: 'Cancel an action on the cluster, or forget how it went',
    refusals: ['action_not_exist'],
    handle: neverRan,
  },
]

function neverRan({ params }: ApiRequest): never {
  const name = JSON.stringify(params.action?.slice(0, 40))
  return refuse('action_not_exist', { description: `No action ${name} runs on the cluster, and none has run.` })
}

/** Throws a Refusal, always. */
function refuseChange({ params, body }: ApiRequest, parts: Parts): never {
  const known: readonly string[] = CLUSTER_ACTIONS
  if (!known.includes(params.action ?? '')) {
    const name = JSON.stringify(params.action?.slice(0, 40))
    const description = `There is no action ${name} on the cluster; there is ${known.join(', ')}.`
    return refuse('bad_request', { description })
  }
  const { node_uid: nodeUid, ...rest } = body === undefined ? {} : objectBody(body)
  const [unknown] = Object.keys(rest)
  if (unknown !== undefined)
    refuse('unknown_field', { field: unknown.slice(0, 40), description: 'There is only node_uid here.' })
  if (nodeUid === undefined)
    refuse('missing_field', { field: 'node_uid', description: 'node_uid must say which node.' })
  const { uid } = findNode(parts, String(nodeUid), 'node_uid').value
  return refuse('only_node', { description: `Node ${uid} is the primary node already, and the only one.` })
}
