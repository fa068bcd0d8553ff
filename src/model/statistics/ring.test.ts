import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { COLUMNS } from './metrics.ts'
import { PackedRing } from './packed-ring.ts'
import { Ring } from './ring.ts'
import { Sample } from './sample.ts'

const CAPACITY = 5
const values = fc
  .array(fc.oneof(fc.constant(0), fc.constant(Number.NaN), fc.double(), fc.maxSafeInteger(), fc.float()), {
    minLength: COLUMNS.shard.names.length,
    maxLength: COLUMNS.shard.names.length,
  })
  // A ring of numbers does not tell them apart either.
  .map((all) => Float64Array.from(all, (value) => value + 0))

test('it has what a ring has that is not packed, to the last bit', () => {
  fc.assert(
    fc.property(fc.array(values, { maxLength: 12 }), fc.integer({ min: 0, max: 12 }), (pushed, clearedAt) => {
      const packed = new PackedRing('shard', CAPACITY)
      const plain = new Ring('shard', CAPACITY)
      for (const [index, one] of pushed.entries()) {
        if (index === clearedAt) for (const ring of [packed, plain]) ring.clear()
        for (const ring of [packed, plain]) ring.push(new Sample('shard', index * 10, index * 10 + 10, one))
      }
      for (const [from, to] of [
        [0, 1_000],
        [30, 60],
        [35, 36],
      ] as const)
        assert.deepEqual(packed.within(from, to), plain.within(from, to))
    }),
  )
})

test('the newest of a ring is what was pushed last, as long as others have room', () => {
  const ring = new Ring('shard', CAPACITY)
  assert.deepEqual([ring.newest, ring.toldUntilMs, ring.newestOf('total_req')], [undefined, 0, undefined])
  const [name = ''] = COLUMNS.shard.names
  const kept: (readonly [Sample, number])[] = []
  for (let index = 0; index < 3 * CAPACITY; index++) {
    const numbers = new Float64Array(COLUMNS.shard.names.length).fill(index)
    ring.push(new Sample('shard', index * 10, index * 10 + 10, numbers))
    numbers.fill(-1)
    assert.deepEqual(
      [ring.toldUntilMs, ring.newestOf(name), ring.newestOf('no such')],
      [index * 10 + 10, index, undefined],
    )
    if (ring.newest) kept.push([ring.newest, index])
    for (const [sample, value] of kept.slice(-CAPACITY)) assert.equal(sample.named(name), value)
  }
  ring.push(new Sample('shard', 0, 10, new Float64Array(COLUMNS.shard.names.length).fill(Number.NaN)))
  assert.equal(ring.newestOf(name), undefined)
  ring.clear()
  assert.deepEqual([ring.newest, ring.toldUntilMs, ring.newestOf(name)], [undefined, 0, undefined])
})
