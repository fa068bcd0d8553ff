import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { Lines } from './lines.ts'

const NAME = Buffer.from('a_metric')
const LABELS = Buffer.from('{db="1"}')

function toldOf(value: number): string {
  const lines = new Lines('gauge', 'a_metric')
  lines.add(NAME, LABELS, value)
  return lines.bytes.toString().split('\n')[1] ?? ''
}

test('a number reads back as what it was', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.maxSafeInteger(),
        fc.integer(),
        fc.constantFrom(0, -0, 9, 10, 99, 100, 1e14, 1e15 - 1, 1e15, 1e21, -1, -10, 999_999_999_999_999),
      ),
      (value) => {
        const text = toldOf(value)
        assert.ok(text.startsWith('a_metric{db="1"} '), text)
        assert.equal(Number(text.slice('a_metric{db="1"} '.length)), value === 0 ? 0 : value)
      },
    ),
  )
  assert.equal(toldOf(Number.POSITIVE_INFINITY), 'a_metric{db="1"} +Inf')
  assert.equal(toldOf(Number.NEGATIVE_INFINITY), 'a_metric{db="1"} -Inf')
})

test('more lines than there is room for at first are all there, below one head', () => {
  const lines = new Lines('counter', 'a_metric')
  for (let round = 0; round < 2; round++) {
    for (let index = 0; index < 1_000; index++) lines.add(NAME, LABELS, index, Buffer.from('le="é"}'))
    const [head, ...told] = lines.bytes.toString().trimEnd().split('\n')
    assert.equal(head, '# TYPE a_metric counter')
    assert.deepEqual(
      told,
      Array.from({ length: 1_000 }, (_, index) => `a_metric{db="1",le="é"} ${index}`),
    )
    lines.release({ isRead: round === 1 })
    assert.equal(lines.bytes.length, 0)
  }
})

test('what is still read stays when it is released', () => {
  const lines = new Lines('gauge', 'a_metric')
  lines.add(NAME, LABELS, 1)
  const { bytes } = lines
  lines.release({ isRead: true })
  lines.add(NAME, LABELS, 2)
  assert.match(bytes.toString(), / 1\n$/)
})
