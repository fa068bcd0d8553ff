import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { KEY_BYTES, Sealer } from './sealing.ts'

const key = randomBytes(KEY_BYTES)

test('any text comes back as it was, and never the same sealed twice', () => {
  const sealer = new Sealer([key])
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const sealed = sealer.seal(text)
      assert.equal(sealer.open(sealed), Buffer.from(text, 'utf8').toString('utf8'))
      assert.notEqual(sealer.seal(text), sealed)
    }),
  )
})

test('a changed or foreign text is refused', () => {
  const sealed = new Sealer([key]).seal('secret')
  const flipped = sealed.slice(0, -4) + (sealed.endsWith('AAA=') ? 'BBB=' : 'AAA=')
  assert.throws(() => new Sealer([key]).open(flipped))
  assert.throws(() => new Sealer([key]).open('secret'), /not sealed/)
  assert.throws(() => new Sealer([randomBytes(KEY_BYTES)]).open(sealed), /not at hand/)
})

test('an old key still opens while the new one seals', () => {
  const old = new Sealer([key])
  const next = randomBytes(KEY_BYTES)
  const both = new Sealer([next, key])
  assert.equal(both.open(old.seal('kept')), 'kept')
  assert.throws(() => old.open(both.seal('new')), /not at hand/)
})
