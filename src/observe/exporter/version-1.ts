/**
 * The first version of the metrics: what happened in the last second, computed by the cluster, under names that begin with
 * bdb_, listener_, node_ and redis_. Dashboards and alert rules divide some of them by others, so that those of one object
 * have exactly the same labels.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { infoNumber } from '#model/statistics/readings.ts'
import type { Sample } from '#model/statistics/sample.ts'
import { type Exposition, labelsOf } from './exposition.ts'
import type { Recent } from './recent.ts'
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

type Value = (sample: Sample) => number | undefined

const named =
  (metric: string, factor = 1): Value =>
  (sample) => {
    const value = sample.named(metric)
    return value === undefined ? undefined : value * factor
  }
/** Seconds; where nothing was asked there is no latency. */
const latency =
  (ratio: 'avg_latency' | 'avg_read_latency' | 'avg_write_latency' | 'avg_other_latency'): Value =>
  (sample) => {
    const microseconds = sample.ratio(ratio)
    return microseconds === undefined ? undefined : microseconds / 1e6
  }

/** Of which the highest value is told too. */
const DATABASE_PEAKING: Readonly<Record<string, Value>> = {
  avg_latency: latency('avg_latency'),
  avg_read_latency: latency('avg_read_latency'),
  avg_write_latency: latency('avg_write_latency'),
  avg_other_latency: latency('avg_other_latency'),
  egress_bytes: named('egress_bytes'),
  evicted_objects: named('evicted_objects'),
  expired_objects: named('expired_objects'),
  fork_cpu_system: named('fork_cpu_system'),
  fork_cpu_user: named('fork_cpu_user'),
  ingress_bytes: named('ingress_bytes'),
  main_thread_cpu_system: named('main_thread_cpu_system'),
  main_thread_cpu_user: named('main_thread_cpu_user'),
  other_req: named('other_req'),
  other_res: named('other_req'),
  pubsub_channels: named('pubsub_channels'),
  pubsub_patterns: named('pubsub_patterns'),
  read_hits: named('read_hits'),
  read_misses: named('read_misses'),
  read_req: named('read_req'),
  read_res: named('read_req'),
  shard_cpu_system: named('shard_cpu_system'),
  shard_cpu_user: named('shard_cpu_user'),
  total_connections_received: named('total_connections_received'),
  total_req: named('total_req'),
  total_res: named('total_req'),
  write_req: named('write_req'),
  write_res: named('write_req'),
}
const DATABASE_PLAIN: Readonly<Record<string, Value>> = {
  conns: named('conns'),
  instantaneous_ops_per_sec: named('total_req'),
  mem_frag_ratio: (sample) => sample.ratio('mem_frag_ratio'),
  mem_size_lua: named('mem_size_lua'),
  no_of_keys: named('no_of_keys'),
  no_of_expires: named('no_of_expires'),
  used_memory: named('used_memory'),
}
const LISTENER_PEAKING = [
  'acc_latency',
  'acc_other_latency',
  'acc_read_latency',
  'acc_write_latency',
  'auth_cmds',
  'auth_errors',
  'cmd_flush',
  'cmd_get',
  'cmd_set',
  'cmd_touch',
  'egress_bytes',
  'ingress_bytes',
  'max_connections_exceeded',
  'other_req',
  'read_req',
  'total_connections_received',
  'total_req',
  'write_req',
] as const
const RESPONSES = ['other', 'read', 'total', 'write'] as const

const NODE_PEAKING = ['cpu_idle', 'cpu_system', 'cpu_user', 'egress_bytes', 'ingress_bytes'] as const
const NODE_PLAIN = [
  'available_flash',
  'available_flash_no_overbooking',
  'available_memory',
  'available_memory_no_overbooking',
  'conns',
  'cpu_iowait',
  'cpu_irqs',
  'cpu_nice',
  'cpu_steal',
  'cur_aof_rewrites',
  'ephemeral_storage_avail',
  'ephemeral_storage_free',
  'free_memory',
  'persistent_storage_avail',
  'persistent_storage_free',
  'provisional_flash',
  'provisional_flash_no_overbooking',
  'provisional_memory',
  'provisional_memory_no_overbooking',
  'total_req',
] as const

export function tellDatabase(out: Exposition, sources: Sources, recent: Recent, database: DatabaseDocument): void {
  const { uid, config } = database
  const cluster = clusterName(sources)
  const labels = labelsOf({ bdb: uid, bdb_name: config.name, cluster })
  const shards = toldShards(sources, database)
  const isUp = shards.filter(({ role }) => role === 'master').every((shard) => shard.isUp) && !database.deletion
  const state = labelsOf({ bdb: uid, bdb_name: config.name, cluster, status: isUp ? 'active' : 'down' })
  const gauge = (name: string, value: number | undefined) => out.add('gauge', `bdb_${name}`, labels, value)
  out.add('gauge', 'bdb_up', state, isUp ? 1 : 0)
  out.add('gauge', 'bdb_status', state, 1)
  gauge('memory_limit', memoryLimitBytes(sources, database))
  gauge('shards_used', shards.length)
  gauge('bigstore_shard_count', 0)
  const object = { kind: 'database', uid } as const
  const sample = sources.statistics.latest(object)
  if (sample) {
    for (const [name, value] of Object.entries(DATABASE_PLAIN)) gauge(name, value(sample))
    for (const [name, value] of Object.entries(DATABASE_PEAKING)) {
      gauge(name, value(sample))
      gauge(`${name}_max`, recent.max(object, value))
    }
    out.add('gauge', 'no_of_expires', labels, sample.named('no_of_expires'))
  }
  for (const nodeUid of new Set(database.shards.map((place) => place.nodeUid)))
    tellListener(out, sources, recent, database, nodeUid)
  for (const shard of shards) tellShard(out, sources, shard, cluster)
}

function tellListener(
  out: Exposition,
  sources: Sources,
  recent: Recent,
  { uid, config, endpointPort }: DatabaseDocument,
  nodeUid: number,
): void {
  const object = { kind: 'endpoint', uid, nodeUid } as const
  const sample = sources.statistics.latest(object)
  if (!sample) return
  const labels = labelsOf({
    bdb: uid,
    bdb_name: config.name,
    cluster: clusterName(sources),
    endpoint: `${uid}:1`,
    node: nodeUid,
    port: endpointPort,
    proxy: nodeUid,
  })
  const gauge = (name: string, value: number | undefined) => out.add('gauge', `listener_${name}`, labels, value)
  for (const name of LISTENER_PEAKING) {
    gauge(name, sample.named(name))
    gauge(`${name}_max`, recent.max(object, named(name)))
  }
  for (const kind of RESPONSES) {
    gauge(`${kind}_res`, sample.named(`${kind}_req`))
    gauge(`${kind}_res_max`, recent.max(object, named(`${kind}_req`)))
  }
  gauge('conns', sample.named('conns'))
  gauge('last_req_time', sample.named('last_req_time'))
  gauge('last_res_time', sample.named('last_req_time'))
}

function tellShard(out: Exposition, { statistics }: Sources, shard: ToldShard, cluster: string): void {
  const { place, database, role, slots, isUp, reading, memoryLimitBytes: limit } = shard
  const who = {
    bdb: database.uid,
    bdb_name: database.config.name,
    cluster,
    node: place.nodeUid,
    redis: place.uid,
    role,
    shard_type: 'ram',
    slots,
  }
  const labels = labelsOf(who)
  const gauge = (name: string, value: number | undefined) => out.add('gauge', `redis_${name}`, labels, value)
  out.add('gauge', 'redis_up', labelsOf({ ...who, status: isUp ? 'active' : 'inactive' }), isUp ? 1 : 0)
  gauge('forwarding_state', isUp && role === 'master' ? 1 : 0)
  gauge('maxmemory', limit)
  if (!reading) return
  for (const { name, type, value } of SHARD_METRICS) out.add(type, `redis_${name}`, labels, value(reading))
  if (role === 'slave') gauge('master_link_status', infoNumber(reading, 'master_link_up'))
  const counter = (name: string, value: number) => out.add('counter', `redis_process_${name}`, labels, value)
  counter('cpu_system_seconds_total', infoNumber(reading, 'used_cpu_sys'))
  counter('cpu_user_seconds_total', infoNumber(reading, 'used_cpu_user'))
  counter('main_thread_cpu_system_seconds_total', infoNumber(reading, 'used_cpu_sys_main_thread'))
  counter('main_thread_cpu_user_seconds_total', infoNumber(reading, 'used_cpu_user_main_thread'))
  gauge('process_resident_memory_bytes', infoNumber(reading, 'used_memory_rss'))
  gauge('process_max_fds', reading.process?.maxFiles)
  gauge('process_open_fds', reading.process?.openFiles)
  gauge('process_virtual_memory_bytes', reading.process?.virtualBytes)
  gauge('process_start_time_seconds', startedAt(reading))
  const sample = statistics.latest({ kind: 'shard', uid: place.uid })
  const [user, system] = [sample?.named('shard_cpu_user'), sample?.named('shard_cpu_system')]
  if (user !== undefined && system !== undefined) gauge('process_cpu_usage_percent', (user + system) * 100)
}

export function tellNode(out: Exposition, sources: Sources, recent: Recent, nodeUid: number, nowMs: number): void {
  const { agents, statistics, state, softwareVersion } = sources
  const who = { cluster: clusterName(sources), node: nodeUid }
  const labels = labelsOf(who)
  const gauge = (name: string, value: number | undefined) => out.add('gauge', `node_${name}`, labels, value)
  out.add('gauge', 'node_up', labelsOf({ ...who, cnm_version: softwareVersion }), agents.has(nodeUid) ? 1 : 0)
  for (const { id, value } of state.certificates.values())
    out.add('gauge', 'node_cert_expiration_seconds', labelsOf({ ...who, path: id }), secondsLeft(value, nowMs))
  const object = { kind: 'node', uid: nodeUid } as const
  const sample = statistics.latest(object)
  if (!sample) return
  for (const name of NODE_PLAIN) gauge(name, sample.named(name))
  for (const name of NODE_PEAKING) {
    gauge(name, sample.named(name))
    gauge(`${name}_max`, recent.max(object, named(name)))
    gauge(`${name}_median`, recent.median(object, named(name)))
    gauge(`${name}_min`, recent.min(object, named(name)))
  }
  const microseconds = sample.ratio('avg_latency')
  // Of a node it is told in milliseconds, of a database in seconds.
  gauge('avg_latency', microseconds === undefined ? undefined : microseconds / 1000)
}

export function tellCluster(out: Exposition, sources: Sources): void {
  out.add('gauge', 'cluster_shards_limit', labelsOf({ cluster: clusterName(sources) }), NO_LIMIT)
}
