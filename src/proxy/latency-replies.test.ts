import assert from 'node:assert/strict'
import test from 'node:test'
import type { RespValue } from '#resp/value.ts'
import { histogramOfAll, historyOfAll, latestOfAll } from './latency-replies.ts'

type Plain = string | number | readonly Plain[]

function value(plain: Plain): RespValue {
  if (typeof plain === 'number') return { kind: 'integer', value: plain }
  if (typeof plain === 'string') return { kind: 'bulk', bytes: Buffer.from(plain) }
  return { kind: 'array', items: plain.map(value) }
}

test('the latest of an event is that of whoever saw it last, and the worst anybody’s', () => {
  const one = value([
    ['command', 100, 5, 40],
    ['fork', 90, 1, 1],
  ])
  const other = value([['command', 120, 7, 9]])
  assert.deepEqual(
    latestOfAll([one, other]),
    value([
      ['command', 120, 7, 40],
      ['fork', 90, 1, 1],
    ]),
  )
  assert.deepEqual(
    latestOfAll([value([['c', 2, 5, 6, 11, 2]]), value([['c', 1, 3, 3, 3, 1]])]),
    value([['c', 2, 5, 6, 14, 3]]),
  )
})

test('a history is told in the order of time, with the longest of each second', () => {
  const history = (...entries: (readonly [number, number])[]) => value(entries)
  const told = historyOfAll([history([1, 10], [5, 50]), history([3, 30], [5, 70])])
  assert.deepEqual(told, history([1, 10], [3, 30], [5, 70]))
  const latest = (took: number) => value([['command', 5, took, took]])
  assert.deepEqual(latestOfAll([latest(50), latest(70)]), latest(70))
})

test('the buckets of a histogram include those before, also where a shard has none', () => {
  const one = value(['set', ['calls', 3, 'histogram_usec', [1, 1, 4, 3]]])
  const other = value(['set', ['calls', 5, 'histogram_usec', [2, 5]], 'get', ['calls', 1, 'histogram_usec', [8, 1]]])
  const both = value([
    'set',
    ['calls', 8, 'histogram_usec', [1, 1, 2, 6, 4, 8]],
    'get',
    ['calls', 1, 'histogram_usec', [8, 1]],
  ])
  assert.deepEqual(histogramOfAll([one, other]), both)
})

test('in RESP3 a histogram stays a map', () => {
  const bucket: RespValue = { kind: 'map', entries: [[value(1), value(2)]] }
  const fields: RespValue = {
    kind: 'map',
    entries: [
      [value('calls'), value(2)],
      [value('histogram_usec'), bucket],
    ],
  }
  const said: RespValue = { kind: 'map', entries: [[value('set'), fields]] }
  assert.deepEqual(histogramOfAll([said, { kind: 'map', entries: [] }]), said)
})
