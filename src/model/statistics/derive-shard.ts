/**
 * Two readings of a shard → what happened between them. What was ours is taken away from what the engine counts. Counters
 * that went back belong to a process that began anew, and count from 0. Pure.
 */
import { COLUMNS, type Metric } from './metrics.ts'
import {
  type CommandReading,
  INFO_COLUMNS,
  type InfoNumber,
  infoNumber,
  REPLICATION_COMMANDS,
  type RequestKind,
  refusedLogins,
  type ShardReading,
} from './readings.ts'
import { Sample } from './sample.ts'

/** After so long a silence nobody knows how what was counted is spread over it: that is a gap. */
const LONGEST_MS = 15_000

/** What a figure is made of. */
type Between = {
  /** Of the same process; undefined: it has begun since, and counts from nothing. */
  readonly since: ShardReading | undefined
  readonly now: ShardReading
  readonly seconds: number
  readonly requests: Requests
  readonly lastRequest: number
}
type Figure = (between: Between) => number

/** In the order of their columns. */
const FIGURES: readonly Figure[] = inColumns(figures())

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
  const between = { since, now, seconds, requests: requestsBetween(since, now), lastRequest }
  // Hundreds of times a second: a record of all these numbers would make more garbage than the sample is.
  const columns = new Float64Array(FIGURES.length)
  for (let column = 0; column < FIGURES.length; column++) columns[column] = FIGURES[column]?.(between) ?? Number.NaN
  return new Sample('shard', now.atMs - elapsedMs, now.atMs, columns)
}

function figures(): Readonly<Record<Metric<'shard'>, Figure>> {
  const cpu = (of: 'user' | 'sys', suffix: '' | '_children' | '_main_thread') => growth(`used_cpu_${of}${suffix}`)
  return {
    total_req: ({ requests: { calls }, seconds }) => ofAllKinds(calls) / seconds,
    read_req: ({ requests: { calls }, seconds }) => calls.read / seconds,
    write_req: ({ requests: { calls }, seconds }) => calls.write / seconds,
    other_req: ({ requests: { calls }, seconds }) => calls.other / seconds,
    acc_latency: ({ requests: { microseconds }, seconds }) => ofAllKinds(microseconds) / seconds,
    acc_read_latency: ({ requests: { microseconds }, seconds }) => microseconds.read / seconds,
    acc_write_latency: ({ requests: { microseconds }, seconds }) => microseconds.write / seconds,
    acc_other_latency: ({ requests: { microseconds }, seconds }) => microseconds.other / seconds,
    total_connections_received: foreign('total_connections_received', 'connections'),
    ingress_bytes: foreign('total_net_input_bytes', 'receivedBytes'),
    egress_bytes: foreign('total_net_output_bytes', 'sentBytes'),
    last_req_time: ({ requests: { calls }, now, lastRequest }) =>
      ofAllKinds(calls) > 0 ? Math.round(now.atMs / 1_000) : lastRequest,
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
    connected_clients: ({ now }) => Math.max(0, infoNumber(now, 'connected_clients') - now.own.clients),
    blocked_clients: is('blocked_clients'),
    avg_ttl: is('avg_ttl'),
    rdb_changes_since_last_save: is('rdb_changes_since_last_save'),
    last_save_time: is('rdb_last_save_time'),
    aof_rewrite_inprog: is('aof_rewrite_in_progress'),
    sync_full: is('sync_full'),
    sync_partial_ok: is('sync_partial_ok'),
    sync_partial_err: is('sync_partial_err'),
    auth_cmds: named('auth'),
    auth_errors: ({ since, now, seconds }) => grown(since && refusedLogins(since), refusedLogins(now)) / seconds,
    cmd_get: named('get'),
    cmd_set: named('set'),
    cmd_flush: named('flush'),
    cmd_touch: named('touch'),
    max_connections_exceeded: growth('rejected_connections'),
  }
}

function inColumns(of: Readonly<Record<Metric<'shard'>, Figure>>): Figure[] {
  return COLUMNS.shard.names.map((name) => of[name])
}

function is(name: InfoNumber): Figure {
  const column = columnOf(name)
  return ({ now }) => now.numbers[column] ?? Number.NaN
}

function growth(name: InfoNumber): Figure {
  const column = columnOf(name)
  return ({ since, now, seconds }) => grown(since?.numbers[column], now.numbers[column] ?? Number.NaN) / seconds
}

/** Without our part of it. */
function foreign(name: InfoNumber, own: 'connections' | 'receivedBytes' | 'sentBytes'): Figure {
  const all = growth(name)
  return (between) => {
    const { since, now, seconds } = between
    return Math.max(0, all(between) - (now.own[own] - (since?.own[own] ?? 0)) / seconds)
  }
}

function named(name: Named): Figure {
  return ({ requests, seconds }) => requests.named[name] / seconds
}

function columnOf(name: InfoNumber): number {
  return INFO_COLUMNS.get(name) ?? -1
}

export function valueIn(values: Readonly<Record<string, number>>): (name: string) => number {
  return (name) => values[name] ?? Number.NaN
}

/** NaN: one of them is not known. */
function grown(before: number | undefined, now: number): number {
  if (before === undefined) return now
  return now >= before ? now - before : Number.isNaN(before) ? Number.NaN : now
}

type Requests = {
  readonly calls: Record<RequestKind, number>
  readonly microseconds: Record<RequestKind, number>
  readonly named: Record<Named, number>
}

function ofAllKinds({ read, write, other }: Readonly<Record<RequestKind, number>>): number {
  return read + write + other
}

function requestsBetween(since: ShardReading | undefined, now: ShardReading): Requests {
  const calls = { read: 0, write: 0, other: 0 }
  const microseconds = { read: 0, write: 0, other: 0 }
  const named = { auth: 0, get: 0, set: 0, flush: 0, touch: 0 }
  for (let index = 0; index < now.commands.length; index++) {
    const command = now.commands[index]
    if (!command || REPLICATION_COMMANDS.has(command.name)) continue
    const { name, kind } = command
    const before = commandNamed(name, since, index)
    const all = grown(before?.calls ?? 0, command.calls)
    const ours = (now.own.calls[name] ?? 0) - (since?.own.calls[name] ?? 0)
    const count = Math.max(0, all - ours)
    if (count === 0) continue
    calls[kind] += count
    // Nobody counts whose calls took how long: each took as long as the average.
    microseconds[kind] += (grown(before?.microseconds ?? 0, command.microseconds) * count) / all
    const counter = NAMED[name]
    if (counter) named[counter] += count
  }
  return { calls, microseconds, named }
}

/** `index`: where it mostly is, because the engine tells them in the same order until there is a new one. */
function commandNamed(name: string, reading: ShardReading | undefined, index: number): CommandReading | undefined {
  const there = reading?.commands[index]
  return there?.name === name ? there : reading?.commands.find((command) => command.name === name)
}

type Named = 'auth' | 'get' | 'set' | 'flush' | 'touch'

/** Commands that are counted by themselves. */
const NAMED: Readonly<Record<string, Named | undefined>> = {
  auth: 'auth',
  get: 'get',
  set: 'set',
  flushall: 'flush',
  flushdb: 'flush',
  touch: 'touch',
}
