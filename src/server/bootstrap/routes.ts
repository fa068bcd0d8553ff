/**
 * The routes that make a cluster: open until there is one.
 */
import Type from 'typebox'
import { BootstrapRequest, BootstrapStatus, bootstrapParser } from '#model/bootstrap.ts'
import { wireTime } from '../databases/render.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import { machineOf } from '../nodes/render.ts'
import { localAgent, type Parts } from '../parts.ts'
import type { NewCluster } from './bootstrap.ts'

export const bootstrapRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/bootstrap',
    access: 'open-until-bootstrapped',
    beforeBootstrap: true,
    summary: 'How far bootstrapping is, and what this node is',
    answers: BootstrapStatus,
    refusals: [],
    handle: readBootstrap,
  },
  {
    method: 'POST',
    path: '/v1/bootstrap/{action}',
    access: 'open',
    beforeBootstrap: true,
    summary: 'Make this node a cluster',
    body: BootstrapRequest,
    answers: Type.Record(Type.String(), Type.Unknown()),
    refusals: [
      'already_bootstrapped',
      'config_error',
      'unknown_field',
      'invalid_field',
      'unsupported_feature',
      'unknown_action',
    ],
    handle: bootstrap,
  },
  {
    method: 'POST',
    path: '/v1/bootstrap/validate/{action}',
    access: 'open-until-bootstrapped',
    beforeBootstrap: true,
    summary: 'Check a bootstrap configuration without carrying it out',
    body: BootstrapRequest,
    answers: Type.Record(Type.String(), Type.Unknown()),
    refusals: ['config_error', 'unknown_field', 'invalid_field', 'unsupported_feature', 'unknown_action'],
    handle: (request, parts) => {
      parseBootstrap(request, parts)
      return { json: statusOf(parts) }
    },
  },
]

async function readBootstrap(_request: ApiRequest, parts: Parts): Promise<Answer> {
  const agent = localAgent(parts)
  const addresses = agent.host.addresses.map(({ address, format, interface: name, private: isPrivate }) => ({
    address,
    format,
    if_name: name,
    private: isPrivate,
  }))
  const { system_time, ...machine } = await machineOf(agent, parts.now())
  return {
    json: {
      bootstrap_status: statusOf(parts),
      local_node_info: {
        uid: parts.bootstrap.isDone ? String(parts.nodeUid) : '',
        software_version: parts.softwareVersion,
        ...machine,
        short_hostname: agent.host.hostname.split('.')[0],
        available_addrs: addresses,
        available_addresses: addresses,
        bridge_interfaces: [],
        bigredis_storage_path: '',
        supported_bigstore_drivers: [],
        fips_enabled: false,
      },
    },
  }
}

async function bootstrap(request: ApiRequest, parts: Parts): Promise<Answer> {
  if (parts.bootstrap.isDone) refuse('already_bootstrapped')
  const wanted = parseBootstrap(request, parts)
  if (!(await parts.bootstrap.createCluster(wanted))) refuse('already_bootstrapped')
  return { json: statusOf(parts) }
}

function statusOf(parts: Parts): object {
  const { state, startedAt, endedAt, error } = parts.bootstrap.status
  return {
    state,
    start_time: wireTime(startedAt),
    end_time: wireTime(endedAt),
    ...(error ? { error_code: 'internal_error', error_details: { message: error } } : {}),
  }
}

/** Throws a Refusal for what cannot be had: an action of several nodes, a configuration that is not sound. */
function parseBootstrap(request: ApiRequest, parts: Parts): NewCluster {
  const { action } = request.params
  if (action === 'join_cluster' || action === 'recover_cluster') {
    const description = 'Clusters of several nodes are not available yet; create_cluster is.'
    refuse('unsupported_feature', { field: 'action', description })
  }
  if (action !== 'create_cluster') {
    const description = `There is no action ${JSON.stringify(String(action).slice(0, 40))}; create_cluster is one.`
    refuse('unknown_action', { field: 'action', description })
  }
  const body = parseGiven(bootstrapParser(), request, 'create')
  if (body.action !== undefined && body.action !== action) {
    refuse('config_error', { field: 'action', description: `The body says ${body.action}, the path ${action}.` })
  }
  const credentials = record(body.credentials)
  const { username, password } = credentials
  if (typeof username !== 'string' || username === '') missing('credentials.username')
  if (!USER_NAME.test(username)) {
    const description = 'credentials.username must have 1 to 254 characters, without spaces and none of : & < > ".'
    refuse('config_error', { field: 'credentials.username', description })
  }
  if (typeof password !== 'string' || password === '') missing('credentials.password')
  const cluster = record(body.cluster)
  const identity = record(record(body.node).identity)
  const { accept_servers, external_addr, rack_id, second_rack_id } = identity
  const nodeSettings = given({ accept_servers, external_addr, rack_id, second_rack_id })
  const name =
    typeof cluster.name === 'string' && cluster.name !== '' ? cluster.name : parts.bootstrapDefaults.clusterName
  const address = parts.bootstrapDefaults.address
  return { name, userName: username, password, address, nodeSettings, policy: record(body.policy) }
}

/** A colon would end the name in every login. */
const USER_NAME = /^[^\s\p{C}:&<>"]{1,254}$/u

/** Without what was left open. */
function given(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))
}

function missing(field: string): never {
  refuse('config_error', { field, description: `A new cluster needs ${field}.` })
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value))
    : {}
}
