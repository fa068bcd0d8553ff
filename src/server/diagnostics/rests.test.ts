import assert from 'node:assert/strict'
import test from 'node:test'
import { Rests } from './rests.ts'

const PIECES = 10
const PIECE_MS = 3
/** What clocks and timers are rounded by. */
const ROUNDING_MS = 2

function work(ms: number): void {
  for (const since = performance.now(); performance.now() - since < ms; );
}

test('rests many times as long as it works, and counts the work alone', async () => {
  const began = performance.now()
  const rests = new Rests()
  for (let piece = 0; piece < PIECES; piece++) {
    work(PIECE_MS)
    await rests.restIfDue()
  }
  const { workedMs } = rests
  const restedMs = performance.now() - began - workedMs
  assert.ok(workedMs >= PIECES * PIECE_MS, `${workedMs} ms of work`)
  assert.ok(restedMs >= PIECES * (PIECE_MS * 9 - ROUNDING_MS), `${restedMs} ms of rest`)
})

test('does not rest after less than is worth it', async () => {
  let nowMs = 0
  const rests = new Rests(() => nowMs)
  nowMs = 1
  let isNext = false
  setImmediate(() => {
    isNext = true
  })
  await rests.restIfDue()
  assert.equal(isNext, false)
})
