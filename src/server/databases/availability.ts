/**
 * Whether a database can be used right now, asked of the processes themselves at that moment, within a second: load
 * balancers and clients decide by the answer. An empty 200 is yes.
 */
import { servingOf } from '#plan/serving.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import { localAgent, type Parts } from '../parts.ts'
import { primariesOf } from './leaders.ts'

/** Callers give up after a second: the answer must be there before. */
const PROBE_TIMEOUT_MS = 500

export async function databaseAvailability(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { reachable, bound } = await probe(request, parts)
  if (reachable && bound) return { json: null }
  const code: RefusalCode = reachable
    ? 'bdb_unavailable_port_unbound'
    : bound
      ? 'bdb_unavailable_shard_unreachable'
      : 'bdb_unavailable_shard_unreachable_port_unbound'
  return refuse(code)
}

export async function endpointAvailability(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { reachable, bound } = await probe(request, parts)
  return reachable && bound ? { json: null } : refuse('bdb_endpoint_unavailable')
}

/** `reachable`: every primary answers. `bound`: the endpoint's port is answered by this database. */
async function probe(request: ApiRequest, parts: Parts): Promise<{ reachable: boolean; bound: boolean }> {
  checkQuery(request)
  const database = parts.state.databases.get(request.params.uid ?? '')
  if (!database) return refuse('db_not_found', { description: `There is no database ${request.params.uid}.` })
  const agent = localAgent(parts)
  const primaries = primariesOf(parts.state, database.value)
  const [first] = primaries
  const [answers, bound] = await Promise.all([
    Promise.all(primaries.map((shard) => agent.info(shard.uid, PROBE_TIMEOUT_MS))),
    servingOf(database.value.config) !== 'primary'
      ? agent.endpointServes(database.value.uid, PROBE_TIMEOUT_MS)
      : first
        ? agent.pingEndpoint(first.uid, PROBE_TIMEOUT_MS).then((tookMs) => tookMs !== null)
        : false,
  ])
  return { reachable: answers.every((info) => info !== null && info.loading !== '1'), bound }
}

/** A database without replicas cannot lag, so that `extend_check=lag` holds as soon as it is available. */
function checkQuery({ query }: ApiRequest): void {
  const { extend_check: checks, availability_lag_tolerance_ms: tolerance } = query
  const unknown = checks?.split(',').find((check) => check !== '' && check !== 'lag')
  if (unknown !== undefined) {
    const description = `extend_check may be "lag", not ${JSON.stringify(unknown.slice(0, 40))}.`
    refuse('invalid_query', { field: 'extend_check', description })
  }
  if (tolerance !== undefined && !/^\d{1,9}$/.test(tolerance)) {
    const description = 'availability_lag_tolerance_ms must be a whole number of milliseconds.'
    refuse('invalid_query', { field: 'availability_lag_tolerance_ms', description })
  }
}
