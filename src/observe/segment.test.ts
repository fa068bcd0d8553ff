import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { COLUMNS } from '#model/statistics/metrics.ts'
import { keyOf } from '#model/statistics/objects.ts'
import { Sample } from '#model/statistics/sample.ts'
import { encodeSegment, Segment } from './segment.ts'

const START = Date.UTC(2026, 0, 15)

function samples(): Map<number, Sample> {
  const of = (kind: 'shard' | 'database' | 'node', uid: number) =>
    [
      keyOf({ kind, uid }),
      new Sample(
        kind,
        START + uid,
        START + 300_000,
        Float64Array.from(COLUMNS[kind].names, (_, index) => index / uid),
      ),
    ] as const
  return new Map([of('shard', 7), of('database', 3), of('shard', 12), of('node', 1)])
}

test('what was written is read, to the last bit', () => {
  const value = fc.oneof(fc.double(), fc.constant(0), fc.integer(), fc.constant(Number.NaN))
  const width = COLUMNS.database.names.length
  fc.assert(
    fc.property(fc.array(value, { minLength: width, maxLength: width }), (values) => {
      const key = keyOf({ kind: 'database', uid: 5 })
      // Zero has no sign here.
      const plain = Float64Array.from(values, (one) => one + 0)
      const sample = new Sample('database', START, START + 1_000, plain)
      assert.deepEqual(Segment.parse(encodeSegment(START, new Map([[key, sample]])))?.sample(key), sample)
    }),
  )
})

test('each object is found among the others, and nobody else', () => {
  const written = samples()
  const segment = Segment.parse(encodeSegment(START, written))
  assert.ok(segment)
  assert.deepEqual(new Set(segment.keys), new Set(written.keys()))
  for (const [key, sample] of written) assert.deepEqual(segment.sample(key), sample)
  assert.equal(segment.sample(keyOf({ kind: 'shard', uid: 8 })), undefined)
})

test('a segment that is cut off or changed anywhere is none', () => {
  const bytes = encodeSegment(START, samples())
  for (let length = 0; length < bytes.length; length += 7) assert.equal(Segment.parse(bytes.subarray(0, length)), null)
  for (let at = 0; at < bytes.length; at += 5) {
    const changed = Buffer.from(bytes)
    changed[at] = (changed[at] ?? 0) ^ 0x10
    assert.equal(Segment.parse(changed), null)
  }
})
