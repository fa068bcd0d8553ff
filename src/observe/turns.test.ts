import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { IDLE_ROUNDS, isTurnOfIdle, LONGEST_IDLE_MS, SLOTS, slotOf } from './turns.ts'

test('an idle database has one turn in every five rounds', () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (uid, first) => {
      const rounds = Array.from({ length: IDLE_ROUNDS }, (_, index) => first + index)
      assert.equal(rounds.filter((round) => isTurnOfIdle(uid, round, 0)).length, 1)
    }),
  )
})

test('as many idle databases are read at a time as at any other', () => {
  const uids = Array.from({ length: 1_000 }, (_, index) => index + 1)
  for (let round = 0; round < IDLE_ROUNDS; round++) {
    const read = uids.filter((uid) => isTurnOfIdle(uid, round, 0))
    const inSlots = Array.from({ length: SLOTS }, (_, slot) => read.filter((uid) => slotOf(uid) === slot).length)
    assert.deepEqual([...new Set(inSlots)], [uids.length / SLOTS / IDLE_ROUNDS], `round ${round}: ${inSlots}`)
  }
})

test('whoever was not read for long is read in any round', () => {
  fc.assert(fc.property(fc.nat(), fc.nat(), (uid, round) => isTurnOfIdle(uid, round, LONGEST_IDLE_MS)))
})
