import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { passwordProblem } from './password-rules.ts'

const strict = { complexity: true, minLength: 8 }

test('complex passwords need all kinds of characters, and none too often', () => {
  assert.equal(passwordProblem('Good-pass1', 'a@b.c', strict), null)
  for (const [password, what] of [
    ['', /empty/],
    ['Sh0rt-1', /8 characters/],
    ['lower-case-1', /upper-case/],
    ['UPPER-CASE-1', /lower-case/],
    ['No-digit-here', /digit/],
    ['NoSpecial123', /special/],
    ['Xa@b.c-123', /e-mail/],
    ['X-C.b@A-1xy', /reverse/],
    ['Gooood-pass1', /in a row/],
  ] as const)
    assert.match(passwordProblem(password, 'a@b.c', strict) ?? '', what, password)
})

test('without complexity anything that is not empty will do', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, maxLength: 500 }), (password) => {
      assert.equal(passwordProblem(password, 'a@b.c', { complexity: false, minLength: 8 }), null)
    }),
  )
})
