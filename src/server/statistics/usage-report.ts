/**
 * The usage report: a line of JSON for each database, and the MD5 of them all as the last line; compressed for whoever
 * takes that. Callers: the route below.
 */
import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { createGzip } from 'node:zlib'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { NO_SHARD_LIMIT } from '#model/license.ts'
import { leadsOf } from '#plan/leads.ts'
import { wireTime } from '../databases/render.ts'
import { isInReach } from '../databases/visibility.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'

const API_VERSION = '1'
const MEDIA_TYPE = 'application/x-ndjson'
const GIGABYTE = 2 ** 30
/** How large a shard of each size may be: what the original sells by. */
const MICRO_BYTES = GIGABYTE
const NORMAL_BYTES = 25 * GIGABYTE

export const usageReportRoute: Route = {
  method: 'GET',
  path: '/v1/usage_report',
  access: 'view_all_bdb_stats',
  summary: 'What each database uses, a line of JSON each, and the MD5 of them all',
  file: MEDIA_TYPE,
  refusals: [],
  handle: readUsageReport,
}

function readUsageReport(request: ApiRequest, parts: Parts): Answer {
  const takesGzip = /\bgzip\b/.test(request.header('accept-encoding') ?? '')
  const lines = Readable.from(linesOf(request, parts))
  return takesGzip
    ? // An error of either end, or a caller who goes away, ends all of it.
      { file: lines.compose(createGzip()), name: null, headers: { 'content-encoding': 'gzip' } }
    : { file: lines, name: null }
}

function* linesOf(request: ApiRequest, parts: Parts): Generator<string> {
  const digest = createHash('md5')
  const cluster = clusterIn(parts)
  for (const { value } of parts.state.databases.values()) {
    if (!isInReach(request, value.uid, 'view_all_bdb_stats')) continue
    const line = `${JSON.stringify(usageOf(parts, cluster, value))}\n`
    digest.update(line)
    yield line
  }
  yield `${digest.digest('hex')}\n`
}

type OfCluster = {
  readonly name: string
  readonly uuid: string
  readonly createdAt: string
  readonly shardsInUse: number
}

/** What every line says alike. */
function clusterIn({ state }: Parts): OfCluster {
  const { name = '', createdAt = '' } = state.cluster.get('')?.value ?? {}
  const [firstNode] = [...state.nodes.values()].map((node) => node.value).sort((a, b) => a.uid - b.uid)
  let shardsInUse = 0
  for (const { value } of state.databases.values()) shardsInUse += value.shards.length
  return { name, uuid: firstNode?.folderId ?? '', createdAt, shardsInUse }
}

function usageOf(
  { state, statistics, softwareVersion, now }: Parts,
  cluster: OfCluster,
  { uid, config, shards }: DatabaseDocument,
): object {
  const newest = statistics.latest({ kind: 'database', uid })
  const primaries = leadsOf(state.statuses.get(uid)?.value.leads ?? [], shards).length
  return {
    cluster_name: cluster.name,
    cluster_uuid: cluster.uuid,
    date: new Date(now()).toISOString(),
    software_version: softwareVersion,
    api_version: API_VERSION,
    bdb_uid: String(uid),
    type: 'core',
    shard_type: shardType(config.memory_size / Math.max(1, shards.length)),
    dominant_shard_criteria: 'mem',
    provisioned_memory: config.memory_size,
    used_memory: Math.round(newest?.get('used_memory') ?? 0),
    master_shards_count: primaries,
    no_eviction: config.eviction_policy === 'noeviction',
    persistence: config.data_persistence !== 'disabled',
    backup: config.backup,
    using_redis_search: false,
    ops_sec: Math.round(newest?.get('total_req') ?? 0),
    replication: config.replication,
    active_active: false,
    license: {
      activation_date: wireTime(cluster.createdAt),
      expiration_date: '9999-12-31T23:59:59Z',
      ram_shards_in_use: cluster.shardsInUse,
      ram_shards_limit: NO_SHARD_LIMIT,
      flash_shards_in_use: 0,
      flash_shards_limit: 0,
      shards_limit: NO_SHARD_LIMIT,
    },
  }
}

function shardType(bytes: number): 'micro' | 'normal' | 'large' {
  if (bytes <= MICRO_BYTES) return 'micro'
  return bytes <= NORMAL_BYTES ? 'normal' : 'large'
}
