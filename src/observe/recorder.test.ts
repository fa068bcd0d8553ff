import assert from 'node:assert/strict'
import { mkdtemp, readdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { stepStart } from '#model/statistics/intervals.ts'
import { COLUMNS, type Metric } from '#model/statistics/metrics.ts'
import { Sample } from '#model/statistics/sample.ts'
import { History } from './history.ts'
import { Recorder } from './recorder.ts'

const T0 = stepStart(Date.UTC(2026, 0, 15), { seconds: 604_800 })
const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DATABASE = { kind: 'database', uid: 7 } as const
const ALWAYS = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER }

async function recorderIn(folder: string, startMs: number) {
  const clock = { nowMs: startMs }
  const warnings: string[] = []
  const log = { warn: (_fields: object, message: string) => void warnings.push(message) }
  const recorder = new Recorder({ history: new History({ folder, log }), now: () => clock.nowMs })
  await recorder.restore()
  /** One sample every ten seconds until then. */
  const run = async (untilMs: number, requests: number) => {
    for (; clock.nowMs < untilMs; clock.nowMs += 10_000) {
      recorder.take(DATABASE, sampleOf(clock.nowMs, clock.nowMs + 10_000, { total_req: requests }))
      if (clock.nowMs % MINUTE === 0) await recorder.settle()
    }
  }
  return { recorder, clock, warnings, run }
}

function sampleOf(fromMs: number, toMs: number, values: Partial<Record<Metric<'database'>, number>>): Sample {
  const width = Float64Array.from(COLUMNS.database.names, (name) => values[name] ?? Number.NaN)
  return new Sample('database', fromMs, toMs, width)
}

const folder = () => mkdtemp(join(tmpdir(), 'history-'))

test('keeps as many samples of each interval as are documented, whatever has been before', async () => {
  const { recorder, run } = await recorderIn(await folder(), T0)
  await run(T0 + 26 * HOUR, 4)
  const counts = await Promise.all(
    (['1sec', '10sec', '5min', '15min', '1hour'] as const).map(async (name) => {
      const samples = await recorder.range(DATABASE, name, ALWAYS)
      assert.ok(samples.every((sample) => sample.get('total_req') === 4))
      return samples.length
    }),
  )
  // The feed is one sample in ten seconds, so that the ten newest seconds hold one.
  assert.deepEqual(counts, [1, 30, 12, 96, 26])
})

test('what was measured before and after a restart makes one step, and the time between is a gap', async () => {
  const place = await folder()
  const before = await recorderIn(place, T0)
  await before.run(T0 + 12 * MINUTE, 10)
  await before.recorder.close()
  const after = await recorderIn(place, T0 + 13 * MINUTE)
  await after.run(T0 + 16 * MINUTE, 40)
  await after.recorder.settle()
  const [step] = await after.recorder.range(DATABASE, '15min', ALWAYS)
  // 12 minutes at 10 and 2 at 40: the minute between is not in the average.
  assert.equal(step?.get('total_req'), (12 * 10 + 2 * 40) / 14)
  assert.deepEqual([step?.fromMs, step?.toMs], [T0, T0 + 15 * MINUTE])
})

test('steps that ended while nobody was there are made at the next start', async () => {
  const place = await folder()
  const before = await recorderIn(place, T0)
  await before.run(T0 + 50 * MINUTE, 10)
  await before.recorder.close()
  const after = await recorderIn(place, T0 + 90 * MINUTE)
  await after.recorder.settle()
  await after.run(T0 + 91 * MINUTE, 1)
  await after.recorder.settle()
  const quarters = await after.recorder.range(DATABASE, '15min', ALWAYS)
  assert.deepEqual(
    quarters.map((sample) => [(sample.fromMs - T0) / MINUTE, (sample.toMs - T0) / MINUTE]),
    [
      [0, 15],
      [15, 30],
      [30, 45],
      [45, 50],
    ],
  )
  const [hour] = await after.recorder.range(DATABASE, '1hour', ALWAYS)
  assert.equal(hour?.get('total_req'), 10)
})

test('a kill costs what had not been written, and nothing before', async () => {
  const place = await folder()
  const before = await recorderIn(place, T0)
  await before.run(T0 + 33 * MINUTE, 10)
  const after = await recorderIn(place, T0 + 34 * MINUTE)
  const kept = await after.recorder.range(DATABASE, '5min', ALWAYS)
  assert.deepEqual(
    kept.map(({ fromMs }) => (fromMs - T0) / MINUTE),
    [0, 5, 10, 15, 20, 25],
  )
})

test('a disk that cannot be written costs the history, is said once, and stops nothing', async () => {
  const place = join(await folder(), 'file')
  await writeFile(place, '')
  const { recorder, run, warnings } = await recorderIn(place, T0)
  await run(T0 + HOUR, 4)
  // The newest waits for its turn to be written.
  assert.equal((await recorder.range(DATABASE, '5min', ALWAYS)).length, 1)
  assert.equal((await recorder.range(DATABASE, '10sec', ALWAYS)).length, 30)
  assert.equal(warnings.length, 1)
})

test('a damaged file is a gap', async () => {
  const place = await folder()
  const { recorder, run } = await recorderIn(place, T0)
  await run(T0 + 30 * MINUTE, 4)
  const [first = ''] = await readdir(join(place, '5min'))
  await writeFile(join(place, '5min', first), 'nonsense')
  assert.equal((await recorder.range(DATABASE, '5min', ALWAYS)).length, 5)
})

test('an object that is not heard of any more has no newest sample', async () => {
  const { recorder, clock, run } = await recorderIn(await folder(), T0)
  await run(T0 + MINUTE, 4)
  assert.ok(recorder.latest(DATABASE))
  clock.nowMs += MINUTE
  assert.equal(recorder.latest(DATABASE), undefined)
})

test('where the clock went back, what is of the time to come again is not shown', async () => {
  const { recorder, clock, run } = await recorderIn(await folder(), T0)
  await run(T0 + HOUR, 4)
  clock.nowMs = T0 + 10 * MINUTE
  await run(T0 + 11 * MINUTE, 5)
  const samples = await recorder.range(DATABASE, '10sec', ALWAYS)
  assert.ok(samples.length > 0 && samples.every((sample) => sample.get('total_req') === 5))
  for (const { fromMs } of await recorder.range(DATABASE, '5min', ALWAYS)) assert.ok(fromMs <= clock.nowMs)
})
