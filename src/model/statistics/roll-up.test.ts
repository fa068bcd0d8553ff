import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { INTERVALS, type IntervalName, stepStart } from './intervals.ts'
import { COLUMNS, type Metric } from './metrics.ts'
import { RollUp } from './roll-up.ts'
import { Sample } from './sample.ts'

const DAY_MS = 86_400_000
/** The beginning of a step of every interval. */
const T0 = stepStart(Date.UTC(2026, 0, 15), { seconds: 604_800 })

function sampleOf(
  fromMs: number,
  toMs: number,
  values: Partial<Record<Metric<'database'>, number>>,
): Sample<'database'> {
  return new Sample(
    'database',
    fromMs,
    toMs,
    Float64Array.from(COLUMNS.database.names, (name) => values[name] ?? NaN),
  )
}

function gather() {
  const kept = new Map<IntervalName, Sample[]>()
  const rollUp = new RollUp('database', ({ name }, sample) => kept.set(name, [...(kept.get(name) ?? []), sample]))
  return { rollUp, of: (name: IntervalName) => kept.get(name) ?? [] }
}

test('counts nothing twice and loses nothing, however the samples lie', () => {
  const lengths = fc.array(fc.integer({ min: 1, max: 5_000 }), { minLength: 1, maxLength: 400 })
  fc.assert(
    fc.property(lengths, fc.integer({ min: 0, max: DAY_MS }), (all, offset) => {
      const { rollUp, of } = gather()
      let at = T0 + offset
      let requests = 0
      for (const lengthMs of all) {
        rollUp.add(sampleOf(at, at + lengthMs, { total_req: lengthMs % 7 }))
        requests += (lengthMs % 7) * lengthMs
        at += lengthMs
      }
      rollUp.endBefore(at + 2 * 604_800_000)
      for (const { name } of INTERVALS.slice(1)) {
        const sum = of(name).reduce((total, one) => total + (one.named('total_req') ?? 0) * (one.toMs - one.fromMs), 0)
        assert.ok(Math.abs(sum - requests) <= requests * 1e-9, `${name}: ${sum}, not ${requests}`)
        for (const { fromMs, toMs } of of(name)) {
          const interval = INTERVALS.find((one) => one.name === name) ?? INTERVALS[1]
          assert.equal(stepStart(fromMs, interval), stepStart(toMs - 1, interval))
        }
      }
    }),
  )
})

test('a gap is a gap: what was not measured has no part in an average', () => {
  const { rollUp, of } = gather()
  rollUp.add(sampleOf(T0, T0 + 1_000, { used_memory: 10 }))
  rollUp.add(sampleOf(T0 + 6_000, T0 + 7_000, { used_memory: 30, total_req: 5 }))
  rollUp.add(sampleOf(T0 + 45_000, T0 + 46_000, { used_memory: 50 }))
  rollUp.endBefore(T0 + 60_000)
  assert.deepEqual(
    of('10sec').map((one) => [one.fromMs - T0, one.toMs - T0, one.named('used_memory'), one.named('total_req')]),
    [
      [0, 7_000, 20, 5],
      [45_000, 46_000, 50, undefined],
    ],
  )
})

test('the newest, the largest and the average are each kept as they are meant', () => {
  const { rollUp, of } = gather()
  for (const [second, value] of [5, 9, 7].entries())
    rollUp.add(sampleOf(T0 + second * 1_000, T0 + (second + 1) * 1_000, { last_req_time: value, no_of_keys: value }))
  rollUp.endBefore(T0 + 10_000)
  const [step] = of('10sec')
  assert.equal(step?.named('last_req_time'), 9)
  assert.equal(step?.named('no_of_keys'), 7)
})

test('where the clock goes back, what had been gathered is dropped', () => {
  const { rollUp, of } = gather()
  assert.ok(rollUp.add(sampleOf(T0 + 20_000, T0 + 21_000, { no_of_keys: 1 })))
  assert.equal(rollUp.add(sampleOf(T0, T0 + 1_000, { no_of_keys: 2 })), false)
  rollUp.endBefore(T0 + 60_000)
  assert.deepEqual(
    of('10sec').map((one) => one.named('no_of_keys')),
    [2],
  )
})

test('where the clock goes forward, the time between is a gap', () => {
  const { rollUp, of } = gather()
  rollUp.add(sampleOf(T0, T0 + 1_000, { no_of_keys: 1 }))
  rollUp.add(sampleOf(T0 + DAY_MS, T0 + DAY_MS + 1_000, { no_of_keys: 2 }))
  rollUp.endBefore(T0 + 2 * DAY_MS)
  assert.deepEqual(
    of('12hour').map((one) => [one.fromMs - T0, one.toMs - T0]),
    [
      [0, 1_000],
      [DAY_MS, DAY_MS + 1_000],
    ],
  )
})

test('what a step had before a restart counts towards it', () => {
  const before = gather()
  before.rollUp.add(sampleOf(T0, T0 + 100_000, { total_req: 2 }))
  const fiveMinutes = INTERVALS[2]
  const kept = before.rollUp.takeUnfinished(fiveMinutes)
  assert.ok(kept)
  const after = gather()
  after.rollUp.restore(fiveMinutes, kept)
  after.rollUp.add(sampleOf(T0 + 200_000, T0 + 300_000, { total_req: 4 }))
  const [step] = after.of('5min')
  assert.equal(step?.named('total_req'), 3)
  assert.equal(step?.fromMs, T0)
})
