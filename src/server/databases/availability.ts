/**
 * Whether a database can be used right now, asked of the processes themselves at that moment, within a second: load
 * balancers and clients decide by the answer. An empty 200 is yes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Agent } from '#plan/agent.ts'
import { servingOf } from '#plan/serving.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import { localAgent, type Parts } from '../parts.ts'
import { primariesOf } from './leaders.ts'

/** Callers give up after a second: the answer must be there before. */
const PROBE_TIMEOUT_MS = 500
const LOOK_AGAIN_MS = 5
/** Of the reference; a cluster may have another. */
const DEFAULT_TOLERANCE_MS = 100

export async function databaseAvailability(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { reachable, bound, inStep } = await probe(request, parts)
  if (reachable && bound) {
    if (inStep) return { json: null }
    return refuse('bdb_unavailable', { description: 'A replica is further behind its primary than is tolerated.' })
  }
  const code: RefusalCode = reachable
    ? 'bdb_unavailable_port_unbound'
    : bound
      ? 'bdb_unavailable_shard_unreachable'
      : 'bdb_unavailable_shard_unreachable_port_unbound'
  return refuse(code)
}

export async function endpointAvailability(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { reachable, bound, inStep } = await probe(request, parts)
  return reachable && bound && inStep ? { json: null } : refuse('bdb_endpoint_unavailable')
}

export type Probed = {
  /** Every primary answers. */
  readonly reachable: boolean
  /** The endpoint's port is answered by this database. */
  readonly bound: boolean
  /** Every replica has what its primary had a moment ago; true when nobody asked. */
  readonly inStep: boolean
}

async function probe(request: ApiRequest, parts: Parts): Promise<Probed> {
  const toleranceMs = lagToleranceOf(request, parts)
  const database = parts.state.databases.get(request.params.uid ?? '')?.value
  if (!database) return refuse('db_not_found', { description: `There is no database ${request.params.uid}.` })
  return await probeDatabase(parts, database, toleranceMs)
}

/** `toleranceMs`: how far replicas may be behind; null: nobody asks. */
export async function probeDatabase(
  parts: Parts,
  database: DatabaseDocument,
  toleranceMs: number | null,
): Promise<Probed> {
  const agent = localAgent(parts)
  const primaries = primariesOf(parts.state, database)
  const [first] = primaries
  const [answers, isServed, inStep] = await Promise.all([
    Promise.all(primaries.map((shard) => agent.info(shard.uid, PROBE_TIMEOUT_MS))),
    servingOf(database.config) !== 'primary'
      ? agent.endpointServes(database.uid, PROBE_TIMEOUT_MS)
      : first
        ? agent.pingEndpoint(first.uid, PROBE_TIMEOUT_MS).then((tookMs) => tookMs !== null)
        : false,
    toleranceMs === null || replicasKeepUp(agent, database, primaries, toleranceMs),
  ])
  const reachable = answers.every((info) => info !== null && info.loading !== '1')
  return { reachable, bound: isServed && !database.isTrafficStopped, inStep }
}

/**
 * Measured, not believed: how far a primary is, and whether its replica gets there in time. A database without replicas has
 * nobody who could be behind. All questions together take no longer than one probe.
 */
export async function replicasKeepUp(
  agent: Pick<Agent, 'info'>,
  { shards }: Pick<DatabaseDocument, 'shards'>,
  primaries: readonly ShardPlace[],
  toleranceMs: number,
): Promise<boolean> {
  const replicas = shards.filter((place) => !primaries.includes(place))
  const endsAt = performance.now() + PROBE_TIMEOUT_MS
  const ask = async (uid: number) => {
    const leftMs = Math.ceil(endsAt - performance.now())
    return leftMs > 0 ? await agent.info(uid, leftMs) : null
  }
  const keepsUp = async (replica: ShardPlace): Promise<boolean> => {
    const primary = primaries.find(({ group }) => group === replica.group)
    const info = primary && (await ask(primary.uid))
    if (!info) return false
    const deadline = Math.min(performance.now() + toleranceMs, endsAt)
    for (;;) {
      const { master_link_status: link, slave_repl_offset: reached } = (await ask(replica.uid)) ?? {}
      if (link === 'up' && Number(reached) >= Number(info.master_repl_offset)) return true
      if (performance.now() >= deadline) return false
      await delay(LOOK_AGAIN_MS)
    }
  }
  return (await Promise.all(replicas.map(keepsUp))).every((isThere) => isThere)
}

/** Milliseconds; null: replicas are not asked for. A longer one than callers wait for counts as what they wait. */
function lagToleranceOf({ query }: ApiRequest, { state }: Parts): number | null {
  const { extend_check: checks = '', availability_lag_tolerance_ms: tolerance } = query
  const wanted = checks.split(',').filter((check) => check !== '')
  const unknown = wanted.find((check) => check !== 'lag')
  if (unknown !== undefined) {
    const description = `extend_check may be "lag", not ${JSON.stringify(unknown.slice(0, 40))}.`
    refuse('invalid_query', { field: 'extend_check', description })
  }
  if (tolerance !== undefined && !/^\d{1,9}$/.test(tolerance)) {
    const description = 'availability_lag_tolerance_ms must be a whole number of milliseconds.'
    refuse('invalid_query', { field: 'availability_lag_tolerance_ms', description })
  }
  if (wanted.length === 0) return null
  return Number(
    tolerance ?? state.cluster.get('')?.value.settings.availability_lag_tolerance_ms ?? DEFAULT_TOLERANCE_MS,
  )
}
