import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signalProcess } from '#engine/process.ts'
import { INFO_COLUMNS, INFO_NUMBERS, type InfoNumber, type ShardReading } from '#model/statistics/readings.ts'
import type { LocalAgent } from './local-agent.ts'
import { keepPace } from './pace.ts'
import type { Shard } from './shard.ts'
import { Client, configure, enginesBelow, eventually, makeBench, makeSpec, start } from './testing.ts'

/** As the statistics do all the time. */
const look = (agent: LocalAgent) => agent.counters({ shardUids: [1], databaseUids: [], node: false })

test('an engine slows down while nobody is connected, and hurries for who comes and for a step that waits', async (t) => {
  const bench = await makeBench(t, { idlePatienceMs: 50 })
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const pace = async () => {
    await look(bench.agent)
    const reply = await bench.agent.command(1, ['CONFIG', 'GET', 'hz'], 1000)
    return Array.isArray(reply) ? reply[1] : reply
  }
  await eventually(async () => (await pace()) === '1')
  const client = new Client(spec.listen.port)
  await eventually(async () => (await pace()) === '10')
  await bench.restart()
  await eventually(async () => (await pace()) === '10')
  client[Symbol.dispose]()
  await eventually(async () => (await pace()) === '1')
  // Waits for a dump to be written, the end of which the engine sees at its next tick.
  await configure(bench.agent, { ...spec, persistence: { kind: 'snapshot', rules: [] } })
  await eventually(async () => (await pace()) === '1')
})

test('an engine that was restarted slows down again', async (t) => {
  const bench = await makeBench(t, { idlePatienceMs: 50 })
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const isSlow = async () => {
    await look(bench.agent)
    const reply = await bench.agent.command(1, ['CONFIG', 'GET', 'hz'], 1000).catch(() => null)
    return Array.isArray(reply) && reply[1] === '1'
  }
  await eventually(isSlow)
  const [engine] = enginesBelow(bench.dataDir)
  assert.ok(engine)
  signalProcess(engine, 'SIGKILL')
  await eventually(() => bench.agent.observed().get(1)?.state === 'exited')
  await start(bench.agent, spec)
  await eventually(isSlow)
})

test('replicas use a primary, and a primary does not use its replica', () => {
  const idleSince = (told: Partial<Record<InfoNumber, number>>, clients: number) => {
    const numbers = new Float64Array(INFO_NUMBERS.length).fill(Number.NaN)
    for (const [name, value] of Object.entries(told)) numbers[INFO_COLUMNS.get(name) ?? -1] = value
    const shard = { idleSince: null, pace: null, connection: null } as unknown as Shard
    keepPace(shard, { numbers, own: { clients } } as unknown as ShardReading, 1_000)
    return shard.idleSince
  }
  assert.notEqual(idleSince({ connected_clients: 1 }, 1), null)
  assert.equal(idleSince({ connected_clients: 2 }, 1), null)
  assert.equal(idleSince({ connected_clients: 1, connected_slaves: 1 }, 1), null)
  assert.notEqual(idleSince({ connected_clients: 2, connected_slaves: 0, master_link_up: 1 }, 1), null)
  assert.equal(idleSince({ connected_clients: 3, connected_slaves: 0, master_link_up: 1 }, 1), null)
})
