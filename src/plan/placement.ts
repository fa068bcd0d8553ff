/**
 * Which processes a database has, where they go, and which slots each gets. With one node there is one answer to where;
 * the signature is that of the question over many. Pure.
 */
import type { ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { commonSlots, countSlots, evenSlots, type SlotRange, shareOut } from '#model/slots.ts'
import { leadOf } from './leads.ts'

export type WantedPlaces = {
  readonly shardsCount: number
  readonly isReplicated: boolean
  /** The uid of the first process that has to be added; the others follow it. */
  readonly firstShardUid: number
  readonly nodeUid: number
  /** Which slots go together, one set for each shard; left out: as evenly as before. */
  readonly shares?: readonly (readonly SlotRange[])[] | undefined
}

/**
 * The places of a database that is to be like this; `before` is empty for a new one. Processes that there are already stay
 * what they are as far as possible. A group that is one too many keeps its places, without slots, until others have its
 * data. New places have no ports: whoever calls gives them some where they need them.
 */
export function placesFor(before: readonly ShardPlace[], leads: readonly Lead[], wanted: WantedPlaces): ShardPlace[] {
  let nextUid = wanted.firstShardUid
  const kept = wanted.isReplicated ? before : withoutReplicas(before, leads)
  const groups = groupsOf(kept).slice(0, wanted.shardsCount)
  const fresh = Array.from({ length: wanted.shardsCount - groups.length }, () => nextUid++)
  const all = [...groups, ...fresh]
  const shares = wanted.shares ? dealt(kept, all, wanted.shares) : sharesOf(kept, all)
  const place = (uid: number, group: number): ShardPlace => ({
    uid,
    nodeUid: wanted.nodeUid,
    group,
    slots: shares.get(group) ?? [],
    ports: null,
  })
  const places = [
    ...kept.map((one) => ({ ...one, slots: shares.get(one.group) ?? [] })),
    ...fresh.map((uid) => place(uid, uid)),
  ]
  const alone = wanted.isReplicated ? [...groups, ...fresh].filter((group) => isAlone(places, group)) : []
  return [...places, ...alone.map((group) => place(nextUid++, group))]
}

function sharesOf(places: readonly ShardPlace[], groups: readonly number[]): ReadonlyMap<number, SlotRange[]> {
  if (places.length === 0) return new Map(evenSlots(groups.length).map((range, index) => [groups[index] ?? 0, [range]]))
  const now = new Map(places.map(({ group, slots }) => [group, slots]))
  // Equally many share as before: whatever has been moved by hand stays where it is.
  const isSame = groups.length === now.size && groups.every((group) => (now.get(group)?.length ?? 0) > 0)
  return isSame ? now : shareOut(now, groups)
}

/** Each set goes to whoever has most of it already. */
function dealt(
  places: readonly ShardPlace[],
  groups: readonly number[],
  shares: readonly (readonly SlotRange[])[],
): ReadonlyMap<number, SlotRange[]> {
  const now = new Map(places.map(({ group, slots }) => [group, slots]))
  const pairs = shares.flatMap((share, index) =>
    groups.map((group) => ({ index, group, common: countSlots(commonSlots(share, now.get(group) ?? [])) })),
  )
  const shareOfGroup = new Map<number, SlotRange[]>()
  const given = new Set<number>()
  for (const { index, group } of pairs.sort((a, b) => b.common - a.common)) {
    if (given.has(index) || shareOfGroup.has(group)) continue
    given.add(index)
    shareOfGroup.set(group, [...(shares[index] ?? [])])
  }
  return shareOfGroup
}

function groupsOf(places: readonly ShardPlace[]): number[] {
  return [...new Set(places.map(({ group }) => group))]
}

function isAlone(places: readonly ShardPlace[], wanted: number): boolean {
  return places.filter(({ group }) => group === wanted).length === 1
}

/** With those alone that lead. */
export function withoutReplicas(places: readonly ShardPlace[], leads: readonly Lead[]): ShardPlace[] {
  return places.filter((place) => leadOf(leads, places, place).shardUid === place.uid)
}

/**
 * Candidates for a new endpoint, lowest first, in portions for the agent to try: ports of the range that no document
 * has. A port that was freed a moment ago may still be held by a process that is on its way out: the agent sees that.
 */
export function* freePorts(range: { first: number; last: number }, taken: ReadonlySet<number>): Generator<number> {
  for (let port = range.first; port <= range.last; port++) if (!taken.has(port)) yield port
}
