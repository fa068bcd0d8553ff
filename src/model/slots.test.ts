import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  ALL_SLOTS,
  countSlots,
  evenSlots,
  rangesOf,
  SLOT_COUNT,
  shareOut,
  slotsIn,
  slotsOf,
  slotText,
  withoutSlots,
} from './slots.ts'

test('ranges are written as people and engines read them', () => {
  assert.equal(slotText(ALL_SLOTS), '0-16383')
  assert.equal(slotText(rangesOf([9, 3, 1, 2, 3])), '1-3,9')
  assert.equal(slotText([]), '')
})

test('what is written is read, and what makes no sense is not', () => {
  assert.deepEqual(slotsIn('0-16383'), ALL_SLOTS)
  assert.deepEqual(slotsIn('9,1-3'), rangesOf([1, 2, 3, 9]))
  for (const text of ['', 'x', '5-3', '0-16384', '1,1', '1-5,3', '-1', '1-', '1 2', '999999'])
    assert.equal(slotsIn(text), null, text)
})

test('even parts hold every slot once, and differ by one at most', () => {
  for (const count of [1, 2, 3, 7, 512]) {
    const parts = evenSlots(count)
    assert.deepEqual(rangesOf(slotsOf(parts)), ALL_SLOTS)
    const sizes = parts.map((part) => countSlots([part]))
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
  }
})

test('what is taken away and the rest are all', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.nat(SLOT_COUNT - 1), { maxLength: 200 }), (slots) => {
      const taken = rangesOf(slots)
      const rest = withoutSlots(ALL_SLOTS, taken)
      assert.equal(countSlots(taken) + countSlots(rest), SLOT_COUNT)
      assert.deepEqual(rangesOf([...slotsOf(taken), ...slotsOf(rest)]), ALL_SLOTS)
    }),
    { numRuns: 20 },
  )
})

test('what is taken away may be in pieces, overlapping, in any order, and more than there is', () => {
  const slots = fc.uniqueArray(fc.nat(60), { maxLength: 40 })
  const ranges = fc.array(fc.tuple(fc.nat(60), fc.nat(9)), { maxLength: 12 })
  fc.assert(
    fc.property(slots, ranges, (some, pieces) => {
      const taken = pieces.map(([first, more]) => ({ first, last: first + more }))
      const left = some.filter((slot) => !slotsOf(taken).includes(slot))
      assert.deepEqual(withoutSlots(rangesOf(some), taken), rangesOf(left))
    }),
  )
})

test('sharing out keeps every slot, is even, and moves no more than it must', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }), (counts) => {
      let shares = new Map([[0, [...ALL_SLOTS]]])
      for (const count of counts) {
        const keys = Array.from({ length: count }, (_, index) => index)
        const next = shareOut(shares, keys)
        assert.deepEqual(rangesOf([...next.values()].flatMap(slotsOf)), ALL_SLOTS)
        const sizes = [...next.values()].map(countSlots)
        assert.equal(
          sizes.reduce((sum, size) => sum + size, 0),
          SLOT_COUNT,
        )
        assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1)
        const moved = keys.reduce(
          (sum, key) => sum + countSlots(withoutSlots(next.get(key) ?? [], shares.get(key) ?? [])),
          0,
        )
        const short = keys.reduce(
          (sum, key) => sum + Math.max(0, countSlots(next.get(key) ?? []) - countSlots(shares.get(key) ?? [])),
          0,
        )
        assert.equal(moved, short)
        shares = next
      }
    }),
    { numRuns: 30 },
  )
})
