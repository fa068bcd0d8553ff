/**
 * Health reports of the cluster and of single databases, in the form of the reference's v4, with advice in plain words
 * beside it.
 */
import { X509Certificate } from 'node:crypto'
import { databaseObject, nodeObject, THE_CLUSTER } from '#model/alerts/object.ts'
import { apiStatus } from '#model/database/status.ts'
import type { NodeDocument } from '#model/documents/cluster.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { theCluster } from '../cluster/render.ts'
import { wireRole } from '../databases/leaders.ts'
import { isInReach } from '../databases/visibility.ts'
import { checkNodes } from '../diagnostics/checks.ts'
import type { ApiRequest } from '../http/route.ts'
import { promisedBytes } from '../nodes/render.ts'
import type { Parts } from '../parts.ts'
import { adviceFor } from './advice.ts'
import { type Examined, examine } from './facts.ts'

const FAR_FUTURE = '9999-12-31T23:59:59Z'
const NO_LIMIT = 2_147_483_647
/** Each is asked at the same time as some others, and a cluster may have thousands. */
const AT_A_TIME = 32

export async function clusterReport(request: ApiRequest, parts: Parts, onlyIssues: boolean): Promise<object> {
  const { state, softwareVersion } = parts
  const databases = [...state.databases.values()]
    .map(({ value }) => value)
    .filter(({ uid }) => isInReach(request, uid, 'view_bdb_info'))
  const examined = await inPortions(databases, (database) => examine(parts, database))
  const infos = databases.map((database, index) => databaseInfo(parts, database, examined[index]))
  const nodes = await Promise.all([...state.nodes.values()].map(({ value }) => nodeReport(parts, value)))
  const alerts = alertsOf(parts, THE_CLUSTER)
  const isBad = nodes.some(({ status }) => status === 'down') || infos.some(({ status }) => status === 'down')
  const isDoubtful =
    alerts.length > 0 ||
    nodes.some(({ status }) => status === 'warning') ||
    infos.some(({ status }) => status === 'warning')
  return {
    fqdn: theCluster(parts).value.name,
    status: isBad ? 'error' : isDoubtful ? 'warning' : 'ok',
    active_alerts: alerts,
    certificates: [...state.certificates.values()].map(({ id, value }) =>
      certificateReport(id, value.certificate, parts.now()),
    ),
    database_infos: onlyIssues ? infos.filter(({ status }) => status !== 'active') : infos,
    license: license(parts),
    nodes: onlyIssues ? nodes.filter(({ status }) => status !== 'active') : nodes,
    software_version: softwareVersion,
  }
}

export async function databaseReport(parts: Parts, database: DatabaseDocument, onlyIssues: boolean): Promise<object> {
  const { config, createdAt, changedAt, actionUid } = database
  const { probed, facts } = await examine(parts, database)
  const isAvailable = probed.reachable && probed.bound
  const action = actionUid === null ? undefined : parts.state.actions.get(actionUid)?.value
  const shards = database.shards.map((place) => shardReport(parts, database, place))
  return {
    ...databaseInfo(parts, database, { probed, facts }),
    availability: isAvailable ? 'up' : 'down',
    availability_errors: [
      ...(probed.bound ? [] : ['port_unbound']),
      ...(probed.reachable ? [] : ['shard_unreachable']),
    ],
    active_alerts: alertsOf(parts, databaseObject(database.uid)),
    creation_time: createdAt,
    last_configured_time: changedAt,
    last_backup_time: null,
    persistence: config.data_persistence === 'snapshot' ? 'rdb' : config.data_persistence,
    shards: onlyIssues ? shards.filter(({ status }) => status !== 'active') : shards,
    shards_placement: config.shards_placement,
    endpoints: [{ name: `${database.uid}:1`, availability: probed.bound ? 'up' : 'down' }],
    ...(action && { state_machine: { name: action.kind, state: action.description } }),
    advice: adviceFor(facts),
  }
}

function databaseInfo(parts: Parts, database: DatabaseDocument, examined: Examined | undefined) {
  const { uid, config, engine } = database
  const status = parts.state.statuses.get(uid)?.value
  const detailed = apiStatus(database, status)
  const isUp = examined?.probed.reachable === true && examined.probed.bound
  const worst = examined && adviceFor(examined.facts)[0]?.severity
  return {
    id: String(uid),
    name: config.name,
    version: engine.version,
    detailed_status: detailed,
    status: !isUp ? 'down' : worst === 'error' || worst === 'warning' || detailed !== 'active' ? 'warning' : 'active',
    high_availability: { status: !config.replication ? 'disabled' : examined?.probed.inStep && isUp ? 'up' : 'down' },
  }
}

async function nodeReport(parts: Parts, node: NodeDocument) {
  const { agents, state, softwareVersion, now, nodeUid } = parts
  const agent = agents.get(node.uid)
  const readings = await agent?.readings()
  const total = agent?.host.totalMemoryBytes ?? 0
  const promised = promisedBytes(parts, node.uid)
  const [findings] = await checkNodes(parts, [node])
  const failed = findings?.checks.filter(({ problem }) => problem !== null) ?? []
  const alerts = alertsOf(parts, nodeObject(node.uid))
  const shards = [...state.databases.values()].flatMap(({ value }) =>
    value.shards.filter((place) => place.nodeUid === node.uid).map((place) => shardReport(parts, value, place)),
  )
  return {
    id: String(node.uid),
    role: node.uid === nodeUid ? ('leader' as const) : ('follower' as const),
    status: !agent ? ('down' as const) : alerts.length + failed.length > 0 ? ('warning' as const) : ('active' as const),
    detailed_status: agent ? 'active' : 'down',
    version: softwareVersion,
    observed_at: Math.floor(now() / 1000),
    in_maintenance: false,
    quorum_only: false,
    active_alerts: alerts,
    ephemeral_memory_path: agent?.host.ephemeralPath ?? '',
    ephemeral_memory_size: readings?.ephemeralStorageBytes ?? 0,
    persistent_memory_path: agent?.host.persistentPath ?? '',
    persistent_memory_size: readings?.persistentStorageBytes ?? 0,
    memory: {
      free_provisional_ram: Math.max(0, total - promised),
      free_ram: readings?.freeMemoryBytes ?? 0,
      overbooking_depth: Math.max(0, promised - total),
      total_provisional_ram: total,
      total_ram: total,
    },
    services: [{ name: 'control_plane', status: 'RUNNING' }],
    shards,
    failed_checks: failed.map(({ name, problem }) => ({ name, error: problem })),
  }
}

function shardReport(parts: Parts, database: DatabaseDocument, place: ShardPlace) {
  const seen = parts.agents.get(place.nodeUid)?.observed().get(place.uid)
  const detailed =
    seen?.state === 'running'
      ? 'ok'
      : seen?.state === 'loading'
        ? 'loading'
        : seen === undefined || seen.state === 'starting'
          ? 'unknown'
          : 'down'
  return {
    id: String(place.uid),
    role: wireRole(parts.state, database, place) === 'master' ? 'leader' : 'follower',
    status: seen?.state === 'running' ? 'active' : 'inactive',
    detailed_status: detailed,
  }
}

function alertsOf(parts: Parts, object: string): object[] {
  return parts.alerts
    .raised()
    .filter((alert) => alert.object === object)
    .map(({ name, severity, sinceMs }) => ({ name, severity, active_since: new Date(sinceMs).toISOString() }))
}

function certificateReport(name: string, pem: string, nowMs: number): object {
  const end = new X509Certificate(pem).validToDate
  return { type: name, expired: end.getTime() <= nowMs, valid_until: end.toISOString() }
}

function license({ state }: Parts): object {
  const shards = [...state.databases.values()].reduce((sum, { value }) => sum + value.shards.length, 0)
  return {
    expired: false,
    valid_until: FAR_FUTURE,
    flex_shards_in_use: 0,
    flex_shards_limit: 0,
    ram_shards_in_use: shards,
    ram_shards_limit: NO_LIMIT,
    shards_in_use: shards,
    shards_limit: NO_LIMIT,
  }
}

async function inPortions<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let from = 0; from < all.length; from += AT_A_TIME)
    done.push(...(await Promise.all(all.slice(from, from + AT_A_TIME).map(act))))
  return done
}
