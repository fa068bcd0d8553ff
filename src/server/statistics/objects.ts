/**
 * The objects whose statistics a caller may see, and what is said of each beside them. Callers: the routes of statistics.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Permission } from '#model/permissions.ts'
import { slotText } from '#model/slots.ts'
import { wireRole } from '../databases/leaders.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { isInReach } from '../databases/visibility.ts'
import { refuse } from '../errors.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import type { Shown } from './read.ts'

export const CLUSTER: Shown = { object: { kind: 'cluster' }, key: '1', fields: { uid: '1' } }

export function databases(request: ApiRequest, { state }: Parts): Shown[] {
  return [...state.databases.values()]
    .filter(({ value }) => isInReach(request, value.uid, 'view_all_bdb_stats'))
    .map(({ value }) => shownDatabase(value.uid))
    .sort(byKey)
}

export function databaseAt(request: ApiRequest, { state }: Parts, uid = ''): DatabaseDocument {
  const held = state.databases.get(uid)
  return held && isInReach(request, held.value.uid, 'view_bdb_stats') ? held.value : noSuchDatabase(uid)
}

export function shownDatabase(uid: number): Shown {
  return { object: { kind: 'database', uid }, key: String(uid), fields: { uid: String(uid) } }
}

export function nodes({ state }: Parts): Shown[] {
  return [...state.nodes.values()].map(({ value: { uid } }) => shownNode(uid)).sort(byKey)
}

export function nodeAt({ state }: Parts, uid = ''): Shown {
  const node = state.nodes.get(uid)
  const description = `There is no node with the uid ${uid.slice(0, 40)}.`
  return node ? shownNode(node.value.uid) : refuse('node_not_found', { description })
}

function shownNode(uid: number): Shown {
  return { object: { kind: 'node', uid }, key: String(uid), fields: { uid } }
}

/** Only those of one database when `parent_uid` names it. Throws a Refusal. */
export function shards(request: ApiRequest, parts: Parts): Shown[] {
  const { parent_uid: parent = '' } = request.query
  if (!/^\d*$/.test(parent))
    refuse('invalid_query', { field: 'parent_uid', description: 'parent_uid must be the uid of a database.' })
  return placed(request, parts, 'view_all_shard_stats')
    .filter(({ database }) => parent === '' || database.uid === Number(parent))
    .map((one) => shownShard(parts, one))
    .sort(byKey)
}

export function shardAt(request: ApiRequest, parts: Parts, uid = ''): Shown {
  const found = placed(request, parts, 'view_shard_stats').find(({ place }) => String(place.uid) === uid)
  const description = `There is no shard with the uid ${uid.slice(0, 40)}.`
  return found ? shownShard(parts, found) : refuse('shard_not_exist', { description })
}

type Placed = { readonly database: DatabaseDocument; readonly place: ShardPlace }

function placed(request: ApiRequest, { state }: Parts, permission: Permission): Placed[] {
  return [...state.databases.values()]
    .filter(({ value }) => isInReach(request, value.uid, permission))
    .flatMap(({ value }) => value.shards.map((place) => ({ database: value, place })))
}

function shownShard({ state, agents }: Parts, { database, place }: Placed): Shown {
  const seen = agents.get(place.nodeUid)?.observed().get(place.uid)
  return {
    object: { kind: 'shard', uid: place.uid },
    key: String(place.uid),
    fields: {
      uid: String(place.uid),
      status: seen?.state === 'running' ? 'active' : 'inactive',
      node_uid: String(place.nodeUid),
      role: wireRole(state, database, place),
      assigned_slots: slotText(place.slots),
    },
  }
}

/** The part of each endpoint that a node serves; its proxy has the uid of the node. */
export function endpoints(request: ApiRequest, { state }: Parts): Shown[] {
  return [...state.databases.values()]
    .filter(({ value }) => isInReach(request, value.uid, 'view_endpoint_stats'))
    .flatMap(({ value: { uid, shards: places } }) =>
      [...new Set(places.map(({ nodeUid }) => nodeUid))].map((nodeUid): Shown => {
        const key = `${uid}:1:${nodeUid}`
        return { object: { kind: 'endpoint', uid, nodeUid }, key, fields: { uid: key } }
      }),
    )
}

function byKey(a: Shown, b: Shown): number {
  return Number(a.key) - Number(b.key)
}
