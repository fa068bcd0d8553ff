import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countSlots, evenSlots, SLOT_COUNT, type SlotRange, shareOut, slotsOf } from '#model/slots.ts'
import { balancedShares, isWhole, type SlotLoad, type SlotLoads } from './balance.ts'
import { placesFor } from './placement.ts'

const three = placesFor([], [], { shardsCount: 3, isReplicated: false, firstShardUid: 1, nodeUid: 1 })
const sizes = (shares: ReadonlyMap<number, Parameters<typeof countSlots>[0]>) => [...shares.values()].map(countSlots)

/** The keys of each shard, spread over its slots. */
function spread(keys: readonly number[], busy: readonly number[] = []): SlotLoads {
  const loads = three.flatMap(({ slots }, index) => {
    const own = slotsOf(slots)
    const each = { keys: (keys[index] ?? 0) / own.length, busy: (busy[index] ?? 0) / own.length }
    return own.map((slot): [number, SlotLoad] => [slot, each])
  })
  return new Map(loads)
}

function sumOver(slots: readonly SlotRange[] | undefined, of: (slot: number) => number): number {
  return slotsOf(slots ?? []).reduce((sum, slot) => sum + of(slot), 0)
}

test('work that is evenly spread leaves everything where it is', () => {
  for (const loads of [spread([10_000, 10_000, 10_000]), spread([0, 0, 0], [0.5, 0.5, 0.5])]) {
    const shares = balancedShares(three, loads, 20)
    for (const { group, slots } of three) assert.deepEqual(shares.get(group), slots)
  }
})

test('a shard with most of the work gives slots away, until it has about its part', () => {
  for (const loads of [spread([40_000, 10_000, 10_000]), spread([10, 10, 10], [0.8, 0.2, 0.2])]) {
    const shares = balancedShares(three, loads, 20)
    const [first = 0, second = 0, third = 0] = sizes(shares)
    assert.ok(first > 2_600 && first < 2_800, String(first))
    assert.ok(second > 6_700 && third > 6_700)
    const pieces = [...shares.values()].reduce((sum, ranges) => sum + ranges.length, 0)
    assert.ok(pieces < 10, `neighbours stay together: ${pieces}`)
  }
})

test('hot slots of one shard are shared out, one each, and nothing else moves', () => {
  const hot = [10, 20, 30]
  const loads = new Map(spread([10, 10, 10], [0.01, 0.01, 0.01]))
  for (const slot of hot) loads.set(slot, { keys: 1, busy: 0.3 })
  const shares = balancedShares(three, loads, 20)
  for (const [group, slots] of shares) {
    assert.equal(
      sumOver(slots, (slot) => (hot.includes(slot) ? 1 : 0)),
      1,
      `group ${group}`,
    )
    const before = new Set(slotsOf(three.find((place) => place.group === group)?.slots ?? []))
    assert.ok(sumOver(slots, (slot) => (before.has(slot) ? 0 : 1)) <= 1)
  }
})

test('a slot that is more than a part stays, and what is beside it goes', () => {
  const loads = new Map(spread([30_000, 30_000, 30_000]))
  loads.set(7, { keys: 60_000, busy: 0 })
  const shares = balancedShares(three, loads, 20)
  const keys = (group: number) => sumOver(shares.get(group), (slot) => loads.get(slot)?.keys ?? 0)
  assert.deepEqual(slotsOf(shares.get(1) ?? []).includes(7), true)
  assert.ok(keys(1) < 61_000, String(keys(1)))
  assert.ok(Math.abs(keys(2) - keys(3)) < 100)
})

test('few keys and little work are no reason to move anything', () => {
  assert.deepEqual(sizes(balancedShares(three, spread([400, 0, 0], [0.05, 0, 0]), 20)), [5461, 5461, 5462])
  assert.deepEqual(sizes(balancedShares(three, new Map(), 20)), [5461, 5461, 5462])
})

test('whatever slots weigh, each is given out once, everybody has some, and no share is worse than an even one', () => {
  const load = fc.record({
    slot: fc.nat(SLOT_COUNT - 1),
    keys: fc.nat(1_000_000),
    busy: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  fc.assert(
    fc.property(
      fc.array(
        fc.oneof(
          load,
          load.map((one) => ({ ...one, busy: 0 })),
        ),
        { maxLength: 200 },
      ),
      fc.integer({ min: 1, max: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(100),
      (told, count, before, tolerance) => {
        const start = { shardsCount: Math.min(before, count), isReplicated: false, firstShardUid: 1, nodeUid: 1 }
        const places = placesFor(placesFor([], [], start), [], { ...start, shardsCount: count, firstShardUid: 100 })
        const loads = new Map(told.map(({ slot, ...one }) => [slot, one]))
        const shares = balancedShares(places, loads, tolerance)
        assert.ok(isWhole(shares.values()))
        assert.equal(shares.size, count)
        assert.ok(sizes(shares).every((size) => size > 0))
        const groups = [...shares.keys()]
        const even = shareOut(new Map(places.map(({ group, slots }) => [group, slots])), groups)
        const [keys, busy] = (['keys', 'busy'] as const).map((kind) => {
          const total = [...loads.values()].reduce((sum, one) => sum + one[kind], 0)
          return total / count < { keys: 1_000, busy: 0.02 }[kind] ? 0 : 1 / total
        })
        const heaviest = (of: ReadonlyMap<number, readonly SlotRange[]>) => {
          const weight = (slot: number) =>
            (loads.get(slot)?.keys ?? 0) * (keys ?? 0) + (loads.get(slot)?.busy ?? 0) * (busy ?? 0)
          return Math.max(...groups.map((group) => sumOver(of.get(group), weight)))
        }
        assert.ok(heaviest(shares) <= heaviest(even) + 1e-9)
      },
    ),
    { numRuns: 30 },
  )
})

test('slots that are given twice, or not at all, make no whole', () => {
  const parts = evenSlots(3).map((part) => [part])
  assert.ok(isWhole(parts))
  assert.ok(!isWhole(parts.slice(1)))
  assert.ok(!isWhole([...parts.slice(1), ...parts.slice(1)]))
  assert.ok(isWhole(shareOut(new Map([['a', [{ first: 0, last: 16_383 }]]]), ['a', 'b']).values()))
})
