import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { databaseSample, endpointOfShards } from './derive.ts'
import { COLUMNS } from './metrics.ts'
import { Sample } from './sample.ts'

function shardSample(fromMs: number, toMs: number, values: Readonly<Record<string, number>>): Sample<'shard'> {
  const { names } = COLUMNS.shard
  return new Sample(
    'shard',
    fromMs,
    toMs,
    Float64Array.from(names, (name) => values[name] ?? Number.NaN),
  )
}

test('what shards count is counted once, however late each of them is read', () => {
  const lateness = fc.array(fc.tuple(fc.nat(400), fc.nat(400)), { minLength: 2, maxLength: 20 })
  fc.assert(
    fc.property(lateness, (reads) => {
      const timesOf = (shard: 0 | 1) => reads.map((late, index) => (index + 1) * 1_000 + late[shard])
      const [first, second] = [timesOf(0), timesOf(1)]
      let [counted, sinceMs] = [0, 0]
      for (let index = 1; index < reads.length; index++) {
        const samples = [first, second].map((times) =>
          // One thing for each millisecond.
          shardSample(times[index - 1] ?? 0, times[index] ?? 0, { total_req: 1_000, no_of_keys: 5 }),
        )
        const endpoint = endpointOfShards(samples, sinceMs)
        assert.ok(endpoint)
        const sample = databaseSample([endpoint], samples, samples, sinceMs)
        assert.ok(sample)
        assert.ok(sinceMs === 0 || sample.fromMs === sinceMs)
        assert.equal(sample.get('no_of_keys'), 10)
        counted += ((sample.get('total_req') ?? 0) * sample.knownMs) / 1_000
        sinceMs = sample.toMs
      }
      const elapsed = [first, second].reduce((sum, times) => sum + (times.at(-1) ?? 0) - (times[0] ?? 0), 0)
      assert.ok(Math.abs(counted - elapsed) < 1e-6 * elapsed, `${counted} of ${elapsed}`)
    }),
  )
})

test('a clock that goes back costs no sample', () => {
  const shard = shardSample(1_000, 2_000, { total_req: 10 })
  const sample = databaseSample([], [shard], [shard], 50_000)
  assert.deepEqual([sample?.fromMs, sample?.toMs], [1_000, 2_000])
})

test('what clients do is unknown while nobody tells who serves them, whatever the shards count', () => {
  const shard = shardSample(1_000, 2_000, { total_req: 10, egress_bytes: 10, connected_clients: 2, no_of_keys: 3 })
  const sample = databaseSample([], [shard], [shard], 0)
  for (const name of ['total_req', 'egress_bytes', 'conns'] as const) assert.equal(sample?.get(name), undefined, name)
  assert.equal(sample?.get('no_of_keys'), 3)
})
