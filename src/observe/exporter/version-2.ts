/**
 * The second version of the metrics: counters as they stand, from which Prometheus computes rates, and latencies in
 * microseconds. Where a database's primary serves its endpoint itself the endpoint's counters are the engine's.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { exporterRules } from '#model/metrics-config.ts'
import {
  type EndpointReading,
  infoNumber,
  LATENCY_BOUNDS_US,
  type ProcessReading,
  REPLICATION_COMMANDS,
  type RequestKind,
  refusedLogins,
  type ShardReading,
} from '#model/statistics/readings.ts'
import { servingOf } from '#plan/serving.ts'
import { type Exposition, labelsOf } from './exposition.ts'
import { SHARD_METRICS, startedAt } from './shard-metrics.ts'
import {
  clusterName,
  memoryLimitBytes,
  NO_LIMIT,
  type Sources,
  secondsLeft,
  type ToldShard,
  toldShards,
} from './subjects.ts'

type Labels = Readonly<Record<string, string | number | undefined>>

/** Of one node only: then every line is about it, and says neither node nor cluster. */
export type Scope = { readonly nodeUid: number } | null

const KINDS: readonly RequestKind[] = ['read', 'write', 'other']
/** What a kernel counts its ticks in, on every machine that engines run on. */
const TICKS_PER_SECOND = 100
const NODE_GAUGES: Readonly<Record<string, string>> = {
  available_flash: 'available_flash_bytes',
  available_flash_no_overbooking: 'available_flash_no_overbooking_bytes',
  available_memory: 'available_memory_bytes',
  available_memory_no_overbooking: 'available_memory_no_overbooking_bytes',
  ephemeral_storage_avail: 'ephemeral_storage_avail_bytes',
  ephemeral_storage_free: 'ephemeral_storage_free_bytes',
  free_memory: 'memory_MemFree_bytes',
  persistent_storage_avail: 'persistent_storage_avail_bytes',
  persistent_storage_free: 'persistent_storage_free_bytes',
  provisional_flash: 'provisional_flash_bytes',
  provisional_flash_no_overbooking: 'provisional_flash_no_overbooking_bytes',
  provisional_memory: 'provisional_memory_bytes',
  provisional_memory_no_overbooking: 'provisional_memory_no_overbooking_bytes',
}

export function tellDatabase(out: Exposition, sources: Sources, scope: Scope, database: DatabaseDocument): void {
  const { uid, config, engine, endpointPort, deletion } = database
  const cluster = scope ? undefined : clusterName(sources)
  const who = { cluster, db: uid, db_name: config.name }
  const shards = toldShards(sources, database).filter(({ place }) => !scope || place.nodeUid === scope.nodeUid)
  const isUp = shards.filter(({ role }) => role === 'master').every((shard) => shard.isUp) && !deletion
  const gauge = (name: string, value: number, more: Readonly<Record<string, string | number>> = {}) =>
    out.add('gauge', name, labelsOf({ ...who, ...more }), value)
  gauge('db_config', 1, { db_version: engine.version, port: endpointPort, shards: shards.length })
  gauge('db_status', 1, { status: isUp ? 'active' : 'down' })
  gauge('db_memory_limit_bytes', memoryLimitBytes(sources, database))
  gauge('db_replication_factor', config.replication ? 2 : 1)
  tellTags(out, sources, { cluster, db: uid }, config.tags)
  for (const [nodeUid, reading] of endpointReadings(sources, database, shards)) {
    if (scope && scope.nodeUid !== nodeUid) continue
    tellEndpoint(out, labelsOf({ ...who, node: scope ? undefined : nodeUid, proxy: nodeUid }), reading)
  }
  for (const shard of shards) tellShard(out, scope, shard, cluster)
}

/** One line for all of them, so that it can be joined with any other of the database. */
function tellTags(
  out: Exposition,
  { state }: Sources,
  who: Readonly<Record<string, string | number | undefined>>,
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
  const { place, database, role, slots, isUp, reading, memoryLimitBytes: limit } = shard
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
  if (!reading) return
  for (const { name, value } of SHARD_METRICS) gauge(name, value(reading))
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
  out.add('gauge', 'namedprocess_namegroup_oldest_start_time_seconds', began, startedAt(reading))
}

export function tellNode(out: Exposition, sources: Sources, scope: Scope, nodeUid: number, nowMs: number): void {
  const { agents, statistics, state, softwareVersion } = sources
  const who = scope ? {} : { cluster: clusterName(sources), node: nodeUid }
  const labels = labelsOf(who)
  out.add('gauge', 'node_metrics_up', labels, agents.has(nodeUid) ? 1 : 0)
  // There is one node, which decides by itself.
  out.add('gauge', 'has_quorum', labels, 1)
  out.add('gauge', 'is_primary', labels, 1)
  out.add('gauge', 'node_config', labelsOf({ ...who, cnm_version: softwareVersion }), 1)
  for (const { id, value } of state.certificates.values())
    out.add(
      'gauge',
      'node_cert_expires_in_seconds',
      labelsOf({ ...who, filename: `${id}_cert.pem`, path: id }),
      secondsLeft(value, nowMs),
    )
  const sample = statistics.latest({ kind: 'node', uid: nodeUid })
  if (sample)
    for (const [metric, name] of Object.entries(NODE_GAUGES))
      out.add('gauge', `node_${name}`, labels, sample.named(metric))
  const reading = statistics.live.nodes.get(nodeUid)
  if (!reading) return
  tellProxy(out, who, reading.proxy)
  const modes = { ...reading.cpu, irq: reading.cpu.irqs }
  for (const mode of ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'steal'] as const) {
    // One line stands for all processors: the time of each, on average.
    const seconds = modes[mode] / TICKS_PER_SECOND / Math.max(1, reading.cores)
    out.add('counter', 'node_cpu_seconds_total', labelsOf({ ...who, cpu: 'all', mode }), seconds)
  }
  const device = labelsOf({ ...who, device: 'all' })
  out.add('counter', 'node_network_receive_bytes_total', device, reading.receivedBytes)
  out.add('counter', 'node_network_transmit_bytes_total', device, reading.sentBytes)
}

/** All its processes together; each is told as a thread of it too, since that is what they are for: one core each. */
function tellProxy(out: Exposition, who: Labels, processes: readonly ProcessReading[]): void {
  if (processes.length === 0) return
  const labels = labelsOf(who)
  const sum = (of: (one: ProcessReading) => number) => processes.reduce((all, one) => all + of(one), 0)
  const group = (more: Labels) => labelsOf({ ...who, groupname: 'dmcproxy', ...more })
  const gauge = (name: string, value: number, own = labels) => out.add('gauge', name, own, value)
  gauge('dmcproxy_process_cpu_usage_percent', sum(({ corePart }) => corePart) * 100)
  gauge(
    'dmcproxy_process_resident_memory_bytes',
    sum(({ residentBytes }) => residentBytes),
  )
  gauge(
    'dmcproxy_process_virtual_memory_bytes',
    sum(({ virtualBytes }) => virtualBytes),
  )
  gauge(
    'dmcproxy_process_open_fds',
    sum(({ openFiles }) => openFiles),
  )
  for (const mode of ['user', 'system'] as const) {
    const seconds = sum((one) => one[`${mode}Seconds`])
    out.add('counter', `dmcproxy_process_cpu_${mode}_seconds_total`, labels, seconds)
    out.add('counter', 'namedprocess_namegroup_cpu_seconds_total', group({ mode }), seconds)
    for (const [index, one] of processes.entries()) {
      const threadname = index === 0 && processes.length > 1 ? 'listener' : `worker-${Math.max(1, index)}`
      const own = group({ mode, threadname })
      out.add('counter', 'namedprocess_namegroup_thread_cpu_seconds_total', own, one[`${mode}Seconds`])
    }
  }
  const residents = sum(({ residentBytes }) => residentBytes)
  gauge('namedprocess_namegroup_memory_bytes', residents, group({ memtype: 'resident' }))
  gauge(
    'namedprocess_namegroup_open_filedesc',
    sum(({ openFiles }) => openFiles),
    group({}),
  )
  gauge('namedprocess_namegroup_thread_count', processes.length, group({}))
  const oldest = Math.min(...processes.map(({ startedAtMs }) => startedAtMs))
  gauge('namedprocess_namegroup_oldest_start_time_seconds', Math.round(oldest / 1_000), group({}))
}

export function tellCluster(out: Exposition, sources: Sources): void {
  const { state, agents } = sources
  const labels = labelsOf({ cluster: clusterName(sources) })
  const gauge = (name: string, value: number) => out.add('gauge', name, labels, value)
  gauge('license_shards_limit', NO_LIMIT)
  gauge('total_nodes_count', state.nodes.size)
  gauge('total_live_nodes_count', [...state.nodes.values()].filter(({ value }) => agents.has(value.uid)).length)
  gauge('users_count', state.users.size)
}
