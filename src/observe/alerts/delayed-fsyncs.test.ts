import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DelayedFsyncs } from './delayed-fsyncs.ts'

const counts = (...pairs: readonly [number, number | undefined][]) => new Map(pairs)

test('a disk that is slow is seen as slow between two writes that wait, and not for long after them', () => {
  const delays = new DelayedFsyncs()
  assert.equal(delays.take(counts([1, 7]), 0), 0, 'what was counted before is not news')
  assert.equal(delays.take(counts([1, 8]), 1_000), 1)
  assert.equal(delays.take(counts([1, 8]), 1_100), 1)
  assert.equal(delays.take(counts([1, 9], [2, 50]), 3_000), 2)
  assert.equal(delays.take(counts([1, 9], [2, 50]), 6_500), 1)
  assert.equal(delays.take(counts([1, 9], [2, 50]), 8_500), 0)
})

test('a look that is later than that still sees what has waited since the one before', () => {
  const delays = new DelayedFsyncs()
  delays.take(counts([1, 0]), 0)
  assert.equal(delays.take(counts([1, 5]), 60_000), 5)
  assert.equal(delays.take(counts([1, 5]), 120_000), 0)
})

test('a process that starts anew, goes, or cannot be looked at has not waited', () => {
  const delays = new DelayedFsyncs()
  delays.take(counts([1, 10]), 0)
  assert.equal(delays.take(counts([1, 2]), 1_000), 0)
  assert.equal(delays.take(counts([1, undefined]), 2_000), 0)
  assert.equal(delays.take(counts([1, 3]), 3_000), 1)
  delays.take(counts(), 10_000)
  assert.equal(delays.take(counts([1, 90]), 11_000), 0)
})
