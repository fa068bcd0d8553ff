/**
 * The optimistic locks that a write can carry: the cluster-state-id of the original, and the ETag of one database.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { refuse } from '../errors.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { etagOf } from './render.ts'

/** The revision that the caller believes the cluster to be at. Throws a Refusal when the header is no number. */
export function expectedStateId(request: ApiRequest): number | undefined {
  const text = request.header('cluster-state-id')
  if (text === undefined || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  return refuse('invalid_header', {
    field: 'cluster-state-id',
    description: 'cluster-state-id must be a whole number.',
  })
}

/** Throws a Refusal when the cluster has moved on from what the caller believes. */
export function checkStateId(parts: Parts, expected: number | undefined): void {
  const { stateId } = parts.state.view
  if (expected === undefined || expected === stateId) return
  const description = `The cluster is at cluster-state-id ${stateId} now.`
  refuse('wrong_cluster_state_id', { field: 'cluster-state-id', description })
}

/** Throws a Refusal when the request says that it knows another edition of the database than the one there is. */
export function checkIfMatch(request: ApiRequest, database: DatabaseDocument): void {
  const wanted = request.header('if-match')
  if (wanted === undefined || wanted.trim() === '*') return
  const tags = wanted.split(',').map((tag) => tag.trim())
  if (tags.includes(etagOf(database))) return
  refuse('etag_mismatch', {
    field: 'if-match',
    description: `The database has changed since it was read; its ETag is ${etagOf(database)} now.`,
    headers: { etag: etagOf(database) },
  })
}
