/**
 * The routes of alerts: of the cluster, of nodes, of databases, and of the sources that databases copy from. What is on is
 * set at PUT /v1/cluster for the cluster and its nodes, and here for a database.
 */
import Type from 'typebox'
import { alertNamed, SOURCE_ALERTS } from '#model/alerts/catalogue.ts'
import type { AlertKind, AlertScope } from '#model/alerts/kind.ts'
import { databaseObject, nodeObject, THE_CLUSTER } from '#model/alerts/object.ts'
import { DatabaseAlertSettings } from '#model/alerts/setting.ts'
import { AlertObject } from '#model/alerts/shown.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { flag } from '../http/body.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, QueryParameter, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { changeDatabaseAlerts, databaseIn } from './database-settings.ts'
import { type How, renderAlert, renderAlerts } from './render.ts'

const IGNORE_SETTINGS: QueryParameter = {
  name: 'ignore_settings',
  description: 'Show how alerts stand that are off; without it they are never raised',
  schema: Type.Boolean(),
}
const Alerts = Type.Record(Type.String(), AlertObject)
const AlertsByUid = Type.Record(Type.String(), Alerts)

export const alertRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/alerts',
    access: 'view_cluster_alerts',
    summary: 'The alerts of the cluster',
    query: [IGNORE_SETTINGS],
    answers: Alerts,
    refusals: ['invalid_query'],
    handle: (request, parts) => ({ json: renderAlerts(parts, THE_CLUSTER, how(request)) }),
  },
  {
    method: 'GET',
    path: '/v1/cluster/alerts/{alert}',
    access: 'view_cluster_alerts',
    summary: 'One alert of the cluster',
    query: [IGNORE_SETTINGS],
    answers: AlertObject,
    refusals: ['invalid_query', 'alert_not_exist'],
    handle: (request, parts) => ({
      json: renderAlert(parts, THE_CLUSTER, named(request, 'cluster'), how(request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/nodes/alerts',
    access: 'view_all_nodes_alerts',
    summary: 'The alerts of all nodes, by their uids',
    query: [IGNORE_SETTINGS],
    answers: AlertsByUid,
    refusals: ['invalid_query'],
    handle: (request, parts) => ({
      json: byUid([...parts.state.nodes.values()], (uid) => renderAlerts(parts, nodeObject(uid), how(request))),
    }),
  },
  {
    method: 'GET',
    path: '/v1/nodes/alerts/{uid}',
    access: 'view_node_alerts',
    summary: 'The alerts of one node',
    query: [IGNORE_SETTINGS],
    answers: Alerts,
    refusals: ['invalid_query', 'node_not_found'],
    handle: (request, parts) => ({ json: renderAlerts(parts, nodeIn(request, parts), how(request)) }),
  },
  {
    method: 'GET',
    path: '/v1/nodes/alerts/{uid}/{alert}',
    access: 'view_node_alerts',
    summary: 'One alert of a node',
    query: [IGNORE_SETTINGS],
    answers: AlertObject,
    refusals: ['invalid_query', 'node_not_found', 'alert_not_exist'],
    handle: (request, parts) => ({
      json: renderAlert(parts, nodeIn(request, parts), named(request, 'node'), how(request)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/bdbs/alerts',
    access: 'view_all_bdbs_alerts',
    summary: 'The alerts of all databases, by their uids',
    answers: AlertsByUid,
    refusals: [],
    handle: (request, parts) => ({
      json: byUid(inReach(request, parts), (uid) => renderAlerts(parts, databaseObject(uid), AS_SET)),
    }),
  },
  {
    method: 'GET',
    path: '/v1/bdbs/alerts/{uid}',
    access: 'view_bdb_alerts',
    summary: 'The alerts of one database',
    answers: Alerts,
    refusals: ['db_not_exist'],
    handle: (request, parts) => ({
      json: renderAlerts(parts, databaseObject(databaseIn(request, parts).value.uid), AS_SET),
    }),
  },
  {
    method: 'GET',
    path: '/v1/bdbs/alerts/{uid}/{alert}',
    access: 'view_bdb_alerts',
    summary: 'One alert of a database',
    answers: AlertObject,
    refusals: ['db_not_exist', 'alert_not_exist'],
    handle: (request, parts) => ({
      json: renderAlert(parts, databaseObject(databaseIn(request, parts).value.uid), named(request, 'bdb'), AS_SET),
    }),
  },
  {
    method: 'POST',
    path: '/v1/bdbs/alerts/{uid}',
    access: 'update_bdb_alerts',
    summary: 'Set which alerts of a database are on, and at which thresholds',
    query: [DRY_RUN],
    body: DatabaseAlertSettings,
    answers: Alerts,
    refusals: ['db_not_exist', 'unknown_field', 'invalid_field', 'invalid_configuration', ...CHANGE_REFUSALS],
    handle: changeDatabaseAlerts,
  },
  ...sourceRoutes('replica'),
  ...sourceRoutes('crdt'),
]

/** Databases that copy from others have alerts for each source; no database here does. */
function sourceRoutes(kind: keyof typeof SOURCE_ALERTS): readonly Route[] {
  const path = `/v1/bdbs/${kind}_sources/alerts`
  const source = `{${kind}_src_id}`
  const of = kind === 'replica' ? 'replica sources' : 'Active-Active sources'
  return [
    {
      method: 'GET',
      path,
      access: 'view_all_bdbs_alerts',
      summary: `The alerts of the ${of} of all databases`,
      answers: Type.Record(Type.String(), AlertsByUid),
      refusals: [],
      handle: (request, parts) => ({ json: byUid(inReach(request, parts), () => ({})) }),
    },
    {
      method: 'GET',
      path: `${path}/{uid}`,
      access: 'view_bdb_alerts',
      summary: `The alerts of the ${of} of one database`,
      answers: AlertsByUid,
      refusals: ['db_not_exist'],
      handle: (request, parts) => {
        databaseIn(request, parts)
        return { json: {} }
      },
    },
    {
      method: 'GET',
      path: `${path}/{uid}/${source}`,
      access: 'view_bdb_alerts',
      summary: `The alerts of one of the ${of}`,
      answers: Alerts,
      refusals: ['db_not_exist', 'source_not_exist'],
      handle: (request, parts) => {
        databaseIn(request, parts)
        return refuse('source_not_exist')
      },
    },
    {
      method: 'GET',
      path: `${path}/{uid}/${source}/{alert}`,
      access: 'view_bdb_alerts',
      summary: `One alert of one of the ${of}`,
      answers: AlertObject,
      refusals: ['db_not_exist', 'alert_not_exist', 'source_not_exist'],
      handle: (request, parts) => {
        databaseIn(request, parts)
        const names: readonly string[] = SOURCE_ALERTS[kind]
        return refuse(names.includes(request.params.alert ?? '') ? 'source_not_exist' : 'alert_not_exist')
      },
    },
  ]
}

const AS_SET: How = { ignoreSettings: false }

/** Throws a Refusal. */
function how({ query }: ApiRequest): How {
  return { ignoreSettings: flag(query, IGNORE_SETTINGS.name) }
}

function named({ params }: ApiRequest, scope: AlertScope): AlertKind {
  return alertNamed(scope, params.alert ?? '') ?? refuse('alert_not_exist')
}

function nodeIn({ params }: ApiRequest, { state }: Parts): string {
  const node = state.nodes.get(params.uid ?? '') ?? refuse('node_not_found')
  return nodeObject(node.value.uid)
}

function inReach(request: ApiRequest, { state }: Parts) {
  return [...state.databases.values()].filter(({ value }) => isInReach(request, value.uid, 'view_all_bdbs_alerts'))
}

function byUid<T>(
  held: readonly { readonly value: { readonly uid: number } }[],
  of: (uid: number) => T,
): Record<string, T> {
  const uids = held.map(({ value }) => value.uid).sort((one, other) => one - other)
  return Object.fromEntries(uids.map((uid) => [String(uid), of(uid)]))
}
