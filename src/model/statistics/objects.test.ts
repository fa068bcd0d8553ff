import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { keyOf, type Measured, objectOf } from './objects.ts'

test('an object is found again by its number', () => {
  const uid = fc.integer({ min: 1, max: 2 ** 32 - 1 })
  const object = fc.oneof(
    fc.record({ kind: fc.constantFrom('shard' as const, 'database' as const, 'node' as const), uid }),
    fc.record({ kind: fc.constant('endpoint' as const), uid, nodeUid: fc.integer({ min: 1, max: 65_535 }) }),
    fc.record({ kind: fc.constant('cluster' as const) }),
  )
  fc.assert(
    fc.property(object, (one: Measured) => {
      const key = keyOf(one)
      assert.ok(Number.isSafeInteger(key))
      assert.deepEqual({ ...objectOf(key) }, { ...one })
    }),
  )
})

test('a number that no object has is no object', () => {
  assert.equal(objectOf(0), undefined)
  assert.equal(objectOf(2 ** 52), undefined)
})
