/**
 * Replacing the processes of a database by others while it serves: by those of another version, or fresh ones. Pure.
 *
 * Each process that is to go is joined by a newcomer, which copies its data by replication. Once every newcomer has all
 * data, the primaries hand over to newcomers without losing a write; once those are in step with each other, the old
 * processes are no part of the database any more. Until the first of them leads it can be called off, and nothing is
 * lost; afterwards it can only go on, because older engines do not always read what newer ones write.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { isInStep, leadOf, leadsOf } from './leads.ts'
import type { Need } from './need.ts'
import type { ObservedShard } from './step.ts'

type Engine = DatabaseDocument['engine']

/** The places while each of them is replaced; the newcomers have no ports. `engine`: what those who go run. */
export function replacing(shards: readonly ShardPlace[], engine: Engine, firstShardUid: number): ShardPlace[] {
  const newcomers = shards.map((place, index) => ({ ...place, uid: firstShardUid + index, ports: null }))
  return [...shards.map((place) => ({ ...place, leaving: { engine } })), ...newcomers]
}

/** Those who lead and are to go, from the moment that all newcomers have all data. */
export function leadsToMove(
  { shards }: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): Lead[] {
  const leaving = leads.filter(({ shardUid }) => isLeaving(shards, shardUid))
  if (leaving.length === 0) return []
  const groups = new Set(shards.filter((place) => place.leaving).map(({ group }) => group))
  const newcomers = shards.filter((place) => !place.leaving && groups.has(place.group))
  return newcomers.every((place) => hasAllData(place, shards, leads, observed)) ? leaving : []
}

/** While somebody leads who is to go, nothing is as it should be. */
export function replacingNeeds({ shards }: DatabaseDocument, leads: readonly Lead[]): Need[] {
  const leading = leads.find(({ shardUid }) => isLeaving(shards, shardUid))
  return leading ? [{ kind: 'wait', reason: `waiting for those who take over from shard ${leading.shardUid}` }] : []
}

/** The database without those who have been replaced. */
export function withoutReplaced(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): DatabaseDocument {
  const { shards } = database
  if (!shards.some((place) => place.leaving)) return database
  const isDone = (group: number) =>
    shards.every((place) => place.group !== group || place.leaving || hasAllData(place, shards, leads, observed)) &&
    hasMoved(database, leads, group)
  return { ...database, shards: shards.filter((place) => !(place.leaving && isDone(place.group))) }
}

/** Also those that the change under way leaves out: as long as they are there, they may have what is lost otherwise. */
export function withReplaced({ shards, previous }: DatabaseDocument): ShardPlace[] {
  const left = previous?.shards.filter(({ uid }) => shards.every((place) => place.uid !== uid)) ?? []
  return [...shards, ...left]
}

/** A newcomer leads the group: what becomes of those who go is of no importance. */
export function hasMoved({ shards }: DatabaseDocument, leads: readonly Lead[], group: number): boolean {
  return leads.some((lead) => lead.group === group && !isLeaving(shards, lead.shardUid))
}

/** Nobody leads who would not be there any more. */
export function canGoBack({ previous, shards }: DatabaseDocument, recorded: readonly Lead[]): boolean {
  if (!previous) return false
  const isReplacement = shards.some((place) => place.leaving)
  const stays = (uid: number) => previous.shards.some((place) => place.uid === uid)
  return !isReplacement || leadsOf(recorded, shards).every(({ shardUid }) => stays(shardUid))
}

function isLeaving(shards: readonly ShardPlace[], shardUid: number): boolean {
  return shards.some(({ uid, leaving }) => uid === shardUid && leaving !== undefined)
}

function hasAllData(
  place: ShardPlace,
  shards: readonly ShardPlace[],
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): boolean {
  const lead = leadOf(leads, shards, place)
  const seen = observed.find(({ uid }) => uid === place.uid)
  if (lead.shardUid === place.uid) return seen?.state === 'running' && seen.role === 'primary'
  const primary = observed.find(({ uid }) => uid === lead.shardUid)
  return seen !== undefined && isInStep(seen, lead) && (primary?.onlineReplicas ?? 0) > 0
}
