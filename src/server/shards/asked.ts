/**
 * Which shards something is asked of, and whose they are. Each throws a Refusal.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Permission } from '#model/permissions.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'

export function shardUidsIn(request: ApiRequest): string[] {
  const { shard_uids: uids } = objectBody(request.body)
  const isList = Array.isArray(uids) && uids.length > 0 && uids.every((uid) => /^\d+$/.test(String(uid)))
  return isList ? uids.map(String) : refuse('shard_uids_required', { field: 'shard_uids' })
}

/** One out of the caller's reach is none. */
export function databaseOfShard(
  request: ApiRequest,
  { state }: Parts,
  uid: string,
  permission: Permission,
): DatabaseDocument {
  for (const { value } of state.databases.values()) {
    const isIt = value.shards.some((place) => String(place.uid) === uid)
    if (isIt && isInReach(request, value.uid, permission)) return value
  }
  return refuse('shard_not_exist', { description: `There is no shard with the uid ${uid.slice(0, 40)}.` })
}
