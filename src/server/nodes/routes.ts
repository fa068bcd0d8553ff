/**
 * The routes of nodes.
 */
import Type from 'typebox'
import type { NodeDocument } from '#model/documents/cluster.ts'
import { NodeObject, nodeParser } from '#model/node.ts'
import type { Held } from '#store/collection.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeSettings, SETTINGS_REFUSALS } from '../settings-object.ts'
import { findNode } from './find.ts'
import { renderNode, renderNodeStatus } from './render.ts'

const StatusObject = Type.Record(Type.String(), Type.Unknown())

export const nodeRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/nodes',
    access: 'view_all_nodes_info',
    summary: 'All nodes',
    answers: Type.Array(NodeObject),
    refusals: [],
    handle: async (_request, parts) => ({
      json: await Promise.all(byUid(parts).map(({ value }) => renderNode(parts, value))),
    }),
  },
  {
    method: 'GET',
    path: '/v1/nodes/status',
    access: 'view_node_info',
    summary: 'The status of all nodes, by uid',
    answers: StatusObject,
    refusals: [],
    handle: async (_request, parts) => {
      const nodes = byUid(parts)
      const all = await Promise.all(
        nodes.map(async ({ id, value }) => [id, await renderNodeStatus(parts, value)] as const),
      )
      return { json: Object.fromEntries(all) }
    },
  },
  {
    method: 'GET',
    path: '/v1/nodes/{uid}',
    access: 'view_node_info',
    summary: 'One node',
    answers: NodeObject,
    refusals: ['node_not_found'],
    handle: async (request, parts) => ({ json: await renderNode(parts, findNode(parts, request.params.uid).value) }),
  },
  {
    method: 'PUT',
    path: '/v1/nodes/{uid}',
    access: 'update_node',
    summary: 'Change the settings of a node',
    body: NodeObject,
    answers: NodeObject,
    refusals: ['node_not_found', ...SETTINGS_REFUSALS],
    handle: async (request, parts) => {
      findNode(parts, request.params.uid)
      const given = parseGiven(
        nodeParser(),
        request,
        'update',
        await renderNode(parts, findNode(parts, request.params.uid).value),
      )
      const { addr, ...settings } = given
      if (addr !== undefined && addr !== findNode(parts, request.params.uid).value.address) {
        const description = 'The address of a node follows from --listen; restart with another one to change it.'
        refuse('invalid_configuration', { field: 'addr', description })
      }
      const changed = await changeSettings(
        request,
        parts,
        parts.state.nodes,
        () => findNode(parts, request.params.uid),
        (node) => ({
          ...node,
          settings: { ...node.settings, ...settings },
        }),
      )
      return { json: await renderNode(parts, changed) }
    },
  },
  {
    method: 'GET',
    path: '/v1/nodes/{uid}/status',
    access: 'view_node_info',
    summary: 'The status of one node',
    answers: StatusObject,
    refusals: ['node_not_found'],
    handle: async (request, parts) => ({
      json: await renderNodeStatus(parts, findNode(parts, request.params.uid).value),
    }),
  },
  {
    method: 'GET',
    path: '/v1/local/node/master_healthcheck',
    access: 'view_cluster_info',
    beforeBootstrap: true,
    summary: 'Whether this node is the primary node of its cluster',
    answers: Type.Object({ status: Type.Union([Type.Literal('active'), Type.Literal('inactive')]) }),
    refusals: [],
    handle: (_request, parts) => ({ json: { status: parts.bootstrap.isDone ? 'active' : 'inactive' } }),
  },
]

function byUid({ state }: Parts): Held<NodeDocument>[] {
  return [...state.nodes.values()].sort((a, b) => a.value.uid - b.value.uid)
}
