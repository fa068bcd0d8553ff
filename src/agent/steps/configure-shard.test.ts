import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { StepFailed } from '#plan/agent.ts'
import { specDigest } from '#plan/spec-digest.ts'
import type { ShardSpec } from '#plan/step.ts'
import { freePort } from '../../../test/support/ports.ts'
import { apply, ask, Client, configure, makeBench, makeSpec, sha256, start } from '../testing.ts'

const user = (name: string, passwords: string[], rules = ['~*', '&*', '+@all']) => ({
  name,
  enabled: true,
  passwordHashes: passwords.map(sha256),
  rules,
})

test('every setting is changed in the running process, and back', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const pid = bench.agent.observed().get(1)?.pid
  const changed: ShardSpec = {
    ...spec,
    listen: { host: '127.0.0.1', port: await freePort() },
    memoryLimitBytes: 50_000_000,
    evictionPolicy: 'allkeys-lru',
    maxConnections: 100,
    activeDefrag: {
      ...spec.activeDefrag,
      cycleMaxPercent: 40,
      cycleMinPercent: 2,
      ignoreBytes: '200mb',
      maxScanFields: 500,
      thresholdLowerPercent: 11,
      thresholdUpperPercent: 90,
    },
    replicationBacklogBytes: 2_000_000,
    replicaOutputBuffer: { hardBytes: 1_000_000, softBytes: 500_000, softSeconds: 30 },
    trackingTableMaxKeys: 77,
    users: [...spec.users, user('app', ['pw'])],
  }
  const get = async (name: string) => (await bench.agent.command(1, ['CONFIG', 'GET', name], 1000)) as string[]
  for (const [wanted, expected] of [
    [
      changed,
      {
        maxmemory: '50000000',
        'maxmemory-policy': 'allkeys-lru',
        maxclients: '102',
        'active-defrag-cycle-max': '40',
        'active-defrag-cycle-min': '2',
        'active-defrag-ignore-bytes': '209715200',
        'active-defrag-max-scan-fields': '500',
        'active-defrag-threshold-lower': '11',
        'active-defrag-threshold-upper': '90',
        'repl-backlog-size': '2000000',
        'tracking-table-max-keys': '77',
      },
    ],
    [
      spec,
      {
        maxmemory: '0',
        'maxmemory-policy': 'noeviction',
        maxclients: '1002',
        'active-defrag-cycle-max': '25',
        'repl-backlog-size': '1048576',
        'tracking-table-max-keys': '0',
      },
    ],
  ] as const) {
    await configure(bench.agent, wanted)
    for (const [name, value] of Object.entries(expected)) assert.equal((await get(name))[1], value, name)
    assert.match(
      (await get('client-output-buffer-limit'))[1] ?? '',
      wanted === changed ? /slave 1000000 500000 30/ : /slave 268435456 67108864 60/,
    )
    assert.equal(await ask(wanted.listen.port, 'PING'), 'PONG')
    assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(wanted))
  }
  assert.equal(await ask(changed.listen.port, 'PING'), 'closed')
  assert.equal(bench.agent.observed().get(1)?.pid, pid)
})

test('a step that was cut off anywhere, or that ran back and forth, ends as the last one says', async (t) => {
  const bench = await makeBench(t)
  const one = await makeSpec(1, { users: [user('default', ['one']), user('app', ['a'])] })
  const two: ShardSpec = {
    ...one,
    memoryLimitBytes: 77_000_000,
    persistence: { kind: 'aof', fsync: 'always' },
    users: [user('default', ['two']), user('other', ['b'])],
  }
  await start(bench.agent, one)
  for (let cutAfterMs = 0; cutAfterMs < 40; cutAfterMs += 2) {
    const [wanted, password, other] = cutAfterMs % 4 === 0 ? [two, 'two', 'one'] : [one, 'one', 'two']
    await bench.agent
      .apply({ kind: 'configure-shard', spec: wanted }, { signal: AbortSignal.timeout(cutAfterMs) })
      .catch(() => {})
    const agent = cutAfterMs % 3 === 0 ? await bench.restart() : bench.agent
    const final = cutAfterMs % 5 === 0 ? wanted : wanted === one ? two : one
    await configure(agent, final)
    assert.equal(agent.observed().get(1)?.specDigest, specDigest(final))
    const [right, wrong] = final === wanted ? [password, other] : [other, password]
    assert.equal(await ask(final.listen.port, 'AUTH', right), 'OK')
    assert.match((await ask(final.listen.port, 'AUTH', wrong)) ?? '', /WRONGPASS/)
    const reported = await agent.command(1, ['CONFIG', 'GET', 'maxmemory'], 1000)
    assert.deepEqual(reported, ['maxmemory', String(final.memoryLimitBytes)])
    const users = await agent.command(1, ['ACL', 'USERS'], 1000)
    assert.deepEqual(users, ['default', 'holdfast', 'holdfast-replica', final === one ? 'app' : 'other'].sort())
  }
})

test('who loses a password is disconnected if that is wanted, and nobody else is', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { users: [user('default', ['old', 'keep']), user('app', ['a'])] })
  await start(bench.agent, spec)
  using loser = new Client(spec.listen.port)
  using bystander = new Client(spec.listen.port)
  assert.equal(await loser.call('AUTH', 'old'), 'OK')
  assert.equal(await bystander.call('AUTH', 'app', 'a'), 'OK')
  const rotated: ShardSpec = { ...spec, users: [user('default', ['new', 'keep']), user('app', ['a'])] }
  await configure(bench.agent, rotated)
  assert.equal(await loser.call('PING'), 'PONG')
  await configure(bench.agent, {
    ...rotated,
    disconnectOnPasswordRemoval: true,
    users: [user('default', ['new']), user('app', ['a'])],
  })
  assert.equal(await loser.call('PING'), 'closed')
  assert.equal(await bystander.call('PING'), 'PONG')
})

test('the default account can be shut and opened again', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const shut: ShardSpec = { ...spec, users: spec.users.map((account) => ({ ...account, enabled: false })) }
  await configure(bench.agent, shut)
  assert.match((await ask(spec.listen.port, 'PING')) ?? '', /NOAUTH/)
  await configure(bench.agent, spec)
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
})

test('what the engine refuses fails with its words and leaves the spec unapplied', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await start(bench.agent, spec)
  const refused = async (changes: Partial<ShardSpec>, kind: StepFailed['kind'], words: RegExp) => {
    await assert.rejects(configure(bench.agent, { ...spec, ...changes }), (error) => {
      assert.ok(error instanceof StepFailed)
      assert.equal(error.kind, kind)
      assert.match(`${error.message} ${error.lastWords}`, words)
      return true
    })
    assert.equal(bench.agent.observed().get(1)?.specDigest, null)
    await configure(bench.agent, spec)
    assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(spec))
  }
  const stranger = createServer()
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  const address = stranger.address()
  assert.ok(address && typeof address === 'object')
  await refused({ listen: { host: '127.0.0.1', port: address.port } }, 'port', /Unable to listen/)
  await new Promise((resolve) => stranger.close(resolve))
  await refused({ evictionPolicy: 'nonsense' }, 'engine', /argument\(s\) must be one of/)
  await refused({ users: [...spec.users, user('app', ['x'], ['+nosuchcommand'])] }, 'engine', /nosuchcommand/)
  await assert.rejects(
    configure(bench.agent, { ...spec, engine: { name: 'redis', version: '8.0.0' } }),
    /must be restarted/,
  )
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
})

test('more connections than the machine can give are as many as it can', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { maxConnections: 10_000_000 })
  await start(bench.agent, spec)
  await configure(bench.agent, { ...spec, maxConnections: 20_000_000 })
  const [, allowed] = (await bench.agent.command(1, ['CONFIG', 'GET', 'maxclients'], 1000)) as string[]
  assert.ok(Number(allowed) > 100)
  assert.equal(bench.agent.observed().get(1)?.state, 'running')
})

test('a flush happens once for each time it was asked for', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { flushes: 3 })
  await start(bench.agent, spec)
  await ask(spec.listen.port, 'SET', 'k', 'v')
  await apply(bench.agent, { kind: 'flush-shard', spec })
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), 'v')
  const flushed = { ...spec, flushes: 4 }
  await apply(bench.agent, { kind: 'flush-shard', spec: flushed })
  assert.equal(await ask(spec.listen.port, 'DBSIZE'), '0')
  assert.equal(bench.agent.observed().get(1)?.flushes, 4)
  await ask(spec.listen.port, 'SET', 'k', 'v')
  const agent = await bench.restart()
  await apply(agent, { kind: 'flush-shard', spec: flushed })
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), 'v')
})

test('a shard that is not there, or does not run, cannot be configured', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await assert.rejects(configure(bench.agent, spec), { name: 'StepFailed', kind: 'missing' })
  await start(bench.agent, spec)
  await apply(bench.agent, { kind: 'stop-shard', shardUid: 1, save: true })
  await assert.rejects(configure(bench.agent, spec), { name: 'StepFailed', kind: 'missing' })
  await assert.rejects(apply(bench.agent, { kind: 'flush-shard', spec }), { name: 'StepFailed', kind: 'missing' })
})
