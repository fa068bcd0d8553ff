/**
 * Two readings of a shard → what happened between them. What was ours is taken away from what the engine counts. Counters
 * that went back belong to a process that began anew, and count from 0. Pure.
 */
import { COLUMNS, type Metric } from './metrics.ts'
import {
  type CommandReading,
  type InfoNumber,
  infoNumber,
  REPLICATION_COMMANDS,
  refusedLogins,
  type ShardReading,
} from './readings.ts'
import { Sample } from './sample.ts'

/** After so long a silence nobody knows how what was counted is spread over it: that is a gap. */
const LONGEST_MS = 15_000

/** Null: nobody knows what was before. `lastRequest`: seconds since the epoch, as far as is known; 0: it is not. */
export function shardSample(
  before: ShardReading | undefined,
  now: ShardReading,
  lastRequest: number,
): Sample<'shard'> | null {
  const isSame = before && infoNumber(before, 'process_id') === infoNumber(now, 'process_id')
  // One that has just been started has counted from nothing, whoever looked since.
  const elapsedMs = before ? now.clockMs - before.clockMs : (infoNumber(now, 'uptime_in_seconds') + 0.5) * 1_000
  if (!(elapsedMs > 0 && elapsedMs <= LONGEST_MS)) return null
  const since = isSame ? before : undefined
  const seconds = elapsedMs / 1_000
  const growth = (name: InfoNumber) => grown(since && infoNumber(since, name), infoNumber(now, name)) / seconds
  /** Without our part of it. */
  const foreign = (name: InfoNumber, own: 'connections' | 'receivedBytes' | 'sentBytes') =>
    Math.max(0, growth(name) - (now.own[own] - (since?.own[own] ?? 0)) / seconds)
  const is = (name: InfoNumber) => infoNumber(now, name)
  const requests = requestsBetween(since, now, seconds)
  const cpu = (of: 'user' | 'sys', suffix: '' | '_children' | '_main_thread') => growth(`used_cpu_${of}${suffix}`)
  const values: Record<Metric<'shard'>, number> = {
    ...requests.all,
    total_connections_received: foreign('total_connections_received', 'connections'),
    ingress_bytes: foreign('total_net_input_bytes', 'receivedBytes'),
    egress_bytes: foreign('total_net_output_bytes', 'sentBytes'),
    last_req_time: requests.all.total_req > 0 ? Math.round(now.atMs / 1_000) : lastRequest,
    read_hits: growth('keyspace_hits'),
    read_misses: growth('keyspace_misses'),
    evicted_objects: growth('evicted_keys'),
    expired_objects: growth('expired_keys'),
    no_of_keys: is('keys'),
    no_of_expires: is('expires'),
    pubsub_channels: is('pubsub_channels'),
    pubsub_patterns: is('pubsub_patterns'),
    used_memory: is('used_memory'),
    used_memory_rss: is('used_memory_rss'),
    mem_not_counted_for_evict: is('mem_not_counted_for_evict'),
    mem_size_lua: is('used_memory_lua'),
    shard_cpu_user: cpu('user', ''),
    shard_cpu_system: cpu('sys', ''),
    main_thread_cpu_user: cpu('user', '_main_thread'),
    main_thread_cpu_system: cpu('sys', '_main_thread'),
    fork_cpu_user: cpu('user', '_children'),
    fork_cpu_system: cpu('sys', '_children'),
    used_memory_peak: is('used_memory_peak'),
    connected_clients: Math.max(0, is('connected_clients') - now.own.clients),
    blocked_clients: is('blocked_clients'),
    avg_ttl: is('avg_ttl'),
    rdb_changes_since_last_save: is('rdb_changes_since_last_save'),
    last_save_time: is('rdb_last_save_time'),
    aof_rewrite_inprog: is('aof_rewrite_in_progress'),
    sync_full: is('sync_full'),
    sync_partial_ok: is('sync_partial_ok'),
    sync_partial_err: is('sync_partial_err'),
    ...requests.named,
    auth_errors: grown(since && refusedLogins(since), refusedLogins(now)) / seconds,
    max_connections_exceeded: growth('rejected_connections'),
  }
  return new Sample('shard', now.atMs - elapsedMs, now.atMs, inColumns(values))
}

function inColumns(values: Readonly<Record<Metric<'shard'>, number>>): Float64Array {
  const { names } = COLUMNS.shard
  const columns = new Float64Array(names.length)
  for (let column = 0; column < names.length; column++) columns[column] = values[names[column] as Metric<'shard'>]
  return columns
}

export function valueIn(values: Readonly<Record<string, number>>): (name: string) => number {
  return (name) => values[name] ?? Number.NaN
}

/** NaN: one of them is not known. */
function grown(before: number | undefined, now: number): number {
  if (before === undefined) return now
  return now >= before ? now - before : Number.isNaN(before) ? Number.NaN : now
}

function requestsBetween(since: ShardReading | undefined, now: ShardReading, seconds: number) {
  const calls = { read: 0, write: 0, other: 0 }
  const microseconds = { read: 0, write: 0, other: 0 }
  const named = { auth_cmds: 0, cmd_get: 0, cmd_set: 0, cmd_flush: 0, cmd_touch: 0 }
  for (const [index, command] of now.commands.entries()) {
    const { name, kind } = command
    if (REPLICATION_COMMANDS.has(name)) continue
    const before = commandNamed(name, since, index)
    const all = grown(before?.calls ?? 0, command.calls)
    const ours = (now.own.calls[name] ?? 0) - (since?.own.calls[name] ?? 0)
    const count = Math.max(0, all - ours)
    if (count === 0) continue
    calls[kind] += count
    // Nobody counts whose calls took how long: each took as long as the average.
    microseconds[kind] += (grown(before?.microseconds ?? 0, command.microseconds) * count) / all
    const column = NAMED[name]
    if (column) named[column] += count / seconds
  }
  const all = {
    total_req: (calls.read + calls.write + calls.other) / seconds,
    read_req: calls.read / seconds,
    write_req: calls.write / seconds,
    other_req: calls.other / seconds,
    acc_latency: (microseconds.read + microseconds.write + microseconds.other) / seconds,
    acc_read_latency: microseconds.read / seconds,
    acc_write_latency: microseconds.write / seconds,
    acc_other_latency: microseconds.other / seconds,
  }
  return { all, named }
}

/** `index`: where it mostly is, because the engine tells them in the same order until there is a new one. */
function commandNamed(name: string, reading: ShardReading | undefined, index: number): CommandReading | undefined {
  const there = reading?.commands[index]
  return there?.name === name ? there : reading?.commands.find((command) => command.name === name)
}

/** Commands that are counted by themselves. */
const NAMED: Readonly<Record<string, 'auth_cmds' | 'cmd_get' | 'cmd_set' | 'cmd_flush' | 'cmd_touch' | undefined>> = {
  auth: 'auth_cmds',
  get: 'cmd_get',
  set: 'cmd_set',
  flushall: 'cmd_flush',
  flushdb: 'cmd_flush',
  touch: 'cmd_touch',
}
