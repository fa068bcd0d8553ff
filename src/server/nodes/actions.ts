/**
 * Actions on nodes and on the cluster as one, and the snapshots that maintenance leaves. A cluster has one node, so each
 * of them is refused with what is in its way; what is asked is checked all the same, because a mistake in it would
 * otherwise show only once there are more nodes.
 */
import Type from 'typebox'
import { ActionV1, NodeSnapshot, RunningActions } from '#model/action.ts'
import {
  isNodeAction,
  NODE_ACTION_BODIES,
  NODE_ACTIONS,
  type NodeAction,
  nodeActionParser,
} from '#model/node-action.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { findNode } from './find.ts'

export const nodeActionRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/nodes/actions',
    access: 'view_status_of_all_node_actions',
    summary: 'The actions on all nodes: none, with one node',
    answers: RunningActions,
    refusals: [],
    handle: () => ({ json: { actions: [] } }),
  },
  {
    method: 'GET',
    path: '/v1/nodes/{node_uid}/actions',
    access: 'view_status_of_node_action',
    summary: 'The actions on one node',
    answers: RunningActions,
    refusals: ['node_not_found'],
    handle: ({ params }, parts) => {
      findNode(parts, params.node_uid)
      return { json: { actions: [] } }
    },
  },
  {
    method: 'GET',
    path: '/v1/nodes/{node_uid}/actions/{action}',
    access: 'view_status_of_node_action',
    summary: 'How an action on a node goes, or went',
    answers: ActionV1,
    refusals: ['node_not_found', 'action_not_exist'],
    handle: neverRan,
  },
  {
    method: 'POST',
    path: '/v1/nodes/{node_uid}/actions/{action}',
    access: 'start_node_action',
    summary: 'Remove a node, or keep shards off it: the only node refuses, and says why',
    body: Type.Union([...NODE_ACTION_BODIES]),
    refusals: [
      'node_not_found',
      'unknown_action',
      'unknown_field',
      'invalid_field',
      'snapshot_not_exist',
      'only_node',
      'not_in_maintenance',
    ],
    handle: refuseAction,
  },
  {
    method: 'DELETE',
    path: '/v1/nodes/{node_uid}/actions/{action}',
    access: 'cancel_node_action',
    summary: 'Cancel an action on a node, or forget how it went',
    refusals: ['node_not_found', 'action_not_exist'],
    handle: neverRan,
  },
  {
    method: 'GET',
    path: '/v1/nodes/{uid}/snapshots',
    access: 'view_node_info',
    summary: 'The snapshots of a node, which maintenance would leave',
    answers: Type.Array(NodeSnapshot),
    refusals: ['node_not_found'],
    handle: ({ params }, parts) => {
      findNode(parts, params.uid)
      return { json: [] }
    },
  },
  {
    method: 'DELETE',
    path: '/v1/nodes/{uid}/snapshots/{snapshot_name}',
    access: 'update_node',
    summary: 'Delete a snapshot of a node',
    answers: NodeSnapshot,
    refusals: ['node_not_found', 'snapshot_not_exist'],
    handle: ({ params }, parts) => {
      const { value } = findNode(parts, params.uid)
      return noSnapshot(value.uid, params.snapshot_name)
    },
  },
]

function neverRan({ params }: ApiRequest, parts: Parts): never {
  const { value } = findNode(parts, params.node_uid)
  const description = `No action ${quoted(params.action)} runs on node ${value.uid}, and none has run.`
  return refuse('action_not_exist', { description })
}

/** Throws a Refusal, always. */
function refuseAction(request: ApiRequest, parts: Parts): never {
  const { node_uid: nodeUid, action = '' } = request.params
  const { uid } = findNode(parts, nodeUid).value
  if (!isNodeAction(action)) {
    const description = `There is no action ${quoted(action)} on a node; there are ${NODE_ACTIONS.join(', ')}.`
    return refuse('unknown_action', { description })
  }
  const body = request.body === undefined ? {} : request.body
  const given = parseGiven(nodeActionParser(action), { body }, 'create')
  if (given.snapshot_name) noSnapshot(uid, String(given.snapshot_name), 'snapshot_name')
  if (action === 'maintenance_off')
    return refuse('not_in_maintenance', { description: `Node ${uid} is not in maintenance mode.` })
  return refuse('only_node', { description: `Node ${uid} is the only one: ${OBSTACLES[action]}.` })
}

const OBSTACLES: Readonly<Record<Exclude<NodeAction, 'maintenance_off'>, string>> = {
  remove: 'without it there is no cluster',
  maintenance_on:
    'its shards have nowhere to go. Before work on the machine, npm stop saves what is to be saved and stops the databases',
  enslave_node: 'no other could be the primary node',
}

function noSnapshot(nodeUid: number, name: string | undefined, field?: string): never {
  const description = `Node ${nodeUid} has no snapshot ${quoted(name)}.`
  return refuse('snapshot_not_exist', { description, ...(field === undefined ? {} : { field }) })
}

function quoted(name = ''): string {
  return JSON.stringify(name.slice(0, 40))
}
