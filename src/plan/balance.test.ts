import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { countSlots, evenSlots, shareOut } from '#model/slots.ts'
import { balancedShares, isWhole } from './balance.ts'
import { placesFor } from './placement.ts'

const three = placesFor([], [], { shardsCount: 3, isReplicated: false, firstShardUid: 1, nodeUid: 1 })
const sizes = (shares: ReadonlyMap<number, Parameters<typeof countSlots>[0]>) => [...shares.values()].map(countSlots)

test('keys that are evenly spread leave everything where it is', () => {
  const keys = new Map(three.map(({ group }) => [group, 10_000]))
  const shares = balancedShares(three, keys, 20)
  for (const { group, slots } of three) assert.deepEqual(shares.get(group), slots)
})

test('a shard with most of the keys gives slots away, until it has about its part', () => {
  const keys = new Map([
    [1, 40_000],
    [2, 10_000],
    [3, 10_000],
  ])
  const [first = 0, second = 0, third = 0] = sizes(balancedShares(three, keys, 20))
  assert.ok(first > 2_600 && first < 2_800, String(first))
  assert.ok(second > 6_700 && third > 6_700)
})

test('few keys are no reason to move anything', () => {
  const keys = new Map([
    [1, 400],
    [2, 0],
    [3, 0],
  ])
  assert.deepEqual(sizes(balancedShares(three, keys, 20)), [5461, 5461, 5462])
})

test('whatever the shards have, every slot is given out once, and to everybody some', () => {
  fc.assert(
    fc.property(
      fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 40 }),
      fc.integer({ min: 1, max: 40 }),
      fc.nat(100),
      (counts, before, tolerance) => {
        const count = counts.length
        const start = { shardsCount: Math.min(before, count), isReplicated: false, firstShardUid: 1, nodeUid: 1 }
        const places = placesFor(placesFor([], [], start), [], { ...start, shardsCount: count, firstShardUid: 100 })
        const keys = new Map(places.map(({ group }, index) => [group, counts[index] ?? 0]))
        const shares = balancedShares(places, keys, tolerance)
        assert.ok(isWhole(shares.values()))
        assert.ok(sizes(shares).every((size) => size > 0))
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
