import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type Listed, loadsOf, parcelsOf } from './move-keys.ts'

const MOST_KEYS = 50
const MOST_BYTES = 256 * 1024

const slots = fc.array(fc.array(fc.integer({ min: 1, max: 2 * MOST_BYTES }), { maxLength: 120 }), { maxLength: 20 })
const listedOf = (sizes: readonly (readonly number[])[]): Listed[] =>
  sizes.flatMap((ofSlot, slot) => ofSlot.map((bytes, index) => ({ slot, bytes, key: Buffer.from(`${slot}:${index}`) })))
const sizeOf = (keys: readonly Listed[]) => keys.reduce((sum, { bytes }) => sum + bytes, 0)

test('every key goes once, in order, in parcels of one slot, in loads that nobody notices', () => {
  fc.assert(
    fc.property(slots, (sizes) => {
      const listed = listedOf(sizes)
      const loads = loadsOf(parcelsOf(listed))
      assert.deepEqual(loads.flat(2), listed)
      for (const parcel of loads.flat()) assert.equal(new Set(parcel.map(({ slot }) => slot)).size, 1)
      for (const load of loads) {
        assert.ok(load.length <= 8)
        assert.ok(load.flat().length <= MOST_KEYS)
        assert.ok(sizeOf(load.flat()) <= MOST_BYTES || load.flat().length === 1)
      }
    }),
  )
})

test('single small keys share a load, and a full parcel goes alone', () => {
  const singles = listedOf(Array.from({ length: 16 }, () => [100]))
  assert.deepEqual(
    loadsOf(parcelsOf(singles)).map((load) => load.length),
    [8, 8],
  )
  const full = listedOf([Array.from({ length: MOST_KEYS }, () => 100), [100]])
  assert.deepEqual(
    loadsOf(parcelsOf(full)).map((load) => load.length),
    [1, 1],
  )
})
