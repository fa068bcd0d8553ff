import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { matchesGlob } from './glob.ts'

test('takes the patterns of the engine', () => {
  const cases: [pattern: string, text: string, does: boolean][] = [
    ['*', '', true],
    ['+switch-master', '+switch-master', true],
    ['switch-master', '+switch-master', false],
    ['[-+]sdown', '+sdown', true],
    ['[-+]sdown', '*sdown', false],
    ['[^-]sdown', '-sdown', false],
    ['[a-c]?', 'bx', true],
    ['[c-a]?', 'bx', true],
    ['[\\]]', ']', true],
    ['\\*', '*', true],
    ['\\*', 'x', false],
    ['*a*b', 'xaxxab', true],
    ['a*', 'ba', false],
    ['[ab', 'b', true],
    ['x\\', 'x\\', true],
    ['', 'x', false],
  ]
  for (const [pattern, text, does] of cases) assert.equal(matchesGlob(pattern, text), does, `${pattern} and ${text}`)
})

const pieces = fc.array(fc.constantFrom('a', 'b', '?', '*'), { maxLength: 12 })

test('agrees with a regular expression', () => {
  fc.assert(
    fc.property(pieces, fc.array(fc.constantFrom('a', 'b'), { maxLength: 12 }), (pattern, text) => {
      const expression = new RegExp(
        `^${pattern.map((one) => (one === '?' ? '.' : one === '*' ? '.*' : one)).join('')}$`,
      )
      assert.equal(matchesGlob(pattern.join(''), text.join('')), expression.test(text.join('')))
    }),
  )
})

test('a hostile pattern does not cost more than its length times that of the text', () => {
  assert.equal(matchesGlob(`${'*a'.repeat(500)}b`, 'a'.repeat(1_000)), false)
})
