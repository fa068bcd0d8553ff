import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { findLeftovers, signalProcess } from '#engine/process.ts'
import { StepFailed } from '#plan/agent.ts'
import { specDigest } from '#plan/spec-digest.ts'
import type { Persistence } from '#plan/step.ts'
import {
  apply,
  ask,
  type Bench,
  configure,
  endEngines,
  enginesBelow,
  eventually,
  makeBench,
  makeSpec,
  seen,
  start,
  stop,
} from '../testing.ts'

/** A disk of our own that can be filled without hurting anybody; null where we may not mount one. */
async function smallDisk(t: TestContext): Promise<string | null> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', folder], { stdio: 'ignore' })
  } catch {
    await rm(folder, { recursive: true })
    t.diagnostic('not tried: mounting a small disk needs root')
    return null
  }
  t.after(async () => {
    await endEngines(folder)
    execFileSync('umount', ['--lazy', folder])
    await rm(folder, { recursive: true })
  })
  return folder
}

async function fill(disk: string): Promise<void> {
  const full = (async () => {
    for (let at = 0; ; at++) await writeFile(join(disk, `filler-${at}`), Buffer.alloc(64 * 1024))
  })()
  await assert.rejects(full, { code: 'ENOSPC' })
}

async function empty(disk: string): Promise<void> {
  for (const name of await readdir(disk)) if (name.startsWith('filler')) await rm(join(disk, name))
}

const isDiskTrouble = (error: unknown) => {
  assert.ok(error instanceof StepFailed, String(error))
  assert.equal(error.kind, 'disk', `${error.message} ${error.lastWords}`)
  return true
}

const persistences: readonly Persistence[] = [
  { kind: 'none' },
  { kind: 'snapshot', rules: [] },
  { kind: 'aof', fsync: 'everysec' },
]
for (const persistence of persistences) {
  test(`on a full disk a shard with ${persistence.kind} goes on, whatever step is tried, and recovers when there is room`, async (t) => {
    const disk = await smallDisk(t)
    if (!disk) return
    const bench = await makeBench(t, { dataDir: disk })
    const spec = await makeSpec(1, { persistence })
    await start(bench.agent, spec)
    const value = Array.from({ length: 6000 }, () => Math.random()).join('')
    assert.equal(await ask(spec.listen.port, 'SET', 'k', value), 'OK')
    await fill(disk)
    if (persistence.kind === 'aof')
      await eventually(async () => (await ask(spec.listen.port, 'SET', 'fill', value)) !== 'OK')
    await assert.rejects(stop(bench.agent, 1), isDiskTrouble)
    assert.equal(bench.agent.observed().get(1)?.state, 'running')
    await assert.rejects(configure(bench.agent, { ...spec, memoryLimitBytes: 60_000_000 }), isDiskTrouble)
    await assert.rejects(start(bench.agent, await makeSpec(2)), isDiskTrouble)
    assert.equal(await ask(spec.listen.port, 'GET', 'k'), value)
    await empty(disk)
    await configure(bench.agent, spec)
    assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(spec))
    if (persistence.kind === 'aof')
      await eventually(async () => (await ask(spec.listen.port, 'SET', 'probe', '1')) === 'OK')
    await apply(bench.agent, { kind: 'restart-shard', spec: { ...spec, memoryLimitBytes: 60_000_000 } })
    assert.equal(await ask(spec.listen.port, 'GET', 'k'), value)
  })
}

test('switching to aof where there is no room fails, and the shard persists as before', async (t) => {
  const disk = await smallDisk(t)
  if (!disk) return
  const bench = await makeBench(t, { dataDir: disk })
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  for (let at = 0; at < 60; at++) {
    await ask(spec.listen.port, 'SET', `k${at}`, Array.from({ length: 6000 }, () => Math.random()).join(''))
  }
  await assert.rejects(
    configure(bench.agent, { ...spec, persistence: { kind: 'aof', fsync: 'always' } }),
    isDiskTrouble,
  )
  assert.equal(await ask(spec.listen.port, 'DBSIZE'), '60')
  assert.deepEqual(await bench.agent.command(1, ['CONFIG', 'GET', 'appendonly'], 1000), ['appendonly', 'no'])
  await assert.rejects(configure(bench.agent, { ...spec, persistence: { kind: 'snapshot', rules: [] } }), isDiskTrouble)
  await configure(bench.agent, spec)
  assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(spec))
})

test('an engine that hangs is made to end, but never while something is to be saved', async (t) => {
  const bench = await makeBench(t)
  await start(bench.agent, await makeSpec(1, { persistence: { kind: 'aof', fsync: 'everysec' } }))
  const [engine] = enginesBelow(bench.dataDir)
  assert.ok(engine)
  signalProcess(engine, 'SIGSTOP')
  const patience = AbortSignal.timeout(300)
  await assert.rejects(bench.agent.apply({ kind: 'stop-shard', shardUid: 1, save: true }, { signal: patience }), {
    kind: 'timeout',
  })
  assert.equal(enginesBelow(bench.dataDir).length, 1)
  await stop(bench.agent, 1, false)
  assert.deepEqual(enginesBelow(bench.dataDir), [])
  assert.equal(bench.agent.observed().get(1)?.state, 'stopped')
})

/** A primary whose end has to wait for its replica: that one is sent every write, and then reads none of them. */
async function lagging(t: TestContext, bench: Bench) {
  const primary = await makeSpec(1, { role: { kind: 'primary', term: 1, isReplicated: true } })
  const of = { host: '127.0.0.1', port: primary.listen.port }
  const listen = { host: '127.0.0.1', port: 0 }
  const replica = await makeSpec(2, { databaseUid: 1, role: { kind: 'replica', term: 1, of }, listen })
  await start(bench.agent, primary)
  await start(bench.agent, replica)
  await eventually(() => bench.agent.observed().get(1)?.onlineReplicas === 1)
  const engineOf = (uid: number) => {
    const pid = bench.agent.observed().get(uid)?.pid
    const engine = enginesBelow(bench.dataDir).find((one) => one.pid === pid)
    assert.ok(engine)
    return engine
  }
  const [engine, follower] = [engineOf(1), engineOf(2)]
  signalProcess(follower, 'SIGSTOP')
  t.after(() => signalProcess(follower, 'SIGCONT'))
  assert.equal(await ask(primary.listen.port, 'SET', 'k', 'v'), 'OK')
  const log = join(bench.dataDir, 'shards', '1', 'redis.log')
  const waits = () => eventually(async () => /Waiting for replicas before/.test(await readFile(log, 'utf8')))
  return { primary, engine, follower, waits }
}

test('a primary that has to wait for its replica loses nothing by a restart', async (t) => {
  const bench = await makeBench(t, { hangsAfterMs: () => 60_000 })
  const { primary, follower, waits } = await lagging(t, bench)
  const spec = { ...primary, allowsResp3: false }
  const restarted = apply(bench.agent, { kind: 'restart-shard', spec })
  await Promise.race([waits(), restarted])
  signalProcess(follower, 'SIGCONT')
  await restarted
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), 'v')
})

test('an engine that ends before it has saved is not taken for one that was stopped', async (t) => {
  const bench = await makeBench(t, { hangsAfterMs: () => 60_000 })
  const { engine, waits } = await lagging(t, bench)
  const stopped = stop(bench.agent, 1)
  stopped.catch(() => undefined)
  await waits()
  signalProcess(engine, 'SIGKILL')
  await assert.rejects(stopped, /ended before it had saved/)
  assert.equal(bench.agent.observed().get(1)?.state, 'exited')
})

test('stopping and removing may be repeated, also for what is not there or hangs', async (t) => {
  const bench = await makeBench(t)
  await apply(bench.agent, { kind: 'remove-shard', shardUid: 7 })
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  await stop(bench.agent, 1)
  await stop(bench.agent, 1, false)
  await start(bench.agent, spec)
  const [engine] = enginesBelow(bench.dataDir)
  assert.ok(engine)
  signalProcess(engine, 'SIGSTOP')
  await apply(bench.agent, { kind: 'remove-shard', shardUid: 1 })
  await apply(bench.agent, { kind: 'remove-shard', shardUid: 1 })
  assert.deepEqual(await readdir(join(bench.dataDir, 'shards')), [])
})

test('a restart that cannot succeed leaves the shard running', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const restart = (changes: object) => apply(bench.agent, { kind: 'restart-shard', spec: { ...spec, ...changes } })
  await assert.rejects(restart({ engine: { name: 'redis', version: '1.2.3' } }), { kind: 'missing' })
  await assert.rejects(restart({ users: [{ name: 'a b', enabled: true, passwordHashes: null, rules: [] }] }), {
    kind: 'engine',
  })
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
  assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(spec))
})

test('a shard that ended unasked and is then stopped counts as stopped', async (t) => {
  const bench = await makeBench(t)
  await start(bench.agent, await makeSpec(1))
  const [engine] = enginesBelow(bench.dataDir)
  assert.ok(engine)
  signalProcess(engine, 'SIGKILL')
  assert.match((await seen(bench.agent, 1, 'exited')).lastWords ?? '', /SIGKILL/)
  await stop(bench.agent, 1)
  assert.equal(bench.agent.observed().get(1)?.state, 'stopped')
})

test('a child that still saves when its engine is killed neither hides the death nor outlives it', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { persistence: { kind: 'snapshot', rules: [] } })
  for (const adopted of [false, true]) {
    await start(bench.agent, spec)
    const agent = adopted ? await bench.restart() : bench.agent
    // Ten milliseconds for each key: the child would save for minutes.
    await agent.command(1, ['EVAL', "for i = 1, 20000 do redis.call('SET', i, i) end", '0'], 5000)
    await agent.command(1, ['CONFIG', 'SET', 'rdb-key-save-delay', '10000'], 1000)
    await agent.command(1, ['BGSAVE'], 1000)
    const [engine] = enginesBelow(bench.dataDir)
    assert.ok(engine)
    signalProcess(engine, 'SIGKILL')
    await seen(agent, 1, 'exited')
    await eventually(() => findLeftovers(engine.pid, join(bench.dataDir, 'shards', '1')).length === 0)
  }
  await apply(bench.agent, { kind: 'remove-shard', shardUid: 1 })
  assert.deepEqual(await readdir(join(bench.dataDir, 'shards')), [])
})
