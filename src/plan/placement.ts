/**
 * Where the shards of a database go, and which port and slots they get. With one node there is one answer; the
 * signature is that of the question over many. Pure.
 */
import type { ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { leadOf } from './leads.ts'

export const SLOT_COUNT = 16_384

export function placeShards(options: { firstShardUid: number; shardsCount: number; nodeUid: number }): ShardPlace[] {
  const { firstShardUid, shardsCount, nodeUid } = options
  return Array.from({ length: shardsCount }, (_, index) => ({
    uid: firstShardUid + index,
    nodeUid,
    slots: slotRange(index, shardsCount),
  }))
}

/** With one replica more for every shard that has one process only. */
export function withReplicas(places: readonly ShardPlace[], firstShardUid: number): ShardPlace[] {
  const alone = places.filter(({ slots }) => places.filter((other) => other.slots.first === slots.first).length === 1)
  return [...places, ...alone.map(({ nodeUid, slots }, index) => ({ uid: firstShardUid + index, nodeUid, slots }))]
}

/** With those alone that lead. */
export function withoutReplicas(places: readonly ShardPlace[], leads: readonly Lead[]): ShardPlace[] {
  return places.filter((place) => leadOf(leads, places, place).shardUid === place.uid)
}

/** The slots of shard `index` of `count`: contiguous, and no two shards differ by more than one slot. */
export function slotRange(index: number, count: number): { first: number; last: number } {
  return { first: Math.floor((index * SLOT_COUNT) / count), last: Math.floor(((index + 1) * SLOT_COUNT) / count) - 1 }
}

/**
 * Candidates for a new endpoint, lowest first, in portions for the agent to try: ports of the range that no document
 * has. A port that was freed a moment ago may still be held by a process that is on its way out: the agent sees that.
 */
export function* freePorts(range: { first: number; last: number }, taken: ReadonlySet<number>): Generator<number> {
  for (let port = range.first; port <= range.last; port++) if (!taken.has(port)) yield port
}
