import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import type { KeySample } from '#plan/agent.ts'
import { keyReport, patternOf } from './key-report.ts'

function sample(name: string, changes: Partial<KeySample> = {}): KeySample {
  return { name, type: 'string', bytes: 100, ttlMs: null, idleSeconds: 0, frequency: null, ...changes }
}

test('names that differ in numbers and ids have one pattern', () => {
  assert.equal(patternOf('user:4711:cart'), 'user:*:cart')
  assert.equal(patternOf('session:{5e2c1a90-77aa-4b1e-9c1d-0123456789ab}'), 'session:{*}')
  assert.equal(patternOf('key:000000001234'), 'key:*')
  assert.equal(patternOf('cart/2026-11-24/items'), 'cart/*/items')
  assert.equal(patternOf('queue7'), 'queue7')
  assert.equal(patternOf('settings'), 'settings')
  assert.equal(patternOf(''), '')
})

test('a shard of which less was seen counts more for each key', () => {
  const { patterns, keys, sampled } = keyReport(
    [
      { shardUid: 1, total: 1000, samples: [sample('a:1'), sample('b:1', { bytes: 300, ttlMs: 5 })] },
      { shardUid: 2, total: 1, samples: [sample('a:2')] },
    ],
    10,
  )
  assert.equal(keys, 1001)
  assert.equal(sampled, 3)
  assert.deepEqual(patterns[0], {
    pattern: 'b:*',
    estimated_keys: 500,
    estimated_bytes: 150_000,
    average_bytes: 300,
    without_ttl_percent: 0,
  })
  assert.deepEqual([patterns[1]?.estimated_keys, patterns[1]?.without_ttl_percent], [501, 100])
})

test('what is counted says more of use than how long ago it was', () => {
  const samples = [
    sample('old', { idleSeconds: 100 }),
    sample('fresh', { idleSeconds: 1 }),
    sample('counted', { idleSeconds: null, frequency: 9 }),
    sample('counted-more', { idleSeconds: null, frequency: 20 }),
  ]
  const { hottest } = keyReport([{ shardUid: 1, total: 4, samples }], 3)
  assert.deepEqual(
    hottest.map(({ name }) => name),
    ['counted-more', 'counted', 'fresh'],
  )
})

test('the keys of all patterns are all keys, however they are called', () => {
  const samples = fc.array(
    fc.string({ maxLength: 12 }).map((name) => sample(name)),
    { minLength: 1, maxLength: 40 },
  )
  fc.assert(
    fc.property(samples, fc.nat({ max: 1e6 }), (seen, more) => {
      const total = seen.length + more
      const { types } = keyReport([{ shardUid: 1, total, samples: seen }], 5)
      assert.equal(types[0]?.estimated_keys, total)
      for (const { name } of seen) assert.equal(patternOf(patternOf(name)), patternOf(name))
    }),
  )
})
