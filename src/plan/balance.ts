/**
 * Which slots each shard of a database should have, so that none has much more to do than another. Pure. What a slot is
 * worth is not known one by one: a shard says how many keys it has, and its slots share them.
 */
import type { ShardPlace } from '#model/documents/database.ts'
import { countSlots, rangesOf, SLOT_COUNT, type SlotRange, shareOut, slotsOf } from '#model/slots.ts'

/** How many keys a group of processes has; undefined: nobody could say. */
export type KeyCounts = ReadonlyMap<number, number>

/** Below this, a shard with more keys than the others has them by chance. */
const KEYS_WORTH_MOVING = 1_000

/**
 * The share of each group. As many slots for each, as long as the keys are about evenly spread as well: no shard may have
 * `tolerancePercent` more of them than its part. Otherwise whoever has too many gives slots away until it has not.
 */
export function balancedShares(
  places: readonly ShardPlace[],
  keys: KeyCounts,
  tolerancePercent: number,
): ReadonlyMap<number, SlotRange[]> {
  const now = new Map(places.map(({ group, slots }) => [group, slots]))
  const groups = [...now.keys()]
  const even = shareOut(now, groups)
  const total = groups.reduce((sum, group) => sum + (keys.get(group) ?? 0), 0)
  const isKnown = groups.every((group) => keys.has(group))
  const worth = (group: number) => (keys.get(group) ?? 0) / Math.max(1, countSlots(now.get(group) ?? []))
  const ownerOf = new Map(groups.flatMap((group) => slotsOf(now.get(group) ?? []).map((slot) => [slot, group])))
  const loads = groups.map((group) =>
    slotsOf(even.get(group) ?? []).reduce((sum, slot) => sum + worth(ownerOf.get(slot) ?? 0), 0),
  )
  const mean = total / groups.length
  if (!isKnown || mean < KEYS_WORTH_MOVING || Math.max(...loads) <= mean * (1 + tolerancePercent / 100)) return even
  return byKeys(groups, now, worth, mean)
}

/** Each keeps slots up to its part of the keys; what is left goes to whoever has least. At least one slot for each. */
function byKeys(
  groups: readonly number[],
  now: ReadonlyMap<number, readonly SlotRange[]>,
  worth: (group: number) => number,
  mean: number,
): ReadonlyMap<number, SlotRange[]> {
  const own = new Map<number, number[]>()
  const load = new Map<number, number>()
  const spare: { slot: number; worth: number }[] = []
  for (const group of groups) {
    const slots = slotsOf(now.get(group) ?? [])
    const each = worth(group)
    const stay = each === 0 ? slots.length : Math.min(slots.length, Math.max(1, Math.floor(mean / each)))
    own.set(group, slots.slice(0, stay))
    load.set(group, stay * each)
    spare.push(...slots.slice(stay).map((slot) => ({ slot, worth: each })))
  }
  for (const one of spare) {
    const [least = 0] = groups.toSorted((a, b) => (load.get(a) ?? 0) - (load.get(b) ?? 0))
    own.get(least)?.push(one.slot)
    load.set(least, (load.get(least) ?? 0) + one.worth)
  }
  return new Map(groups.map((group) => [group, rangesOf(own.get(group) ?? [])]))
}

/** Every slot is in exactly one of these. */
export function isWhole(shares: Iterable<readonly SlotRange[]>): boolean {
  const all = [...shares]
  const count = all.reduce((sum, share) => sum + countSlots(share), 0)
  return count === SLOT_COUNT && countSlots(rangesOf(all.flatMap((share) => slotsOf(share)))) === SLOT_COUNT
}
