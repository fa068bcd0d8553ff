/**
 * The routes of proxies. Each node has one, with its uid; it runs while the node has a database that needs it.
 */
import Type, { type Static } from 'typebox'
import type { NodeDocument } from '#model/documents/cluster.ts'
import { defaultsOf } from '#model/parse.ts'
import { ProxyObject, proxyParser, proxyThreadsOf } from '#model/proxy.ts'
import { StepFailed } from '#plan/agent.ts'
import type { Held } from '#store/collection.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { flag, objectBody } from '../http/body.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeSettings } from '../settings-object.ts'

const ProxyBody = Type.Object({
  allow_restart: Type.Optional(
    Type.Boolean({
      description:
        'Whether what needs a restart of the proxy gets it now, without turning a client away; else it waits.',
    }),
  ),
  proxy: Type.Optional(ProxyObject),
})

const CHANGE: readonly RefusalCode[] = [
  ...(['unknown_field', 'invalid_field', 'unsupported_feature', 'wrong_cluster_state_id'] as const),
  ...(['busy', 'proxy_not_replaced', 'proxy_timeout'] as const),
]

export const proxyRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/proxies',
    access: 'view_all_proxies_info',
    summary: 'The proxies of all nodes',
    answers: Type.Array(ProxyObject),
    refusals: [],
    handle: (_request, parts) => ({ json: allNodes(parts).map(({ value }) => render(parts, value)) }),
  },
  {
    method: 'PUT',
    path: '/v1/proxies',
    access: 'update_proxy',
    summary: 'Change the settings of all proxies',
    query: [DRY_RUN],
    body: ProxyBody,
    refusals: CHANGE,
    handle: async (request, parts) => {
      for (const { id } of allNodes(parts)) await change(request, parts, () => nodeOf(id, parts))
      return { json: null }
    },
  },
  {
    method: 'GET',
    path: '/v1/proxies/{uid}',
    access: 'view_proxy_info',
    summary: 'The proxy of a node',
    answers: ProxyObject,
    refusals: ['proxy_not_found'],
    handle: ({ params }, parts) => ({ json: render(parts, nodeOf(params.uid ?? '', parts).value) }),
  },
  {
    method: 'PUT',
    path: '/v1/proxies/{uid}',
    access: 'update_proxy',
    summary: 'Change the settings of a proxy',
    query: [DRY_RUN],
    body: ProxyBody,
    refusals: [...CHANGE, 'proxy_not_found'],
    handle: async (request, parts) => {
      await change(request, parts, () => nodeOf(request.params.uid ?? '', parts))
      return { json: null }
    },
  },
]

function render({ agents }: Parts, { uid, proxy }: NodeDocument): Static<typeof ProxyObject> {
  const threads = proxyThreadsOf(proxy, agents.get(uid)?.host.cores ?? 1)
  return { ...defaultsOf(ProxyObject), ...proxy, uid, threads }
}

/** Resolves when it is kept, and when the proxy works so as far as it can; what needs a restart waits unless that is allowed. */
async function change(request: ApiRequest, parts: Parts, find: () => Held<NodeDocument>): Promise<void> {
  const { allow_restart: allowed = false, proxy = {}, ...others } = objectBody(request.body)
  const [other] = Object.keys(others)
  if (other !== undefined) {
    const description = 'A change of a proxy has the fields allow_restart and proxy; settings go into the latter.'
    refuse('unknown_field', { field: other.slice(0, 40), description })
  }
  if (typeof allowed !== 'boolean')
    refuse('invalid_field', { field: 'allow_restart', description: 'allow_restart must be true or false.' })
  const { uid } = await changeSettings(request, parts, parts.state.nodes, find, (node) => ({
    ...node,
    proxy: { ...node.proxy, ...parseGiven(proxyParser(), { body: proxy }, 'update', render(parts, node)) },
  }))
  if (!flag(request.query, 'dry_run')) await takeOver(parts, uid, allowed)
}

async function takeOver({ agents }: Parts, nodeUid: number, mayRestart: boolean): Promise<void> {
  const agent = agents.get(nodeUid)
  try {
    await agent?.configureProxy()
    if (mayRestart) await agent?.replaceProxy({ always: false })
  } catch (error) {
    if (!(error instanceof StepFailed)) throw error
    refuse(error.kind === 'timeout' ? 'proxy_timeout' : 'proxy_not_replaced', {
      description: `The settings are kept, but ${error.message}.`,
    })
  }
}

function allNodes({ state }: Parts): Held<NodeDocument>[] {
  return [...state.nodes.values()].sort((a, b) => a.value.uid - b.value.uid)
}

function nodeOf(uid: string, { state }: Parts): Held<NodeDocument> {
  return (
    state.nodes.get(uid) ??
    refuse('proxy_not_found', {
      description: `There is no proxy with the uid ${uid.slice(0, 40)}: it is that of its node.`,
    })
  )
}
