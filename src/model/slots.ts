/**
 * Sets of hash slots as lists of ranges, inclusive at both ends, ascending and never touching: what a shard has, how it
 * is written for people, how slots are shared out. Pure.
 */
import Type, { type Static } from 'typebox'

export const SLOT_COUNT = 16_384

export const SlotRange = Type.Object({
  first: Type.Integer({ minimum: 0, maximum: SLOT_COUNT - 1 }),
  last: Type.Integer({ minimum: 0, maximum: SLOT_COUNT - 1 }),
})
export type SlotRange = Static<typeof SlotRange>

export const ALL_SLOTS: readonly SlotRange[] = [{ first: 0, last: SLOT_COUNT - 1 }]

export function countSlots(ranges: readonly SlotRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0)
}

export function hasSlot(ranges: readonly SlotRange[], slot: number): boolean {
  return ranges.some(({ first, last }) => first <= slot && slot <= last)
}

/** `0-4095,8192`, as the API and the engine write them. */
export function slotText(ranges: readonly SlotRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`)).join(',')
}

/** Of single slots in any order. */
export function rangesOf(slots: Iterable<number>): SlotRange[] {
  const ranges: { first: number; last: number }[] = []
  for (const slot of [...new Set(slots)].sort((a, b) => a - b)) {
    const newest = ranges.at(-1)
    if (newest && newest.last === slot - 1) newest.last = slot
    else ranges.push({ first: slot, last: slot })
  }
  return ranges
}

export function slotsOf(ranges: readonly SlotRange[]): number[] {
  return ranges.flatMap(({ first, last }) => Array.from({ length: last - first + 1 }, (_, index) => first + index))
}

/** Those of `all` that `taken` does not have. */
export function withoutSlots(all: readonly SlotRange[], taken: readonly SlotRange[]): SlotRange[] {
  const gone = taken.toSorted((a, b) => a.first - b.first)
  return all.flatMap(({ first, last }) => {
    const rest: SlotRange[] = []
    let next = first
    for (const { first: begin, last: end } of gone) {
      if (begin > last) break
      if (end < next) continue
      if (begin > next) rest.push({ first: next, last: begin - 1 })
      next = end + 1
    }
    return next <= last ? [...rest, { first: next, last }] : rest
  })
}

/** All slots in `count` contiguous parts, of which none has more than one slot more than another. */
export function evenSlots(count: number): SlotRange[] {
  const start = (index: number) => Math.floor((index * SLOT_COUNT) / count)
  return Array.from({ length: count }, (_, index) => ({ first: start(index), last: start(index + 1) - 1 }))
}

/** `0-4095,8192`; null: no set of slots is written like this. */
export function slotsIn(text: string): SlotRange[] | null {
  const ranges = text.split(',').map((part) => {
    const [, begin = '', end = begin] = /^ *(\d{1,5})(?:-(\d{1,5}))? *$/.exec(part) ?? []
    return { first: Number(begin || Number.NaN), last: Number(end || Number.NaN) }
  })
  if (!ranges.every(({ first, last }) => first <= last && last < SLOT_COUNT)) return null
  const slots = slotsOf(ranges)
  return new Set(slots).size === slots.length ? rangesOf(slots) : null
}

/** Those that both have. */
export function commonSlots(some: readonly SlotRange[], others: readonly SlotRange[]): SlotRange[] {
  return some.flatMap(({ first, last }) =>
    others.flatMap((other) => {
      const range = { first: Math.max(first, other.first), last: Math.min(last, other.last) }
      return range.first <= range.last ? [range] : []
    }),
  )
}

/**
 * The same slots shared out evenly among `keys`, of which some have slots already and some none, while as few as possible
 * change hands. Keys that are not among them lose theirs.
 */
export function shareOut<Key>(
  before: ReadonlyMap<Key, readonly SlotRange[]>,
  keys: readonly Key[],
): Map<Key, SlotRange[]> {
  const least = Math.floor(SLOT_COUNT / keys.length)
  let larger = SLOT_COUNT % keys.length
  const stay = new Map<Key, number[]>()
  const spare = [...before].flatMap(([key, ranges]) => (keys.includes(key) ? [] : slotsOf(ranges)))
  const most = keys.toSorted((a, b) => countSlots(before.get(b) ?? []) - countSlots(before.get(a) ?? []))
  for (const key of most) {
    const share = larger-- > 0 ? least + 1 : least
    const own = slotsOf(before.get(key) ?? [])
    stay.set(key, own.slice(0, share))
    spare.push(...own.slice(share))
  }
  spare.sort((a, b) => a - b)
  larger = SLOT_COUNT % keys.length
  for (const key of most) {
    const share = larger-- > 0 ? least + 1 : least
    const own = stay.get(key) ?? []
    own.push(...spare.splice(0, share - own.length))
  }
  return new Map(keys.map((key) => [key, rangesOf(stay.get(key) ?? [])]))
}
