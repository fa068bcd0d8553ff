import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { LATENCY_BOUNDS_US } from '#model/statistics/readings.ts'
import type { RespValue } from '#resp/value.ts'
import { latencyHistograms } from './latency-histogram.ts'

const bulk = (text: string): RespValue => ({ kind: 'bulk', bytes: Buffer.from(text) })
const array = (...items: RespValue[]): RespValue => ({ kind: 'array', items })
const numbers = (...values: number[]) => array(...values.map((value): RespValue => ({ kind: 'integer', value })))
const entry = (calls: number, ...classes: number[]) =>
  array(bulk('calls'), ...numbersOf(calls), bulk('histogram_usec'), numbers(...classes))
const numbersOf = (value: number): RespValue[] => [{ kind: 'integer', value }]

test('classes are told one by one, those that the engine leaves out are empty', () => {
  const found = latencyHistograms(
    array(
      bulk('set'),
      entry(20_000, 1, 19_809, 2, 19_898, 4, 19_975, 264, 20_000),
      bulk('config|get'),
      entry(2, 33, 2),
    ),
  )
  const set = found.get('set') ?? []
  assert.deepEqual(set.slice(0, 9), [19_809, 89, 77, 0, 0, 0, 0, 0, 25])
  assert.equal(
    set.reduce((sum, count) => sum + count, 0),
    20_000,
  )
  assert.equal(found.get('config|get')?.[5], 2)
  assert.deepEqual(latencyHistograms(array()), new Map())
})

test('every class of the engine has its place, and no call is lost', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(1_000), { minLength: 1, maxLength: 21 }), (counts) => {
      const reached = (power: number) => counts.slice(0, power + 1).reduce((sum, count) => sum + count, 0)
      const classes = counts.flatMap((_, power) => [Math.floor((2 ** power * 1_024) / 1_000), reached(power)])
      const found = latencyHistograms(array(bulk('get'), entry(reached(21), ...classes))).get('get') ?? []
      assert.equal(found.length, LATENCY_BOUNDS_US.length + 1)
      assert.deepEqual(found.slice(0, counts.length), counts)
    }),
  )
})
