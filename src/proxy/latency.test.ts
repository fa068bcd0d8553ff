import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LATENCY_BOUNDS_US } from '#model/statistics/readings.ts'
import { classOf, clock, Latency } from './latency.ts'

test('a duration is in the first class whose bound it does not exceed', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 31 - 1 }), (us) => {
      const found = LATENCY_BOUNDS_US.findIndex((bound) => us <= bound)
      assert.equal(classOf(us), found < 0 ? LATENCY_BOUNDS_US.length : found)
    }),
  )
})

test('durations are right when the clock begins anew between', () => {
  const latency = new Latency()
  clock.us = -(2 ** 31) + 99
  latency.record(2 ** 31 - 1)
  assert.equal(latency.microseconds, 100)
  assert.equal(latency.counts[classOf(100)], 1)
})
