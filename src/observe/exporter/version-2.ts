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
  type RequestReading,
  refusedLogins,
  type ShardReading,
} from '#model/statistics/readings.ts'
import { servingOf } from '#plan/serving.ts'
import { tellFailing } from './failing.ts'
import type { Figures } from './figures.ts'
import { type Labels, labelsOf, withLabels } from './labels.ts'
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
const KIND_NAMES = KINDS.map((kind) => ({
  kind,
  sent: `${kind}_requests`,
  answered: `${kind}_responses`,
  latency: `${kind}_requests_latency_histogram`,
}))

export function tellDatabase(out: Figures, sources: Sources, scope: Scope, database: DatabaseDocument): void {
  const { uid, config, engine, endpointPort } = database
  const cluster = scope ? undefined : clusterName(sources)
  const who = labelsOf({ cluster, db: uid, db_name: config.name })
  const shards = toldShards(sources, database).filter(({ place }) => !scope || place.nodeUid === scope.nodeUid)
  const gauge = (name: string, value: number, more: Labels = {}) => out.add('gauge', name, withLabels(who, more), value)
  const version = { db_version: engine.version, db_port: endpointPort, tls_mode: config.tls_mode }
  gauge('db_config', 1, { ...version, shards: shards.length })
  const status = apiStatus(database, sources.state.statuses.get(uid)?.value)
  gauge('db_status', STATUS_NUMBERS[status], { status })
  gauge('db_memory_limit_bytes', memoryLimitBytes(sources, database))
  gauge('db_replication_factor', config.replication ? 2 : 1)
  tellTags(out, sources, { cluster, db: uid }, config.tags)
  for (const [nodeUid, reading] of endpointReadings(sources, database, shards)) {
    if (scope && scope.nodeUid !== nodeUid) continue
    const labels = withLabels(who, { node: scope ? undefined : nodeUid, proxy: nodeUid })
    tellEndpoint(out, labels, reading)
    const sample = sources.statistics.latest({ kind: 'endpoint', uid, nodeUid })
    out.add('gauge', 'endpoint_connections_rate', labels, sample?.named('total_connections_received'))
  }
  for (const shard of shards) tellShard(out, scope, shard, who)
  tellFailures(out, sources, scope, database, shards, who)
}

/** One line for all of them, so that it can be joined with any other of the database. */
function tellTags(out: Figures, { state }: Sources, who: Labels, tags: DatabaseDocument['config']['tags']): void {
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

/** What the proxies of the nodes count; where clients reach the primaries, what those do, which is all of it. */
function endpointReadings(
  { statistics }: Sources,
  { uid: databaseUid, config }: DatabaseDocument,
  shards: readonly ToldShard[],
): ReadonlyMap<number, EndpointReading> {
  const served = statistics.live.endpoints.get(databaseUid)
  if (servingOf(config) === 'proxy' && !config.oss_cluster) return served ?? new Map()
  const ofNodes = new Map<number, EndpointReading>()
  for (const { role, place, reading } of shards) {
    if (role !== 'master' || !reading) continue
    const [one, others] = [endpointOfPrimary(databaseUid, reading), ofNodes.get(place.nodeUid)]
    ofNodes.set(place.nodeUid, others ? sumOfEndpoints(others, one) : one)
  }
  return ofNodes
}

function sumOfEndpoints(one: EndpointReading, other: EndpointReading): EndpointReading {
  const requests = (kind: RequestKind): RequestReading => ({
    requests: one[kind].requests + other[kind].requests,
    responses: one[kind].responses + other[kind].responses,
    microseconds: one[kind].microseconds + other[kind].microseconds,
    // Shards of one database are told of alike.
    histogram: one[kind].histogram.map((count, index) => count + (other[kind].histogram[index] ?? 0)),
  })
  const calls = (name: keyof EndpointReading['commands']) => one.commands[name] + other.commands[name]
  return {
    ...other,
    read: requests('read'),
    write: requests('write'),
    other: requests('other'),
    clients: one.clients + other.clients,
    connectionsReceived: one.connectionsReceived + other.connectionsReceived,
    connectionsRefused: one.connectionsRefused + other.connectionsRefused,
    ingressBytes: one.ingressBytes + other.ingressBytes,
    egressBytes: one.egressBytes + other.egressBytes,
    logins: one.logins + other.logins,
    loginsRefused: one.loginsRefused + other.loginsRefused,
    commands: { get: calls('get'), set: calls('set'), flush: calls('flush'), touch: calls('touch') },
  }
}

/** A primary that clients reach, as an endpoint. */
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

function tellEndpoint(out: Figures, labels: string, reading: EndpointReading): void {
  const group = out.group('endpoint_')
  const counter = (name: string, value: number) => group.add('counter', name, labels, value)
  counter('accepted_connections', reading.connectionsReceived)
  counter('client_connections', reading.connectionsReceived)
  counter('client_disconnections', Math.max(0, reading.connectionsReceived - reading.clients))
  counter('total_connections_received', reading.connectionsReceived)
  counter('maximal_connections_exceeded', reading.connectionsRefused)
  counter('egress', reading.egressBytes)
  counter('ingress', reading.ingressBytes)
  counter('successful_user_password_authentication', reading.logins)
  counter('failed_user_password_authentication', reading.loginsRefused)
  for (const { kind, sent, answered, latency } of KIND_NAMES) {
    const { requests, responses, microseconds, histogram } = reading[kind]
    counter(sent, requests)
    counter(answered, responses)
    const counts = { bounds: LATENCY_BOUNDS_US, counts: histogram, sum: microseconds, count: responses }
    group.histogram(latency, labels, counts)
  }
  const all = KINDS.reduce((sum, kind) => sum + reading[kind].microseconds, 0)
  counter('acc_latency', all)
}

function tellShard(out: Figures, scope: Scope, shard: ToldShard, databaseLabels: string): void {
  const { place, role, slots, isUp, reading, replicaBufferBytes, memoryLimitBytes: limit } = shard
  const labels = withLabels(databaseLabels, {
    node: scope ? undefined : place.nodeUid,
    redis: place.uid,
    role,
    slots,
    status: isUp ? 'active' : 'inactive',
  })
  const group = out.group('redis_server_')
  const gauge = (name: string, value: number | undefined) => group.add('gauge', name, labels, value)
  gauge('up', isUp ? 1 : 0)
  gauge('forwarding_state', isUp && role === 'master' ? 1 : 0)
  gauge('maxmemory', limit)
  gauge('slave_buffer', replicaBufferBytes)
  if (!reading) return
  for (const { name, value } of SHARD_METRICS) gauge(name, value(reading))
  // 0 when it is down, as published alert rules have it; the reference has 2, which they would take for well.
  if (role === 'slave') {
    gauge('master_link_status', infoNumber(reading, 'master_link_up'))
    gauge('slave_offset', infoNumber(reading, 'slave_repl_offset'))
  }
  tellProcess(out, withLabels(labels, { groupname: `redis-${place.uid}` }), reading)
}

function tellProcess(out: Figures, labels: string, reading: ShardReading): void {
  const group = out.group('namedprocess_namegroup_')
  const [user, system] = [withLabels(labels, { mode: 'user' }), withLabels(labels, { mode: 'system' })]
  group.add('counter', 'cpu_seconds_total', user, infoNumber(reading, 'used_cpu_user'))
  group.add('counter', 'cpu_seconds_total', system, infoNumber(reading, 'used_cpu_sys'))
  const thread = { threadname: 'redis-server' }
  const ofMain = (name: 'used_cpu_user_main_thread' | 'used_cpu_sys_main_thread', mode: string) =>
    group.add('counter', 'thread_cpu_seconds_total', withLabels(mode, thread), infoNumber(reading, name))
  ofMain('used_cpu_user_main_thread', user)
  ofMain('used_cpu_sys_main_thread', system)
  const { process } = reading
  const memory = (memtype: string, bytes: number | undefined) =>
    group.add('gauge', 'memory_bytes', withLabels(labels, { memtype }), bytes)
  memory('resident', infoNumber(reading, 'used_memory_rss'))
  memory('virtual', process?.virtualBytes)
  group.add('gauge', 'open_filedesc', labels, process?.openFiles)
  group.add('gauge', 'thread_count', labels, process?.threads)
  group.add('gauge', 'oldest_start_time_seconds', labels, startedAt(reading))
}

/** Reading its counters is how somebody is asked whether they are there. */
function tellFailures(
  out: Figures,
  { statistics }: Sources,
  scope: Scope,
  { uid, config }: DatabaseDocument,
  shards: readonly ToldShard[],
  who: string,
): void {
  const { failures } = statistics.live
  for (const { place, role } of shards) {
    const node = scope ? undefined : place.nodeUid
    const labels = withLabels(who, { node, shard_uid: place.uid, role })
    tellFailing(out, 'shard', labels, failures.shards.get(place.uid))
  }
  const primary = shards.find(({ role }) => role === 'master')
  const served =
    servingOf(config) === 'primary' ? failures.shards.get(primary?.place.uid ?? 0) : failures.endpoints.get(uid)
  tellFailing(out, 'endpoint', withLabels(who, { endpoint_uid: `${uid}:1` }), served)
}
