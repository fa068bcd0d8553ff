import assert from 'node:assert/strict'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isAlive, signalProcess } from '#engine/process.ts'
import { specDigest } from '#plan/spec-digest.ts'
import { apply, ask, Client, enginesBelow, eventually, makeBench, makeSpec, seen, start, stop } from './testing.ts'

test('everything is found as it is: running, stopped, killed, and folders that were only begun', async (t) => {
  const bench = await makeBench(t)
  const specs = await Promise.all(
    [1, 2, 3].map((uid) => makeSpec(uid, { persistence: { kind: 'aof', fsync: 'always' } })),
  )
  await Promise.all(specs.map((spec) => start(bench.agent, spec)))
  await stop(bench.agent, 2)
  await bench.agent.close()
  const third = enginesBelow(bench.dataDir).find(({ pid }) => pid === bench.agent.observed().get(3)?.pid)
  assert.ok(third)
  signalProcess(third, 'SIGKILL')
  await eventually(() => !isAlive(third))
  await mkdir(join(bench.dataDir, 'shards/4'))
  await mkdir(join(bench.dataDir, 'shards/5'))
  await writeFile(join(bench.dataDir, 'shards/5/spec.json'), '{"format":1,"spec":{"ui')
  const agent = await bench.restart()
  const states = [...agent.observed().values()].map(({ uid, state }) => `${uid} ${state}`).sort()
  assert.deepEqual(states, ['1 running', '2 stopped', '3 exited', '4 stopped', '5 exited'])
  assert.equal(agent.observed().get(1)?.databaseUid, 1)
  for (const uid of [1, 2, 3, 4, 5]) await apply(agent, { kind: 'remove-shard', shardUid: uid })
  assert.deepEqual(await readdir(join(bench.dataDir, 'shards')), [])
  assert.deepEqual(enginesBelow(bench.dataDir), [])
})

test('an agent that is dropped in the midst of a start leaves nothing that the next one cannot finish', async (t) => {
  const bench = await makeBench(t)
  for (let cutAfterMs = 0; cutAfterMs < 30; cutAfterMs += 2) {
    const spec = await makeSpec(1, { persistence: { kind: 'aof', fsync: 'always' } })
    await bench.agent.apply({ kind: 'start-shard', spec }, { signal: AbortSignal.timeout(cutAfterMs) }).catch(() => {})
    const agent = await bench.restart()
    await start(agent, spec)
    assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
    assert.equal(enginesBelow(bench.dataDir).length, 1)
    assert.equal(agent.observed().get(1)?.specDigest, specDigest(spec))
    await apply(agent, { kind: 'remove-shard', shardUid: 1 })
  }
})

test('a shard that has no connection to spare is alive, and is adopted when it has one', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { maxConnections: 1 })
  await start(bench.agent, spec)
  await bench.agent.close()
  const clients: Client[] = []
  t.after(() => {
    for (const client of clients) client[Symbol.dispose]()
  })
  while (clients.length < 40) clients.push(new Client(spec.listen.port))
  await eventually(async () => (await clients.at(-1)?.call('PING')) !== 'PONG')
  const agent = await bench.restart()
  assert.equal(agent.observed().get(1)?.state, 'starting')
  assert.equal(enginesBelow(bench.dataDir).length, 1)
  for (const client of clients) client[Symbol.dispose]()
  assert.equal((await seen(agent, 1, 'running')).specDigest, specDigest(spec))
})

test('a shard that hangs does not hold up the others', async (t) => {
  const bench = await makeBench(t)
  await Promise.all([start(bench.agent, await makeSpec(1)), start(bench.agent, await makeSpec(2))])
  const first = enginesBelow(bench.dataDir).find(({ pid }) => pid === bench.agent.observed().get(1)?.pid)
  assert.ok(first)
  await bench.agent.close()
  signalProcess(first, 'SIGSTOP')
  const agent = await bench.restart()
  assert.equal(agent.observed().get(1)?.state, 'starting')
  assert.equal(agent.observed().get(2)?.state, 'running')
  signalProcess(first, 'SIGCONT')
  await seen(agent, 1, 'running')
})

test('a lost record costs the settings, not the data', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { persistence: { kind: 'aof', fsync: 'always' } })
  await start(bench.agent, spec)
  await ask(spec.listen.port, 'SET', 'k', 'v')
  await writeFile(join(bench.dataDir, 'shards/1/spec.json'), '')
  const agent = await bench.restart()
  assert.equal(agent.observed().get(1)?.state, 'running')
  assert.equal(agent.observed().get(1)?.specDigest, null)
  await apply(agent, { kind: 'configure-shard', spec })
  assert.equal(agent.observed().get(1)?.specDigest, specDigest(spec))
  await writeFile(join(bench.dataDir, 'shards/1/spec.json'), '')
  await bench.restart()
  for (const engine of enginesBelow(bench.dataDir)) signalProcess(engine, 'SIGKILL')
  await seen(bench.agent, 1, 'exited')
  await start(bench.agent, spec)
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), 'v')
})

test('the control connection may be closed by the engine while it lives: it is made anew', async (t) => {
  const bench = await makeBench(t)
  await start(bench.agent, await makeSpec(1))
  const states: string[] = []
  bench.agent.onChange(({ state }) => states.push(state))
  await bench.agent.command(1, ['CLIENT', 'KILL', 'USER', 'holdfast'], 1000)
  await eventually(async () => (await bench.agent.info(1, 500)) !== null)
  assert.deepEqual(states, [])
})

test('the death of a shard is seen within milliseconds, by its parent and by who adopted it', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  const took: number[] = []
  for (let round = 0; round < 10; round++) {
    await start(bench.agent, spec)
    if (round % 2 === 1) await bench.restart()
    const [engine] = enginesBelow(bench.dataDir)
    assert.ok(engine)
    const died = performance.now()
    const noticed = new Promise<number>((resolve) => {
      bench.agent.onChange(({ state }) => state === 'exited' && resolve(performance.now() - died))
    })
    signalProcess(engine, 'SIGKILL')
    took.push(await noticed)
  }
  assert.ok((took.sort((a, b) => a - b)[5] ?? 0) < 50, took.map(Math.round).join())
})
