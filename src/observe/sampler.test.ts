import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { INFO_COLUMNS, INFO_NUMBERS, type Readings, type ReadingsWanted } from '#model/statistics/readings.ts'
import type { Agent } from '#plan/agent.ts'
import { History } from './history.ts'
import { Recorder } from './recorder.ts'
import { Sampler, type SamplerOptions } from './sampler.ts'

const UID = 7
const SHARD = 3
const LOOKS = 100

/** One shard that sends a thousand bytes a millisecond, to whomever, and what its database is said to send. */
async function sentBytes(folder: string, config: object): Promise<number | undefined> {
  const since = performance.now()
  const readings = ({ shardUids }: ReadingsWanted): Readings => {
    const [atMs, clockMs] = [Date.now(), performance.now()]
    const numbers = new Float64Array(INFO_NUMBERS.length)
    numbers[INFO_COLUMNS.get('process_id') ?? -1] = 1
    numbers[INFO_COLUMNS.get('total_net_output_bytes') ?? -1] = (clockMs - since) * 1_000
    const own = { calls: {}, connections: 0, receivedBytes: 0, sentBytes: 0, clients: 0 }
    const shard = { uid: SHARD, atMs, clockMs, numbers, commands: [], latencies: null, process: null, own }
    return { shards: shardUids.includes(SHARD) ? [shard] : [], endpoints: [], node: null }
  }
  const place = { uid: SHARD, nodeUid: 1, group: 1, slots: [], ports: null }
  const database = { uid: UID, config: { memory_size: 1, ...config }, shards: [place] }
  const agent = { counters: async (wanted: ReadingsWanted) => readings(wanted), endpoints: () => new Map() }
  const recorder = new Recorder({ history: new History({ folder, log: { warn: () => undefined } }), now: Date.now })
  const sampler = new Sampler({
    state: {
      databases: new Map([[UID, { value: database }]]),
      statuses: { get: () => undefined },
    } as unknown as SamplerOptions['state'],
    agents: new Map([[1, agent as unknown as Agent]]),
    recorder,
    log: { error: (fields) => assert.fail(JSON.stringify(fields)) },
  })
  await sampler.start()
  try {
    for (let look = 0; look < LOOKS; look++) {
      const sample = recorder.latest({ kind: 'database', uid: UID })
      if (sample) return sample.named('egress_bytes')
      await delay(100)
    }
    return assert.fail('there is no sample')
  } finally {
    await sampler.close()
  }
}

for (const [config, isShown] of [
  [{ sharding: false }, true],
  [{ sharding: true, oss_cluster: true }, true],
  [{ sharding: true, oss_cluster: false }, false],
] as const)
  test(`what shards send is ${isShown ? '' : 'not '}what clients get: ${JSON.stringify(config)}`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-sampler-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const sent = await sentBytes(folder, config)
    if (isShown) assert.ok(sent !== undefined && sent > 0)
    else assert.equal(sent, undefined)
  })
