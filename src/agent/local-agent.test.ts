import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { specDigest } from '#plan/spec-digest.ts'
import { apply, ask, configure, enginesBelow, killProcess, makeBench, makeSpec, seen, start, stop } from './testing.ts'

test('starts a shard, changes it while it runs, stops it, removes it', async (t) => {
  const bench = await makeBench(t)
  const { agent, dataDir } = bench
  const spec = await makeSpec(1)
  await start(agent, spec)
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
  const observed = agent.observed().get(1)
  assert.equal(observed?.state, 'running')
  assert.equal(observed.specDigest, specDigest(spec))
  assert.equal(observed.engineVersion, spec.engine.version)
  assert.equal(observed.role, 'primary')

  const bigger = { ...spec, memoryLimitBytes: 100_000_000, generation: 2 }
  await configure(agent, bigger)
  assert.equal(await ask(spec.listen.port, 'CONFIG', 'GET', 'maxmemory'), 'maxmemory 100000000')
  assert.equal(agent.observed().get(1)?.specDigest, specDigest(bigger))
  assert.match(await readFile(join(dataDir, 'shards/1/redis.conf'), 'utf8'), /^maxmemory 100000000$/m)

  await stop(agent, 1)
  assert.equal(agent.observed().get(1)?.state, 'stopped')
  assert.deepEqual(enginesBelow(dataDir), [])

  await apply(agent, { kind: 'remove-shard', shardUid: 1 })
  assert.equal(agent.observed().get(1), undefined)
  await assert.rejects(stat(join(dataDir, 'shards/1')))
})

test('adopts a shard that outlived its agent, and sees it die', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const before = bench.agent.observed().get(1)
  const agent = await bench.restart()
  assert.equal(agent.observed().get(1)?.state, 'running')
  assert.equal(agent.observed().get(1)?.pid, before?.pid)
  assert.equal(agent.observed().get(1)?.specDigest, specDigest(spec))
  await killProcess(agent, 1, bench)
  assert.match((await seen(agent, 1, 'exited')).lastWords ?? '', /without a word/)
  await start(agent, spec)
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
})
