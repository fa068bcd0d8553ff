/**
 * The first version of the metrics: what happened in the last second, computed by the cluster, under names that begin with
 * bdb_, listener_, node_ and redis_. Dashboards and alert rules divide some of them by others, so that those of one object
 * have exactly the same labels.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { RecentSamples } from '#model/statistics/contract.ts'
import { isRatio } from '#model/statistics/metrics.ts'
import { infoNumber } from '#model/statistics/readings.ts'
import type { Sample } from '#model/statistics/sample.ts'
import type { Figures } from './figures.ts'
import { labelsOf } from './labels.ts'
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

/** Where a value comes from: a metric or a ratio, and by what it is multiplied. */
type Source = { readonly of: string; readonly factor: number }
const same = (of: string): Source => ({ of, factor: 1 })
/** Of a database it is told in seconds. */
const seconds = (of: string): Source => ({ of, factor: 1e-6 })

type Told = { readonly name: string; readonly highest: string; readonly source: Source }

/** With the names under which they are told, put together once. */
function toldFrom(of: Readonly<Record<string, Source>>): readonly Told[] {
  return Object.entries(of).map(([name, source]) => ({ name, highest: `${name}_max`, source }))
}

/** Of which the highest value is told too. */
const DATABASE_PEAKING = toldFrom({
  avg_latency: seconds('avg_latency'),
  avg_read_latency: seconds('avg_read_latency'),
  avg_write_latency: seconds('avg_write_latency'),
  avg_other_latency: seconds('avg_other_latency'),
  egress_bytes: same('egress_bytes'),
  evicted_objects: same('evicted_objects'),
  expired_objects: same('expired_objects'),
  fork_cpu_system: same('fork_cpu_system'),
  fork_cpu_user: same('fork_cpu_user'),
  ingress_bytes: same('ingress_bytes'),
  main_thread_cpu_system: same('main_thread_cpu_system'),
  main_thread_cpu_user: same('main_thread_cpu_user'),
  other_req: same('other_req'),
  other_res: same('other_req'),
  pubsub_channels: same('pubsub_channels'),
  pubsub_patterns: same('pubsub_patterns'),
  read_hits: same('read_hits'),
  read_misses: same('read_misses'),
  read_req: same('read_req'),
  read_res: same('read_req'),
  shard_cpu_system: same('shard_cpu_system'),
  shard_cpu_user: same('shard_cpu_user'),
  total_connections_received: same('total_connections_received'),
  total_req: same('total_req'),
  total_res: same('total_req'),
  write_req: same('write_req'),
  write_res: same('write_req'),
})
const DATABASE_PLAIN = toldFrom({
  conns: same('conns'),
  instantaneous_ops_per_sec: same('total_req'),
  mem_frag_ratio: same('mem_frag_ratio'),
  mem_size_lua: same('mem_size_lua'),
  no_of_keys: same('no_of_keys'),
  no_of_expires: same('no_of_expires'),
  used_memory: same('used_memory'),
})
const LISTENER_PEAKING = toldFrom({
  acc_latency: same('acc_latency'),
  acc_other_latency: same('acc_other_latency'),
  acc_read_latency: same('acc_read_latency'),
  acc_write_latency: same('acc_write_latency'),
  auth_cmds: same('auth_cmds'),
  auth_errors: same('auth_errors'),
  cmd_flush: same('cmd_flush'),
  cmd_get: same('cmd_get'),
  cmd_set: same('cmd_set'),
  cmd_touch: same('cmd_touch'),
  egress_bytes: same('egress_bytes'),
  ingress_bytes: same('ingress_bytes'),
  max_connections_exceeded: same('max_connections_exceeded'),
  other_req: same('other_req'),
  read_req: same('read_req'),
  total_connections_received: same('total_connections_received'),
  total_req: same('total_req'),
  write_req: same('write_req'),
  other_res: same('other_req'),
  read_res: same('read_req'),
  total_res: same('total_req'),
  write_res: same('write_req'),
})

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

export function tellDatabase(out: Figures, sources: Sources, database: DatabaseDocument): void {
  const { uid, config } = database
  const cluster = clusterName(sources)
  const labels = labelsOf({ bdb: uid, bdb_name: config.name, cluster })
  const shards = toldShards(sources, database)
  const isUp = shards.filter(({ role }) => role === 'master').every((shard) => shard.isUp) && !database.deletion
  const state = labelsOf({ bdb: uid, bdb_name: config.name, cluster, status: isUp ? 'active' : 'down' })
  const group = out.group('bdb_')
  const gauge = (name: string, value: number | undefined) => group.add('gauge', name, labels, value)
  out.add('gauge', 'bdb_up', state, isUp ? 1 : 0)
  out.add('gauge', 'bdb_status', state, 1)
  gauge('memory_limit', memoryLimitBytes(sources, database))
  gauge('shards_used', shards.length)
  gauge('bigstore_shard_count', 0)
  const object = { kind: 'database', uid } as const
  const sample = sources.statistics.latest(object)
  if (sample) {
    const recent = sources.statistics.recent(object)
    for (const { name, source } of DATABASE_PLAIN) gauge(name, told(sample, source))
    for (const { name, highest, source } of DATABASE_PEAKING) {
      gauge(name, told(sample, source))
      gauge(highest, highestOf(recent, source))
    }
    out.add('gauge', 'no_of_expires', labels, sample.named('no_of_expires'))
  }
  for (const nodeUid of new Set(database.shards.map((place) => place.nodeUid)))
    tellListener(out, sources, database, nodeUid)
  for (const shard of shards) tellShard(out, sources, shard, cluster)
}

function tellListener(
  out: Figures,
  sources: Sources,
  { uid, config, endpointPort }: DatabaseDocument,
  nodeUid: number,
): void {
  const object = { kind: 'endpoint', uid, nodeUid } as const
  const sample = sources.statistics.latest(object)
  if (!sample) return
  const recent = sources.statistics.recent(object)
  const labels = labelsOf({
    bdb: uid,
    bdb_name: config.name,
    cluster: clusterName(sources),
    endpoint: `${uid}:1`,
    node: nodeUid,
    port: endpointPort,
    proxy: nodeUid,
  })
  const group = out.group('listener_')
  const gauge = (name: string, value: number | undefined) => group.add('gauge', name, labels, value)
  for (const { name, highest, source } of LISTENER_PEAKING) {
    gauge(name, told(sample, source))
    gauge(highest, highestOf(recent, source))
  }
  gauge('conns', sample.named('conns'))
  gauge('last_req_time', sample.named('last_req_time'))
  gauge('last_res_time', sample.named('last_req_time'))
}

function tellShard(out: Figures, { statistics }: Sources, shard: ToldShard, cluster: string): void {
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
  const group = out.group('redis_')
  const gauge = (name: string, value: number | undefined) => group.add('gauge', name, labels, value)
  out.add('gauge', 'redis_up', labelsOf({ ...who, status: isUp ? 'active' : 'inactive' }), isUp ? 1 : 0)
  gauge('forwarding_state', isUp && role === 'master' ? 1 : 0)
  gauge('maxmemory', limit)
  if (!reading) return
  for (const { name, type, value } of SHARD_METRICS) group.add(type, name, labels, value(reading))
  if (role === 'slave') gauge('master_link_status', infoNumber(reading, 'master_link_up'))
  const counter = (name: string, value: number) => group.add('counter', name, labels, value)
  counter('process_cpu_system_seconds_total', infoNumber(reading, 'used_cpu_sys'))
  counter('process_cpu_user_seconds_total', infoNumber(reading, 'used_cpu_user'))
  counter('process_main_thread_cpu_system_seconds_total', infoNumber(reading, 'used_cpu_sys_main_thread'))
  counter('process_main_thread_cpu_user_seconds_total', infoNumber(reading, 'used_cpu_user_main_thread'))
  gauge('process_resident_memory_bytes', infoNumber(reading, 'used_memory_rss'))
  gauge('process_max_fds', reading.process?.maxFiles)
  gauge('process_open_fds', reading.process?.openFiles)
  gauge('process_virtual_memory_bytes', reading.process?.virtualBytes)
  gauge('process_start_time_seconds', startedAt(reading))
  const sample = statistics.latest({ kind: 'shard', uid: place.uid })
  const [user, system] = [sample?.named('shard_cpu_user'), sample?.named('shard_cpu_system')]
  if (user !== undefined && system !== undefined) gauge('process_cpu_usage_percent', (user + system) * 100)
}

export function tellNode(out: Figures, sources: Sources, nodeUid: number, nowMs: number): void {
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
  const recent = statistics.recent(object)
  for (const name of NODE_PLAIN) gauge(name, sample.named(name))
  for (const name of NODE_PEAKING) {
    gauge(name, sample.named(name))
    gauge(`${name}_max`, recent?.highest(name))
    const values = (recent?.valuesOf(name) ?? []).sort((a, b) => a - b)
    gauge(`${name}_median`, middleOf(values))
    gauge(`${name}_min`, values[0])
  }
  const microseconds = sample.ratio('avg_latency')
  // Of a node it is told in milliseconds, of a database in seconds.
  gauge('avg_latency', microseconds === undefined ? undefined : microseconds / 1000)
}

export function tellCluster(out: Figures, sources: Sources): void {
  out.add('gauge', 'cluster_shards_limit', labelsOf({ cluster: clusterName(sources) }), NO_LIMIT)
}

function told(sample: Sample, { of, factor }: Source): number | undefined {
  const value = isRatio(of) ? sample.ratio(of) : sample.named(of)
  return value === undefined ? undefined : value * factor
}

/** Over about as long as there is between two scrapes. */
function highestOf(recent: RecentSamples | undefined, { of, factor }: Source): number | undefined {
  const value = recent?.highest(of)
  return value === undefined ? undefined : value * factor
}

/** Of values in order. */
function middleOf(values: readonly number[]): number | undefined {
  const half = values.length >> 1
  const [below, middle] = [values[half - 1], values[half]]
  return values.length % 2 === 1 || below === undefined || middle === undefined ? middle : (below + middle) / 2
}
