/**
 * GET of shards: what the agents see, with the engine's own INFO where it answers. Asked of the processes at that
 * moment, all in parallel, so that one that hangs costs its own fields and nothing else.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { slotText } from '#model/slots.ts'
import type { ObservedShard } from '#plan/step.ts'
import { primariesOf, wireRole } from '../databases/leaders.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { wireTime } from '../databases/render.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const INFO_TIMEOUT_MS = 500

/** What the reference lists for redis_info, in the types of the wire. */
const INFO_NUMBERS = [
  'blocked_clients',
  'client_recent_max_input_buffer',
  'client_recent_max_output_buffer',
  'connected_clients',
  'maxmemory',
  'used_memory',
  'used_memory_dataset',
  'used_memory_lua',
  'used_memory_overhead',
  'used_memory_peak',
  'used_memory_rss',
  'aof_enabled',
  'aof_rewrite_in_progress',
  'rdb_bgsave_in_progress',
  'rdb_changes_since_last_save',
  'rdb_last_save_time',
  'master_last_io_seconds_ago',
  'master_repl_offset',
  'slave_repl_offset',
  'configured_hz',
  'hz',
  'uptime_in_days',
  'uptime_in_seconds',
  'instantaneous_ops_per_sec',
  'keyspace_hits',
  'keyspace_misses',
  'total_commands_processed',
  'total_connections_received',
  'total_net_input_bytes',
  'total_net_output_bytes',
] as const
const INFO_STRINGS = ['rdb_last_bgsave_status', 'redis_version'] as const

export async function readShards(request: ApiRequest, parts: Parts): Promise<Answer> {
  const all = [...parts.state.databases.values()]
    .filter(({ value }) => isInReach(request, value.uid, 'view_all_shard_stats'))
    .flatMap(({ value }) => placesOf(value))
  return { json: await Promise.all(all.map((one) => renderShard(parts, one, request))) }
}

export async function readShard(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { uid } = request.params
  for (const { value } of parts.state.databases.values()) {
    const found = placesOf(value).find(({ place }) => String(place.uid) === uid)
    if (found && isInReach(request, value.uid, 'view_shard_stats'))
      return { json: await renderShard(parts, found, request) }
  }
  return refuse('shard_not_exist', { description: `There is no shard with the uid ${String(uid).slice(0, 40)}.` })
}

export async function readDatabaseShards(request: ApiRequest, parts: Parts): Promise<Answer> {
  const uid = request.params.bdb_uid ?? ''
  const database = parts.state.databases.get(uid)
  if (!database) return noSuchDatabase(uid)
  return { json: await Promise.all(placesOf(database.value).map((one) => renderShard(parts, one, request))) }
}

type Placed = { readonly database: DatabaseDocument; readonly place: ShardPlace }

function placesOf(database: DatabaseDocument): Placed[] {
  return database.shards.map((place) => ({ database, place }))
}

async function renderShard(parts: Parts, { database, place }: Placed, { query }: ApiRequest): Promise<object> {
  const agent = parts.agents.get(place.nodeUid)
  const info = (await agent?.info(place.uid, INFO_TIMEOUT_MS)) ?? null
  // Afterwards: a shard that died while it was asked is not told of as it was before.
  const seen = agent?.observed().get(place.uid)
  const extra = (query.extra_info_keys ?? '').split(',').filter((key) => key !== '')
  return {
    uid: String(place.uid),
    bdb_uid: database.uid,
    node_uid: String(place.nodeUid),
    role: wireRole(parts.state, database, place),
    assigned_slots: slotText(place.slots),
    status: seen?.state === 'running' ? 'active' : 'inactive',
    detailed_status: detailedStatus(seen, info !== null),
    loading: loadingOf(seen),
    backup: {},
    sync: { status: isSyncing(parts, database, place, seen) ? 'syncing' : 'idle', progress: 0 },
    bigstore_ram_weight: 1,
    redis_info: info ? redisInfo(info, extra) : {},
    report_timestamp: wireTime(new Date(parts.now()).toISOString()),
  }
}

function detailedStatus(seen: ObservedShard | undefined, answers: boolean): string {
  switch (seen?.state) {
    case 'running':
      return answers ? 'ok' : 'timeout'
    case 'loading':
      return 'loading'
    case 'exited':
    case 'stopped':
      return 'down'
    case 'starting':
    case undefined:
      return 'unknown'
  }
}

/** A replica that is not sent every write yet is being brought there. */
function isSyncing(
  { state, agents }: Parts,
  database: DatabaseDocument,
  place: ShardPlace,
  seen: ObservedShard | undefined,
): boolean {
  if (wireRole(state, database, place) === 'master') return false
  if (seen?.state !== 'running' || !seen.isLinked) return true
  const primary = primariesOf(state, database).find(({ group }) => group === place.group)
  const online = primary && agents.get(primary.nodeUid)?.observed().get(primary.uid)?.onlineReplicas
  return !online
}

function loadingOf(seen: ObservedShard | undefined): object {
  if (seen?.state !== 'loading') return { status: 'idle' }
  return { status: 'in_progress', progress: seen.loadingPercent ?? 0 }
}

function redisInfo(info: Readonly<Record<string, string>>, extra: readonly string[]): Record<string, string | number> {
  const picked: Record<string, string | number> = {}
  for (const name of INFO_NUMBERS) if (info[name] !== undefined) picked[name] = Number(info[name])
  for (const name of [...INFO_STRINGS, ...extra]) {
    const value = info[name]
    if (value !== undefined && !(name in picked)) picked[name] = value
  }
  return picked
}
