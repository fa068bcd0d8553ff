import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { documents, replacePart } from './generated-docs.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))

for (const { path, render } of documents) {
  test(`${path} says what the code says (otherwise: npm run docs)`, () => {
    const text = readFileSync(`${root}${path}`, 'utf8')
    assert.equal(render(text), text)
  })
}

test('a part is replaced, and a file without it is an error', () => {
  assert.equal(
    replacePart('a <!-- x: made --> old <!-- /x --> b', 'x', 'new'),
    'a <!-- x: made -->\n\nnew\n\n<!-- /x --> b',
  )
  assert.throws(() => replacePart('nothing', 'x', 'new'), /there is no part/)
})
