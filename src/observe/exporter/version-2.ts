/**
 * The second version of the metrics, what is told of databases: counters as they stand, from which Prometheus computes
 * rates, and latencies in microseconds. Where a database's primary serves its endpoint itself the endpoint's counters are
 * the engine's.
 */
import { type ApiStatus, apiStatus } from '#model/database/status.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { exporterRules } from '#model/metrics-config.ts'
import {
  type EndpointReading,
  infoNumber,
  LATENCY_BOUNDS_US,
  REPLICATION_COMMANDS,
  type RequestKind,
  refusedLogins,
  type ShardReading,
} from '#model/statistics/readings.ts'
import { servingOf } from '#plan/serving.ts'
import { type Exposition, labelsOf } from './exposition.ts'
import { tellFailing } from './failing.ts'
import { SHARD_METRICS, startedAt } from './shard-metrics.ts'
import { clusterName, memoryLimitBytes, type Scope, type Sources, type ToldShard, toldShards } from './subjects.ts'

/** As the reference counts them; it has no number for a database that never came up. */
const STATUS_NUMBERS: Readonly<Record<ApiStatus, number>> = {
  active: 0,
  'active-change-pending': 1,
  pending: 2,
  'delete-pending': 4,
  recovery: 5,
  'creation-failed': 99,
}
const KINDS: readonly RequestKind[] = ['read', 'write', 'other']

export function tellDatabase(out: Exposition, sources: Sources, scope: Scope, database: DatabaseDocument): void {
  const { uid, config, engine, endpointPort } = database
  const cluster = scope ? undefined : clusterName(sources)
  const who = { cluster, db: uid, db_name: config.name }
  const shards = toldShards(sources, database).filter(({ place }) => !scope || place.nodeUid === scope.nodeUid)
  const gauge = (name: string, value: number, more: Readonly<Record<string, string | number>> = {}) =>
    out.add('gauge', name, labelsOf({ ...who, ...more }), value)
  const version = { db_version: engine.version, db_port: endpointPort, tls_mode: config.tls_mode }
  gauge('db_config', 1, { ...version, shards: shards.length })
  const status = apiStatus(database, sources.state.statuses.get(uid)?.value)
  gauge('db_status', STATUS_NUMBERS[status], { status })
  gauge('db_memory_limit_bytes', memoryLimitBytes(sources, database))
  gauge('db_replication_factor', config.replication ? 2 : 1)
  tellTags(out, sources, { cluster, db: uid }, config.tags)
  for (const [nodeUid, reading] of endpointReadings(sources, database, shards)) {
    if (scope && scope.nodeUid !== nodeUid) continue
    const labels = labelsOf({ ...who, node: scope ? undefined : nodeUid, proxy: nodeUid })
    tellEndpoint(out, labels, reading)
    const sample = sources.statistics.latest({ kind: 'endpoint', uid, nodeUid })
    out.add('gauge', 'endpoint_connections_rate', labels, sample?.named('total_connections_received'))
  }
  for (const shard of shards) tellShard(out, scope, shard, cluster)
  tellFailures(out, sources, scope, database, shards)
}

/** One line for all of them, so that it can be joined with any other of the database. */
function tellTags(
  out: Exposition,
  { state }: Sources,
  who: Parameters<typeof labelsOf>[0],
  tags: DatabaseDocument['config']['tags'],
): void {
  const { tagKeys } = exporterRules(state.cluster.get('')?.value.metrics)
  // Names that begin so are Prometheus's own.
  const told = tags.filter(({ key }) => tagKeys.has(key) && !key.startsWith('__'))
  if (told.length === 0) return
  out.add(
    'gauge',
    'db_tags',
    labelsOf({ ...who, ...Object.fromEntries(told.map(({ key, value }) => [key, value])) }),
    1,
  )
}

/** What the proxies of the nodes count; where the primary serves its endpoint itself, what that does. */
function endpointReadings(
  { statistics }: Sources,
  { uid: databaseUid, config }: DatabaseDocument,
  shards: readonly ToldShard[],
): (readonly [number, EndpointReading])[] {
  const served = statistics.live.endpoints.get(databaseUid)
  if (servingOf(config) !== 'primary') return [...(served ?? [])]
  return shards
    .filter(({ role }) => role === 'master')
    .flatMap(({ place, reading }) =>
      reading ? [[place.nodeUid, endpointOfPrimary(databaseUid, reading)] as const] : [],
    )
}

/** A primary that has the endpoint's port itself, as an endpoint. */
function endpointOfPrimary(databaseUid: number, reading: ShardReading): EndpointReading {
  const { own, commands, latencies, atMs, clockMs } = reading
  const sums = { read: nothing(), write: nothing(), other: nothing() }
  const calls = { get: 0, set: 0, flush: 0, touch: 0 }
  let logins = 0
  for (const { name, kind, calls: all, microseconds } of commands) {
    if (REPLICATION_COMMANDS.has(name)) continue
    const theirs = Math.max(0, all - (own.calls[name] ?? 0))
    const sum = sums[kind]
    sum.requests += theirs
    // Ours took as long as theirs, on average.
    sum.microseconds += all > 0 ? (microseconds * theirs) / all : 0
    if (name === 'get' || name === 'set' || name === 'touch') calls[name] += theirs
    if (name === 'flushall' || name === 'flushdb') calls.flush += theirs
    if (name === 'auth') logins += theirs
  }
  const refused = refusedLogins(reading)
  const answered = (kind: RequestKind) => ({
    requests: sums[kind].requests,
    responses: sums[kind].requests,
    microseconds: Math.round(sums[kind].microseconds),
    histogram: latencies?.[kind] ?? [],
  })
  return {
    databaseUid,
    atMs,
    clockMs,
    read: answered('read'),
    write: answered('write'),
    other: answered('other'),
    clients: Math.max(0, infoNumber(reading, 'connected_clients') - own.clients),
    connectionsReceived: Math.max(0, infoNumber(reading, 'total_connections_received') - own.connections),
    connectionsRefused: infoNumber(reading, 'rejected_connections'),
    ingressBytes: Math.max(0, infoNumber(reading, 'total_net_input_bytes') - own.receivedBytes),
    egressBytes: Math.max(0, infoNumber(reading, 'total_net_output_bytes') - own.sentBytes),
    logins: Math.max(0, logins - refused),
    loginsRefused: refused,
    commands: calls,
  }
}

function nothing() {
  return { requests: 0, microseconds: 0 }
}

function tellEndpoint(out: Exposition, labels: string, reading: EndpointReading): void {
  const counter = (name: string, value: number) => out.add('counter', `endpoint_${name}`, labels, value)
  counter('accepted_connections', reading.connectionsReceived)
  counter('client_connections', reading.connectionsReceived)
  counter('client_disconnections', Math.max(0, reading.connectionsReceived - reading.clients))
  counter('total_connections_received', reading.connectionsReceived)
  counter('maximal_connections_exceeded', reading.connectionsRefused)
  counter('egress', reading.egressBytes)
  counter('ingress', reading.ingressBytes)
  counter('successful_user_password_authentication', reading.logins)
  counter('failed_user_password_authentication', reading.loginsRefused)
  for (const kind of KINDS) {
    const { requests, responses, microseconds, histogram } = reading[kind]
    counter(`${kind}_requests`, requests)
    counter(`${kind}_responses`, responses)
    out.histogram(`endpoint_${kind}_requests_latency_histogram`, labels, {
      bounds: LATENCY_BOUNDS_US,
      counts: histogram,
      sum: microseconds,
      count: responses,
    })
  }
  const all = KINDS.reduce((sum, kind) => sum + reading[kind].microseconds, 0)
  counter('acc_latency', all)
}

function tellShard(out: Exposition, scope: Scope, shard: ToldShard, cluster: string | undefined): void {
  const { place, database, role, slots, isUp, reading, replicaBufferBytes, memoryLimitBytes: limit } = shard
  const who = {
    cluster,
    db: database.uid,
    db_name: database.config.name,
    node: scope ? undefined : place.nodeUid,
    redis: place.uid,
    role,
    slots,
    status: isUp ? 'active' : 'inactive',
  }
  const labels = labelsOf(who)
  const gauge = (name: string, value: number) => out.add('gauge', `redis_server_${name}`, labels, value)
  gauge('up', isUp ? 1 : 0)
  gauge('forwarding_state', isUp && role === 'master' ? 1 : 0)
  gauge('maxmemory', limit)
  out.add('gauge', 'redis_server_slave_buffer', labels, replicaBufferBytes)
  if (!reading) return
  for (const { name, value } of SHARD_METRICS) gauge(name, value(reading))
  // 0 when it is down, as published alert rules have it; the reference has 2, which they would take for well.
  if (role === 'slave') gauge('master_link_status', infoNumber(reading, 'master_link_up'))
  const group = `redis-${place.uid}`
  const cpu = (metric: string, mode: 'user' | 'system', value: number, thread?: string) =>
    out.add(
      'counter',
      `namedprocess_namegroup_${metric}`,
      labelsOf({ ...who, groupname: group, mode, threadname: thread }),
      value,
    )
  cpu('cpu_seconds_total', 'user', infoNumber(reading, 'used_cpu_user'))
  cpu('cpu_seconds_total', 'system', infoNumber(reading, 'used_cpu_sys'))
  cpu('thread_cpu_seconds_total', 'user', infoNumber(reading, 'used_cpu_user_main_thread'), 'redis-server')
  cpu('thread_cpu_seconds_total', 'system', infoNumber(reading, 'used_cpu_sys_main_thread'), 'redis-server')
  const memory = labelsOf({ ...who, groupname: group, memtype: 'resident' })
  out.add('gauge', 'namedprocess_namegroup_memory_bytes', memory, infoNumber(reading, 'used_memory_rss'))
  const began = labelsOf({ ...who, groupname: group })
  const { process } = reading
  out.add('gauge', 'namedprocess_namegroup_open_filedesc', began, process?.openFiles)
  out.add('gauge', 'namedprocess_namegroup_thread_count', began, process?.threads)
  const virtual = labelsOf({ ...who, groupname: group, memtype: 'virtual' })
  out.add('gauge', 'namedprocess_namegroup_memory_bytes', virtual, process?.virtualBytes)
  out.add('gauge', 'namedprocess_namegroup_oldest_start_time_seconds', began, startedAt(reading))
}

/** Reading its counters is how somebody is asked whether they are there. */
function tellFailures(
  out: Exposition,
  { statistics, state }: Sources,
  scope: Scope,
  { uid, config }: DatabaseDocument,
  shards: readonly ToldShard[],
): void {
  const { failures } = statistics.live
  const cluster = scope ? undefined : (state.cluster.get('')?.value.name ?? '')
  const who = { cluster, db: uid, db_name: config.name }
  for (const { place, role } of shards) {
    const node = scope ? undefined : place.nodeUid
    const labels = labelsOf({ ...who, node, shard_uid: place.uid, role })
    tellFailing(out, 'shard', labels, failures.shards.get(place.uid))
  }
  const primary = shards.find(({ role }) => role === 'master')
  const served =
    servingOf(config) === 'primary' ? failures.shards.get(primary?.place.uid ?? 0) : failures.endpoints.get(uid)
  tellFailing(out, 'endpoint', labelsOf({ ...who, endpoint_uid: `${uid}:1` }), served)
}
