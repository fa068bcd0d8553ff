import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signalProcess } from '#engine/process.ts'
import { Client, configure, enginesBelow, eventually, makeBench, makeSpec, start } from './testing.ts'

test('an engine slows down while nobody is connected, and hurries for who comes and for a step that waits', async (t) => {
  const bench = await makeBench(t, { idlePatienceMs: 50 })
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const pace = async () => {
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
