import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { scrubberOf } from './scrub.ts'

test('takes every secret out, wherever it stands, also within JSON', () => {
  const secret = fc
    .string({ minLength: 4, maxLength: 12, unit: 'grapheme' })
    .filter((text) => !'[secret]'.includes(text))
  const texts = fc.array(fc.string({ maxLength: 8 }), { minLength: 2, maxLength: 4 })
  fc.assert(
    fc.property(fc.array(secret, { minLength: 1, maxLength: 4 }), texts, (secrets, between) => {
      const [joint = ''] = secrets
      const scrubbed = scrubberOf(secrets)(between.join(joint))
      assert.ok(!scrubbed.includes(joint) || '[secret]'.includes(joint) || between.join('').includes('[secret]'))
      assert.ok(!scrubberOf(secrets)(JSON.stringify({ secrets })).includes(JSON.stringify(joint).slice(1, -1)))
    }),
  )
})

test('takes out what an expression of all secrets would, the longest first', () => {
  // Few letters: secrets overlap, begin alike, and stand side by side.
  const letters = fc.string({ unit: fc.constantFrom('a', 'é'), minLength: 4, maxLength: 6 })
  const text = fc.string({ unit: fc.constantFrom('a', 'é', '['), maxLength: 60 })
  fc.assert(
    fc.property(fc.array(letters, { minLength: 1, maxLength: 5 }), text, (secrets, told) => {
      const longestFirst = [...secrets].sort((one, other) => other.length - one.length)
      const expected = told.replace(new RegExp(longestFirst.join('|'), 'g'), '[secret]')
      assert.equal(scrubberOf(secrets)(told), expected)
    }),
    { numRuns: 2_000 },
  )
})

test('leaves nothing of the longer of two that begin alike', () => {
  assert.equal(scrubberOf(['pass', 'password'])('a password, a pass'), 'a [secret], a [secret]')
})

test('leaves words alone that are too short to be told from any text', () => {
  assert.equal(scrubberOf(['a', ''])('a man'), 'a man')
})

test('takes a text of a megabyte and two thousand secrets within reason', () => {
  const secrets = Array.from({ length: 2_000 }, (_, index) => `secret-${index}-${'x'.repeat(24)}`)
  const line = `${JSON.stringify({ level: 30, time: 1, msg: 'planned', reason: 'waiting for shard 7 to answer' })}\n`
  const text = `${line.repeat(10_000)}${secrets[77]}`
  assert.ok(scrubberOf(secrets)(text).endsWith('\n[secret]'))
})
