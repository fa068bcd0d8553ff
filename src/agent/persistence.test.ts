import assert from 'node:assert/strict'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { specDigest } from '#plan/spec-digest.ts'
import type { Persistence, ShardSpec } from '#plan/step.ts'
import {
  apply,
  ask,
  type Bench,
  Client,
  configure,
  killProcess,
  makeBench,
  makeSpec,
  seen,
  start,
  stop,
} from './testing.ts'

const kinds: Readonly<Record<string, Persistence>> = {
  none: { kind: 'none' },
  snapshot: { kind: 'snapshot', rules: [{ seconds: 3600, writes: 1 }] },
  everysec: { kind: 'aof', fsync: 'everysec' },
  always: { kind: 'aof', fsync: 'always' },
}
const all = Object.values(kinds)
const label = (persistence: Persistence) => (persistence.kind === 'aof' ? `aof ${persistence.fsync}` : persistence.kind)

async function crash(bench: Bench): Promise<void> {
  await killProcess(bench.agent, 1, bench)
  await seen(bench.agent, 1, 'exited')
}

async function dataFiles(bench: Bench): Promise<string[]> {
  const names = await readdir(join(bench.dataDir, 'shards/1'))
  return names.filter((name) => /dump|append|temp/.test(name)).sort()
}

for (const from of all) {
  for (const to of all) {
    test(`from ${label(from)} to ${label(to)} while it runs, no data is lost, and a crash keeps what is promised`, async (t) => {
      const bench = await makeBench(t)
      const spec = await makeSpec(1, { persistence: from })
      const changed: ShardSpec = { ...spec, persistence: to }
      await start(bench.agent, spec)
      await ask(spec.listen.port, 'SET', 'before', '1')
      await configure(bench.agent, changed)
      assert.equal(await ask(spec.listen.port, 'GET', 'before'), '1')
      const reported = await bench.agent.command(1, ['CONFIG', 'GET', 'appendonly'], 1000)
      assert.deepEqual(reported, ['appendonly', to.kind === 'aof' ? 'yes' : 'no'])
      await ask(spec.listen.port, 'SET', 'after', '2')
      await crash(bench)
      await start(bench.agent, changed)
      const survived = to.kind !== 'none' && !(from.kind === 'snapshot' && to.kind === 'snapshot')
      assert.equal(await ask(spec.listen.port, 'GET', 'before'), survived ? '1' : null)
      if (to.kind === 'aof' && to.fsync === 'always') assert.equal(await ask(spec.listen.port, 'GET', 'after'), '2')
      assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(changed))
      if (to.kind === 'none') assert.deepEqual(await dataFiles(bench), [])
      if (to.kind === 'aof') assert.deepEqual(await dataFiles(bench), ['appendonlydir'])
    })
  }

  test(`a planned restart, a clean stop and a new agent lose nothing with ${label(from)}`, async (t) => {
    const bench = await makeBench(t)
    let spec = await makeSpec(1, { persistence: from })
    await start(bench.agent, spec)
    await ask(spec.listen.port, 'SET', 'k', '1')
    const pid = bench.agent.observed().get(1)?.pid
    await apply(bench.agent, { kind: 'restart-shard', spec })
    assert.equal(bench.agent.observed().get(1)?.pid, pid, 'it runs with this spec already')
    spec = { ...spec, memoryLimitBytes: 90_000_000 }
    await apply(bench.agent, { kind: 'restart-shard', spec })
    assert.notEqual(bench.agent.observed().get(1)?.pid, pid)
    assert.equal(await ask(spec.listen.port, 'GET', 'k'), '1')
    await stop(bench.agent, 1)
    const agent = await bench.restart()
    assert.equal(agent.observed().get(1)?.state, 'stopped')
    await start(agent, spec)
    assert.equal(await ask(spec.listen.port, 'GET', 'k'), '1')
    if (from.kind === 'none') {
      await crash(bench)
      await start(agent, spec)
      assert.equal(await ask(spec.listen.port, 'GET', 'k'), null, 'what was handed over is good for one start')
    }
  })

  for (const to of all) {
    test(`down with ${label(from)}, started with ${label(to)}: what was promised is there`, async (t) => {
      const bench = await makeBench(t)
      const spec = await makeSpec(1, { persistence: from })
      await start(bench.agent, spec)
      await ask(spec.listen.port, 'SET', 'k', '1')
      if (from.kind === 'snapshot') await bench.agent.command(1, ['SAVE'], 5000)
      if (from.kind === 'aof' && from.fsync === 'everysec')
        await bench.agent.command(1, ['CONFIG', 'SET', 'appendfsync', 'always'], 5000)
      await crash(bench)
      const changed: ShardSpec = { ...spec, persistence: to }
      await start(bench.agent, changed)
      assert.equal(await ask(spec.listen.port, 'GET', 'k'), from.kind === 'none' ? null : '1')
      assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(changed))
      await ask(spec.listen.port, 'SET', 'k', '2')
      await crash(bench)
      await start(bench.agent, changed)
      if (to.kind === 'aof' && to.fsync === 'always') assert.equal(await ask(spec.listen.port, 'GET', 'k'), '2')
      if (to.kind === 'none') assert.equal(await ask(spec.listen.port, 'GET', 'k'), null)
    })
  }
}

test('with aof always every acknowledged write survives kill -9, while the persistence changes back and forth', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { persistence: { kind: 'aof', fsync: 'always' } })
  const other: ShardSpec = { ...spec, memoryLimitBytes: 500_000_000 }
  await start(bench.agent, spec)
  let acknowledged = 0
  for (let round = 0; round < 8; round++) {
    using client = new Client(spec.listen.port)
    const writing = (async () => {
      while ((await client.call('SET', 'n', acknowledged + 1)) === 'OK') acknowledged++
    })()
    const first = acknowledged
    const wanted = round % 2 === 0 ? other : spec
    const configuring = bench.agent
      .apply({ kind: 'configure-shard', spec: wanted }, { signal: AbortSignal.timeout(5000) })
      .catch(() => {})
    while (acknowledged < first + 50 * (round + 1)) await client.call('PING')
    await crash(bench)
    await Promise.all([writing, configuring])
    await start(bench.agent, wanted)
    assert.ok(Number(await ask(spec.listen.port, 'GET', 'n')) >= acknowledged)
  }
})

test('a switch to aof that is cut off by a crash of either side loses nothing of the snapshot', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { persistence: { kind: 'snapshot', rules: [{ seconds: 3600, writes: 1 }] } })
  const changed: ShardSpec = { ...spec, persistence: { kind: 'aof', fsync: 'always' } }
  await start(bench.agent, spec)
  await ask(spec.listen.port, 'SET', 'k', '1')
  await bench.agent.command(1, ['SAVE'], 5000)
  for (let cutAfterMs = 0; cutAfterMs < 24; cutAfterMs += 3) {
    await bench.agent
      .apply({ kind: 'configure-shard', spec: changed }, { signal: AbortSignal.timeout(cutAfterMs) })
      .catch(() => {})
    await crash(bench)
    const agent = await bench.restart()
    await start(agent, cutAfterMs % 2 === 0 ? spec : changed)
    assert.equal(await ask(spec.listen.port, 'GET', 'k'), '1', `cut off after ${cutAfterMs} ms`)
    if (cutAfterMs % 2 !== 0) await configure(agent, spec)
  }
  await configure(bench.agent, changed)
  await ask(spec.listen.port, 'SET', 'k', '2')
  await crash(bench)
  await start(bench.agent, changed)
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), '2')
})
