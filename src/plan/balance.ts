/**
 * Which slots each shard of a database should have, so that none has much more to do than another: by the keys that each
 * slot has, and by the time that the engine works for it, where it says so. Pure.
 */
import type { ShardPlace } from '#model/documents/database.ts'
import { countSlots, rangesOf, SLOT_COUNT, type SlotRange, shareOut, slotsOf } from '#model/slots.ts'

export type SlotLoad = {
  readonly keys: number
  /** The part of a core that the engine works for it; 0 as well where it does not say. */
  readonly busy: number
}

/** By slot; of those that are not there nothing is known. */
export type SlotLoads = ReadonlyMap<number, SlotLoad>

type Worth = (slot: number) => number
type Shares = ReadonlyMap<number, readonly number[]>

/** On average for each shard. Below this, one that has more than the others has it by chance. */
const WORTH_MOVING: SlotLoad = { keys: 1_000, busy: 0.02 }
/** A slot with more than this of what a shard should have moves for itself; all others move with their neighbours. */
const HEAVY = 1 / 50

/**
 * The share of each group. As many slots for each, as long as the work is about evenly spread as well: no shard may have
 * `tolerancePercent` more of it than its part. Otherwise whoever has too much gives slots away until it has not. A slot that
 * is more than a part by itself stays, and what is beside it goes.
 */
export function balancedShares(
  places: readonly ShardPlace[],
  loads: SlotLoads,
  tolerancePercent: number,
): ReadonlyMap<number, SlotRange[]> {
  const now = new Map(places.map(({ group, slots }) => [group, slots]))
  const even = shareOut(now, [...now.keys()])
  const worth = worthOf(loads, now.size)
  const mean = sumOf([...loads.keys()].map(worth)) / now.size
  const heaviest = (shares: Shares) => Math.max(...[...shares.values()].map((slots) => sumOf(slots.map(worth))))
  const [asEven, asNow] = [slotsOfEach(even), slotsOfEach(now)]
  if (mean === 0 || heaviest(asEven) <= mean * (1 + tolerancePercent / 100)) return even
  const byLoad = evenedOut(asNow, worth, mean)
  if (heaviest(byLoad) >= heaviest(asEven)) return even
  return new Map([...byLoad].map(([group, slots]) => [group, rangesOf(slots)]))
}

/** Keys and time weigh the same, each as its part of all there is; what is too little to matter, nothing. */
function worthOf(loads: SlotLoads, groups: number): Worth {
  const all = [...loads.values()]
  const weights = (['keys', 'busy'] as const).map((kind) => {
    const total = sumOf(all.map((load) => load[kind]))
    return { kind, factor: total / groups < WORTH_MOVING[kind] ? 0 : 1 / total }
  })
  return (slot) => {
    const load = loads.get(slot)
    return load ? sumOf(weights.map(({ kind, factor }) => load[kind] * factor)) : 0
  }
}

/** Each gives away what it has above the mean, and whoever has least gets it. Everybody keeps at least one slot. */
function evenedOut(now: Shares, worth: Worth, mean: number): Shares {
  const isHeavy = (slot: number) => worth(slot) > mean * HEAVY
  const heavyFirst = (slots: readonly number[]) => [
    ...slots.filter(isHeavy).sort((a, b) => worth(b) - worth(a)),
    ...slots.filter((slot) => !isHeavy(slot)),
  ]
  const kept = new Map([...now].map(([group, slots]) => [group, keptOf(heavyFirst(slots.toReversed()), worth, mean)]))
  const load = new Map([...kept].map(([group, slots]) => [group, sumOf([...slots].map(worth))]))
  const spare = [...now].flatMap(([group, slots]) => slots.filter((slot) => !kept.get(group)?.has(slot)))
  const give = (slot: number, group: number) => {
    kept.get(group)?.add(slot)
    load.set(group, (load.get(group) ?? 0) + worth(slot))
  }
  for (const slot of heavyFirst(spare).filter(isHeavy)) give(slot, lightest(load))
  const light = spare.filter((slot) => !isHeavy(slot)).sort((a, b) => a - b)
  const level = filledUp([...load.values()], sumOf(light.map(worth)))
  let least = lightest(load)
  for (const slot of light) {
    // Neighbours stay together as long as there is room for them.
    if ((load.get(least) ?? 0) >= level) least = lightest(load)
    give(slot, least)
  }
  return new Map([...kept].map(([group, slots]) => [group, [...slots]]))
}

/** What is left of the slots of one when those that are too much have gone, the first ones first. */
function keptOf(slots: readonly number[], worth: Worth, mean: number): Set<number> {
  const kept = new Set(slots)
  let left = sumOf(slots.map(worth))
  for (const [index, slot] of slots.entries()) {
    const weight = worth(slot)
    const isTooMuchAnywhere = weight >= mean && worth(slots[index + 1] ?? -1) < mean
    // Away with it when that brings the rest nearer to the mean.
    if (weight === 0 || isTooMuchAnywhere || left - weight / 2 < mean) continue
    kept.delete(slot)
    left -= weight
  }
  return kept
}

/** How much each has in the end that has less now, when so much more is shared out among those that have least. */
function filledUp(loads: readonly number[], more: number): number {
  const ascending = loads.toSorted((a, b) => a - b)
  let sum = more
  for (const [index, load] of ascending.entries()) {
    sum += load
    const level = sum / (index + 1)
    if (level <= (ascending[index + 1] ?? Number.POSITIVE_INFINITY)) return level
  }
  return sum
}

function lightest(load: ReadonlyMap<number, number>): number {
  let [least = 0] = load.keys()
  for (const [group, value] of load) if (value < (load.get(least) ?? 0)) least = group
  return least
}

function slotsOfEach(shares: ReadonlyMap<number, readonly SlotRange[]>): Shares {
  return new Map([...shares].map(([group, ranges]) => [group, slotsOf(ranges)]))
}

function sumOf(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0)
}

/** Every slot is in exactly one of these. */
export function isWhole(shares: Iterable<readonly SlotRange[]>): boolean {
  const all = [...shares]
  const count = all.reduce((sum, share) => sum + countSlots(share), 0)
  return count === SLOT_COUNT && countSlots(rangesOf(all.flatMap((share) => slotsOf(share)))) === SLOT_COUNT
}
