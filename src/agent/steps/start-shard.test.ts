import assert from 'node:assert/strict'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { StepFailed } from '#plan/agent.ts'
import { specDigest } from '#plan/spec-digest.ts'
import {
  apply,
  ask,
  Client,
  enginesBelow,
  eventually,
  killProcess,
  makeBench,
  makeSpec,
  REDIS_PATH,
  redis,
  seen,
  sha256,
  start,
} from '../testing.ts'

const failsWith = (kind: StepFailed['kind'], words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof StepFailed, String(error))
  assert.equal(error.kind, kind)
  assert.match(`${error.message} ${error.lastWords}`, words)
  return true
}

test('started twice, or by two at a time, it is one process', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1)
  await Promise.all([start(bench.agent, spec), start(bench.agent, spec)])
  await start(bench.agent, spec)
  assert.equal(enginesBelow(bench.dataDir).length, 1)
})

test('a port that somebody else holds is said to be the reason, and the engine’s words are kept', async (t) => {
  const bench = await makeBench(t)
  const stranger = createServer()
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve))
  const address = stranger.address()
  assert.ok(address && typeof address === 'object')
  const spec = await makeSpec(1, { listen: { host: '127.0.0.1', port: address.port } })
  await assert.rejects(start(bench.agent, spec), failsWith('port', /Address already in use/))
  assert.equal(bench.agent.observed().get(1)?.state, 'exited')
  assert.match(bench.agent.observed().get(1)?.lastWords ?? '', /Address already in use/)
  await new Promise((resolve) => stranger.close(resolve))
  await start(bench.agent, spec)
  assert.equal(await ask(spec.listen.port, 'PING'), 'PONG')
})

test('an engine that is no engine, does not run, or is not installed fails clearly', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bad-'))
  t.after(() => rm(folder, { recursive: true }))
  const program = async (name: string, text: string, mode = 0o755) => {
    await writeFile(join(folder, name), text)
    await chmod(join(folder, name), mode)
    return {
      name: 'redis',
      version: `1.0.${name.length}`,
      path: join(folder, name),
      activeDefrag: false,
      tls: false,
    } as const
  }
  const bad = [
    {
      build: await program('a', '#!/bin/sh\necho cannot allocate a thing >&2; exit 3\n'),
      kind: 'engine',
      words: /cannot allocate a thing/,
    },
    { build: await program('bb', '#!/bin/sh\nexit 0\n'), kind: 'engine', words: /ended with code 0/ },
    { build: await program('ccc', 'x', 0o644), kind: 'engine', words: /EACCES/ },
    {
      build: { name: 'redis', version: '9.9.9', path: join(folder, 'none'), activeDefrag: false, tls: false },
      kind: 'engine',
      words: /ENOENT/,
    },
  ] as const
  const bench = await makeBench(t, { engines: bad.map(({ build }) => build) })
  for (const [at, { build, kind, words }] of bad.entries()) {
    const spec = await makeSpec(at + 1, { engine: build })
    await assert.rejects(start(bench.agent, spec), failsWith(kind, words))
    assert.equal(bench.agent.observed().get(at + 1)?.state, 'exited')
  }
  await assert.rejects(start(bench.agent, await makeSpec(9)), failsWith('missing', /is not installed/))
})

test('a configuration that the engine refuses fails with what it says', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { evictionPolicy: 'no such thing' })
  await assert.rejects(start(bench.agent, spec), failsWith('engine', /FATAL CONFIG FILE ERROR.*maxmemory-policy/))
  const users = [{ name: 'app', enabled: true, passwordHashes: null, rules: ['+nosuchcommand'] }]
  await assert.rejects(start(bench.agent, await makeSpec(2, { users })), failsWith('engine', /nosuchcommand|ACL/i))
  const injected = [{ name: 'app\nuser evil on nopass ~* +@all', enabled: true, passwordHashes: null, rules: [] }]
  await assert.rejects(start(bench.agent, await makeSpec(3, { users: injected })), failsWith('engine', /not a name/))
  assert.deepEqual(enginesBelow(bench.dataDir), [])
})

test('a folder that cannot be written fails as a matter of the disk', async (t) => {
  const bench = await makeBench(t)
  await mkdir(join(bench.dataDir, 'shards'), { recursive: true })
  await symlink('/proc/1/nothing', join(bench.dataDir, 'shards/1'))
  await assert.rejects(
    start(bench.agent, await makeSpec(1)),
    (error) => error instanceof StepFailed || error instanceof Error,
  )
  assert.deepEqual(enginesBelow(bench.dataDir), [])
})

test('accounts are as the spec says, passwords are nowhere in the clear', async (t) => {
  const bench = await makeBench(t)
  const password = 'sécret "with\nquotes\' and #'
  const spec = await makeSpec(1, {
    users: [
      {
        name: 'default',
        enabled: true,
        passwordHashes: [sha256(password)],
        rules: ['~*', '&*', '+@all', '-config|set'],
      },
      { name: 'reader', enabled: true, passwordHashes: [sha256('r')], rules: ['~*', '+@read', '+auth'] },
    ],
  })
  await start(bench.agent, spec)
  using client = new Client(spec.listen.port)
  assert.match((await client.call('GET', 'k')) ?? '', /NOAUTH/)
  assert.equal(await client.call('AUTH', password), 'OK')
  assert.equal(await client.call('SET', 'k', 'v'), 'OK')
  assert.match((await client.call('CONFIG', 'SET', 'maxmemory', '1')) ?? '', /NOPERM/)
  assert.equal(await client.call('AUTH', 'reader', 'r'), 'OK')
  assert.match((await client.call('SET', 'k', 'v')) ?? '', /NOPERM/)
  for (const name of await readdir(join(bench.dataDir, 'shards/1'))) {
    const text = await readFile(join(bench.dataDir, 'shards/1', name), 'utf8').catch(() => '')
    assert.ok(!text.includes(password) && !text.includes('quotes'), name)
  }
})

test('a spec without the default account does not leave it open', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { users: [] })
  await start(bench.agent, spec)
  assert.match((await ask(spec.listen.port, 'PING')) ?? '', /NOAUTH/)
  const hijack = [{ name: 'holdfast', enabled: true, passwordHashes: null, rules: [] }]
  await assert.rejects(start(bench.agent, await makeSpec(2, { users: hijack })), /control plane's own/)
})

test('while it reads its data it is loading, and the end of that is seen', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, {
    persistence: { kind: 'snapshot', rules: [] },
    users: [{ name: 'default', enabled: true, passwordHashes: null, rules: ['~*', '&*', '+@all'] }],
  })
  await start(bench.agent, spec)
  await ask(spec.listen.port, 'EVAL', "for i = 1, 400000 do redis.call('SET', 'key:' .. i, 'value' .. i) end", 0)
  await ask(spec.listen.port, 'SAVE')
  await killProcess(bench.agent, 1, bench)
  await seen(bench.agent, 1, 'exited')
  const states: string[] = []
  bench.agent.onChange((shard) => states.push(`${shard.state} ${shard.loadingPercent}`))
  await start(bench.agent, spec)
  assert.equal(bench.agent.observed().get(1)?.specDigest, specDigest(spec))
  await seen(bench.agent, 1, 'running')
  assert.ok(
    states.some((state) => /^loading \d+$/.test(state)),
    states.join(),
  )
  assert.equal(await ask(spec.listen.port, 'DBSIZE'), '400000')
})

test('a data folder with hostile characters and a very long name works like any other', async (t) => {
  const parent = await mkdtemp(join(tmpdir(), 'holdfast-hostile-'))
  const dataDir = join(parent, `it's "q" \\ #é `, 'long-'.repeat(30))
  await mkdir(dataDir, { recursive: true })
  t.after(() => rm(parent, { recursive: true, force: true }))
  const bench = await makeBench(t, { dataDir })
  const spec = await makeSpec(1, { persistence: { kind: 'aof', fsync: 'always' } })
  await start(bench.agent, spec)
  await ask(spec.listen.port, 'SET', 'k', 'v')
  const agent = await bench.restart()
  assert.equal(agent.observed().get(1)?.state, 'running')
  await killProcess(agent, 1, bench)
  await start(agent, spec)
  assert.equal(await ask(spec.listen.port, 'GET', 'k'), 'v')
})

test('fifty at a time leave no process and no folder behind', async (t) => {
  const bench = await makeBench(t)
  const specs = await Promise.all(Array.from({ length: 50 }, (_, at) => makeSpec(at + 1)))
  await Promise.all(specs.map((spec) => start(bench.agent, spec)))
  assert.equal(enginesBelow(bench.dataDir).length, 50)
  assert.deepEqual(
    await Promise.all(specs.map(({ listen }) => ask(listen.port, 'PING'))),
    specs.map(() => 'PONG'),
  )
  await Promise.all(specs.map(({ uid }) => apply(bench.agent, { kind: 'remove-shard', shardUid: uid })))
  assert.deepEqual(enginesBelow(bench.dataDir), [])
  assert.deepEqual(await readdir(join(bench.dataDir, 'shards')), [])
  assert.equal(bench.agent.observed().size, 0)
})

test('an engine that hangs does not keep the others from starting, and giving up says so', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-hang-'))
  t.after(() => rm(folder, { recursive: true }))
  await writeFile(join(folder, 'hang'), '#!/bin/sh\nexec tail -f /dev/null "$1"\n')
  await chmod(join(folder, 'hang'), 0o755)
  const hang = {
    name: 'valkey',
    version: '1.0.0',
    path: join(folder, 'hang'),
    activeDefrag: false,
    tls: false,
  } as const
  const bench = await makeBench(t, { engines: [redis, hang] })
  const giveUp = new AbortController()
  const stuck = Array.from({ length: 8 }, async (_, at) => {
    const spec = await makeSpec(at + 10, { engine: hang })
    await bench.agent.apply({ kind: 'start-shard', spec }, { signal: giveUp.signal })
  })
  const ends = Promise.allSettled(stuck)
  await eventually(() => enginesBelow(bench.dataDir).length === 8)
  await start(bench.agent, await makeSpec(1))
  giveUp.abort()
  for (const end of await ends) assert.ok(end.status === 'rejected' && end.reason.kind === 'aborted')
  assert.equal(bench.agent.observed().get(10)?.state, 'starting')
  await Promise.all(stuck.map((_, at) => apply(bench.agent, { kind: 'remove-shard', shardUid: at + 10 })))
  assert.equal(enginesBelow(bench.dataDir).length, 1)
  assert.equal(REDIS_PATH, redis.path)
})

test('an append-only file that is corrupt keeps it from starting, with the engine’s words', async (t) => {
  const bench = await makeBench(t)
  const spec = await makeSpec(1, { persistence: { kind: 'aof', fsync: 'always' } })
  await start(bench.agent, spec)
  for (let at = 0; at < 20; at++) await ask(spec.listen.port, 'SET', `k${at}`, 'v'.repeat(20))
  await killProcess(bench.agent, 1, bench)
  await seen(bench.agent, 1, 'exited')
  const folder = join(bench.dataDir, 'shards/1/appendonlydir')
  const name = (await readdir(folder)).find((file) => file.endsWith('.incr.aof'))
  const path = join(folder, name ?? '')
  const bytes = await readFile(path)
  await writeFile(path, bytes.fill('x', 200, 220))
  await assert.rejects(start(bench.agent, spec), failsWith('engine', /Bad file format reading the append only file/))
  assert.match(bench.agent.observed().get(1)?.lastWords ?? '', /Bad file format/)
  const corrupt = await bench.agent.dataFile(1)
  assert.ok(corrupt?.name === 'appendonlydir' && corrupt.bytes >= bytes.length)

  await apply(bench.agent, { kind: 'start-shard', spec: { ...spec, flushes: 3 }, discardsData: true })
  assert.equal((await seen(bench.agent, 1, 'running')).flushes, 3, 'it remembers that its data was given up')
  assert.equal(await ask(spec.listen.port, 'DBSIZE'), '0')
  await ask(spec.listen.port, 'SET', 'new', '1')
  await killProcess(bench.agent, 1, bench)
  await seen(bench.agent, 1, 'exited')
  await start(bench.agent, { ...spec, flushes: 3 })
  assert.equal(await ask(spec.listen.port, 'GET', 'new'), '1')
})
