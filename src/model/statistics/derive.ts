/**
 * What is known of endpoints, databases, nodes and the cluster, from readings and from the samples of what they are made
 * of. Sums leave out what is not known of a part. Pure.
 */
import { valueIn } from './derive-shard.ts'
import { COLUMNS, type Columns, type Kind, type Metric } from './metrics.ts'
import type { EndpointReading, NodeReading } from './readings.ts'
import { Sample } from './sample.ts'

const LONGEST_MS = 15_000

/**
 * Of an endpoint whose clients talk to these processes themselves: what they say. Null: they say nothing. `sinceMs`: where
 * its last sample ended.
 */
export function endpointOfShards(shards: readonly Sample<'shard'>[], sinceMs: number): Sample<'endpoint'> | null {
  const span = spanOf(shards, sinceMs)
  return span && made('endpoint', span, (_, column) => total(shards, ENDPOINT_FROM_SHARD[column], span))
}

/** Of an endpoint that a proxy serves. Null: there is nothing to compare with. `lastRequest`: as of a shard. */
export function endpointSample(
  before: EndpointReading | undefined,
  now: EndpointReading,
  lastRequest: number,
): Sample<'endpoint'> | null {
  if (!before) return null
  const elapsedMs = now.clockMs - before.clockMs
  if (elapsedMs <= 0 || elapsedMs > LONGEST_MS) return null
  const rate = (of: (reading: EndpointReading) => number) => {
    const [then, current] = [of(before), of(now)]
    return ((current >= then ? current - then : current) * 1_000) / elapsedMs
  }
  const requests = (of: 'read' | 'write' | 'other') => rate((reading) => reading[of].requests)
  const latency = (of: 'read' | 'write' | 'other') => rate((reading) => reading[of].microseconds)
  const [read, write, other] = [requests('read'), requests('write'), requests('other')]
  const [readLatency, writeLatency, otherLatency] = [latency('read'), latency('write'), latency('other')]
  const values: Record<Metric<'endpoint'>, number> = {
    total_req: read + write + other,
    read_req: read,
    write_req: write,
    other_req: other,
    acc_latency: readLatency + writeLatency + otherLatency,
    acc_read_latency: readLatency,
    acc_write_latency: writeLatency,
    acc_other_latency: otherLatency,
    total_connections_received: rate(({ connectionsReceived }) => connectionsReceived),
    ingress_bytes: rate(({ ingressBytes }) => ingressBytes),
    egress_bytes: rate(({ egressBytes }) => egressBytes),
    last_req_time: read + write + other > 0 ? Math.round(now.atMs / 1_000) : lastRequest,
    conns: now.clients,
    auth_cmds: rate(({ logins }) => logins),
    auth_errors: rate(({ loginsRefused }) => loginsRefused),
    cmd_get: rate(({ commands }) => commands.get),
    cmd_set: rate(({ commands }) => commands.set),
    cmd_flush: rate(({ commands }) => commands.flush),
    cmd_touch: rate(({ commands }) => commands.touch),
    max_connections_exceeded: rate(({ connectionsRefused }) => connectionsRefused),
  }
  return made('endpoint', { fromMs: now.atMs - elapsedMs, toMs: now.atMs }, valueIn(values))
}

/**
 * What its clients see is told by those who serve them, `clients`; keys are those of the primaries, and all its processes
 * take memory and time. `sinceMs`: where its last sample ended.
 */
export function databaseSample(
  clients: readonly Sample<'endpoint'>[],
  primaries: readonly Sample<'shard'>[],
  all: readonly Sample<'shard'>[],
  sinceMs: number,
): Sample<'database'> | null {
  const span = spanOf(all, sinceMs)
  if (!span) return null
  return made('database', span, (name, column) => {
    const ofEndpoint = DATABASE_FROM_ENDPOINT[column] ?? -1
    if (ofEndpoint >= 0) return total(clients, ofEndpoint, span)
    return total(OF_PROCESSES.has(name) ? all : primaries, DATABASE_FROM_SHARD[column], span)
  })
}

const OF_PROCESSES: ReadonlySet<string> = new Set([
  'used_memory',
  'used_memory_rss',
  'mem_not_counted_for_evict',
  'mem_size_lua',
  'shard_cpu_user',
  'shard_cpu_system',
  'main_thread_cpu_user',
  'main_thread_cpu_system',
  'fork_cpu_user',
  'fork_cpu_system',
] satisfies Metric<'database'>[])

/** What the databases of a node say about it. */
export type NodeLoad = {
  /** All memory that they may take there, and what they take. */
  readonly promisedBytes: number
  readonly usedBytes: number
  readonly clients: number
  readonly aofRewrites: number
  /** What its endpoints have served since the reading before, and the microseconds that it took. */
  readonly requests: number
  readonly microseconds: number
}

/** Null: there is nothing to compare with. */
export function nodeSample(before: NodeReading | undefined, now: NodeReading, load: NodeLoad): Sample<'node'> | null {
  if (!before) return null
  const elapsedMs = now.clockMs - before.clockMs
  if (elapsedMs <= 0 || elapsedMs > LONGEST_MS) return null
  const names = ['user', 'nice', 'system', 'idle', 'iowait', 'irqs', 'steal'] as const
  const ticks = (name: (typeof names)[number]) => Math.max(0, now.cpu[name] - before.cpu[name])
  const allTicks = names.reduce((sum, name) => sum + ticks(name), 0)
  const part = (name: (typeof names)[number]) => (allTicks === 0 ? Number.NaN : ticks(name) / allTicks)
  const rate = (name: 'receivedBytes' | 'sentBytes') => (Math.max(0, now[name] - before[name]) * 1_000) / elapsedMs
  const { promisedBytes, usedBytes } = load
  const provisional = Math.max(0, now.totalMemoryBytes - promisedBytes)
  const values: Record<Metric<'node'>, number> = {
    total_req: (load.requests * 1_000) / elapsedMs,
    acc_latency: (load.microseconds * 1_000) / elapsedMs,
    conns: load.clients,
    ingress_bytes: rate('receivedBytes'),
    egress_bytes: rate('sentBytes'),
    cpu_user: part('user'),
    cpu_system: part('system'),
    cpu_idle: part('idle'),
    cpu_nice: part('nice'),
    cpu_iowait: part('iowait'),
    cpu_irqs: part('irqs'),
    cpu_steal: part('steal'),
    free_memory: now.freeMemoryBytes,
    available_memory: now.availableMemoryBytes,
    available_memory_no_overbooking: Math.max(0, now.availableMemoryBytes - Math.max(0, promisedBytes - usedBytes)),
    provisional_memory: provisional,
    provisional_memory_no_overbooking: provisional,
    available_flash: 0,
    available_flash_no_overbooking: 0,
    provisional_flash: 0,
    provisional_flash_no_overbooking: 0,
    ephemeral_storage_free: now.ephemeralStorage.freeBytes,
    ephemeral_storage_avail: now.ephemeralStorage.availableBytes,
    persistent_storage_free: now.persistentStorage.freeBytes,
    persistent_storage_avail: now.persistentStorage.availableBytes,
    cur_aof_rewrites: load.aofRewrites,
  }
  return made('node', { fromMs: now.atMs - elapsedMs, toMs: now.atMs }, valueIn(values))
}

/** The sum of its nodes; parts of processor time are averaged. */
export function clusterSample(nodes: readonly Sample<'node'>[]): Sample<'cluster'> | null {
  const span = spanOf(nodes, 0)
  if (!span) return null
  return made('cluster', span, (name, column) => {
    const sum = total(nodes, CLUSTER_FROM_NODE[column], span)
    return name.startsWith('cpu_') ? sum / nodes.length : sum
  })
}

type Span = { readonly fromMs: number; readonly toMs: number }

function made<K extends Kind>(
  kind: K,
  { fromMs, toMs }: Span,
  value: (name: Metric<K>, column: number) => number,
): Sample<K> {
  const { names }: Columns<K> = COLUMNS[kind]
  const values = new Float64Array(names.length)
  // Hundreds of times a second: an iterator would make more garbage than the sample is.
  for (let column = 0; column < names.length; column++) values[column] = value(names[column] as Metric<K>, column)
  return new Sample(kind, fromMs, toMs, values)
}

/** For each column of one kind where it is in the other; -1: that has no such. */
function columnsIn(other: Kind, names: readonly string[], renamed: Readonly<Record<string, string>> = {}): Int16Array {
  const { indexOf } = COLUMNS[other]
  return Int16Array.from(names, (name) => (indexOf as ReadonlyMap<string, number>).get(renamed[name] ?? name) ?? -1)
}
const ENDPOINT_FROM_SHARD = columnsIn('shard', COLUMNS.endpoint.names, { conns: 'connected_clients' })
const DATABASE_FROM_SHARD = columnsIn('shard', COLUMNS.database.names)
const DATABASE_FROM_ENDPOINT = columnsIn('endpoint', COLUMNS.database.names)
const CLUSTER_FROM_NODE = columnsIn('node', COLUMNS.cluster.names)

/**
 * The parts are read a little earlier or later each time: where the last span ended this one begins, or some time would be
 * told twice. Unless the clock has gone back since.
 */
function spanOf(samples: readonly Sample[], sinceMs: number): Span | null {
  if (samples.length === 0) return null
  const toMs = Math.max(...samples.map((sample) => sample.toMs))
  const firstMs = Math.min(...samples.map((sample) => sample.fromMs))
  return { fromMs: sinceMs < toMs ? Math.max(sinceMs, firstMs) : firstMs, toMs }
}

/**
 * NaN: of none of them anything is known. What was counted over a longer or a shorter time than the whole span is all of it
 * the span's. A moment is not added up: the newest counts.
 */
function total(samples: readonly Sample[], column = -1, { fromMs, toMs }: Span): number {
  let sum = Number.NaN
  for (const { kind, values, knownMs } of samples) {
    const counted = values[column] ?? Number.NaN
    if (Number.isNaN(counted)) continue
    const meaning = COLUMNS[kind].meanings[column]
    const value = meaning === 'rate' ? (counted * knownMs) / (toMs - fromMs) : counted
    if (Number.isNaN(sum)) sum = value
    else sum = meaning === 'max' ? Math.max(sum, value) : sum + value
  }
  return sum
}
