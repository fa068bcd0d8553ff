import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { SLOT_COUNT } from '#model/slots.ts'
import { crc16, hashSlot } from './hash-slot.ts'

test('agrees with the vectors of the cluster specification', () => {
  assert.equal(crc16(Buffer.from('123456789')), 0x31c3)
  // Answers of CLUSTER KEYSLOT of redis 7.0.15.
  const known: Record<string, number> = {
    '': 0,
    foo: 12182,
    bar: 5061,
    hello: 866,
    '{user1000}.following': 3443,
    'foo{}{bar}': 8363,
    'foo{{bar}}zap': 4015,
    'foo{bar}{zap}': 5061,
    ü: 9552,
  }
  for (const [key, slot] of Object.entries(known)) assert.equal(hashSlot(key), slot, key)
})

test('gives keys with one tag one slot, and every key a slot in range', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.string(), fc.string(), (tag, before, after) => {
      fc.pre(!/[{}]/.test(tag) && !before.includes('{'))
      assert.equal(hashSlot(`${before}{${tag}}${after}`), hashSlot(tag))
    }),
  )
  fc.assert(
    fc.property(fc.uint8Array(), (key) => {
      const slot = hashSlot(key)
      assert.ok(Number.isInteger(slot) && slot >= 0 && slot < SLOT_COUNT)
    }),
  )
})
