/**
 * Faults that must cost nothing: the control plane killed at any moment, an engine killed, all of it gone at once, an
 * engine that will not start. On both stores.
 */
import assert from 'node:assert/strict'
import { writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { killNow, STORES, startInstance } from './support/instance.ts'
import { spoil } from './support/spoil.ts'
import { until } from './support/wait.ts'

for (const store of STORES) {
  test(`kill -9 of the control plane costs a database not one command (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const { endpoints } = await instance.create({ name: 'served' })
    const client = new Redis({ port: endpoints[0].port, host: '127.0.0.1', retryStrategy: null })
    t.after(() => client.disconnect())
    let isOver = false
    let commands = 0
    const load = (async () => {
      while (!isOver) {
        await client.incr('n')
        commands++
      }
    })()
    const pids = (await instance.engines()).map(({ pid }) => pid)
    for (let n = 0; n < 3; n++) {
      await instance.kill()
      await instance.start()
    }
    isOver = true
    await load
    assert.equal(Number(await client.get('n')), commands)
    assert.deepEqual(
      (await instance.engines()).map(({ pid }) => pid),
      pids,
    )
    assert.equal((await instance.api.get('/v1/bdbs/1')).json.status, 'active')
  })

  test(`an engine that is killed comes back with every write that it acknowledged (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const { uid, endpoints } = await instance.create({
      name: 'always',
      data_persistence: 'aof',
      aof_policy: 'appendfsync-always',
    })
    const { port } = endpoints[0]
    let acknowledged = 0
    for (let round = 0; round < 5; round++) {
      const client = new Redis({ port, host: '127.0.0.1', retryStrategy: null, maxRetriesPerRequest: 0 })
      client.on('error', () => undefined)
      const writes = (async () => {
        for (;;) {
          await client.set('n', acknowledged + 1)
          acknowledged++
        }
      })().catch(() => undefined)
      const target = acknowledged + 20
      await until('some writes', () => acknowledged >= target)
      const [engine] = await instance.engines()
      assert.ok(engine)
      killNow(engine.pid)
      await writes
      client.disconnect()
      const kept = await until('the database to answer again', () => readNumber(port))
      assert.ok(kept >= acknowledged, `acknowledged ${acknowledged}, kept ${kept}`)
      acknowledged = kept
    }
    await instance.active(uid)
  })

  test(`after a power cut everything comes back by itself (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const kept = await instance.create({ name: 'kept', data_persistence: 'aof', aof_policy: 'appendfsync-always' })
    const lost = await instance.create({ name: 'lost' })
    for (const { endpoints } of [kept, lost]) await once(endpoints[0].port, (client) => client.set('n', '1'))
    await instance.kill()
    for (const { pid } of await instance.engines()) killNow(pid)
    await instance.start()
    await Promise.all([kept, lost].map(({ uid }) => instance.active(uid)))
    await until('all processes', async () => (await instance.engines()).length === 2)
    assert.equal(await until('the kept value', () => readNumber(kept.endpoints[0].port)), 1)
    assert.equal(await once(lost.endpoints[0].port, (client) => client.dbsize()), 0)
  })

  test(`npm stop loses nothing, not even without persistence (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const kinds = ['disabled', 'snapshot', 'aof']
    const databases = await Promise.all(kinds.map((kind) => instance.create({ name: kind, data_persistence: kind })))
    for (const { endpoints } of databases) await once(endpoints[0].port, (client) => client.set('n', '1'))
    const { code, output } = await instance.run('stop')
    assert.equal(code, 0, output)
    assert.deepEqual(await instance.engines(), [])
    await instance.start()
    for (const { uid, endpoints } of databases) {
      await instance.active(uid)
      assert.equal(await until('the value', () => readNumber(endpoints[0].port)), 1)
    }
    const again = await instance.run('stop')
    assert.equal(again.code, 0, again.output)
    assert.equal((await instance.run('stop')).code, 0)
  })

  test(`an engine that will not start fails its action with its own words, and nothing else suffers (${store})`, async (t) => {
    const folder = await fakeEngine(t)
    const instance = await startInstance(t, { store, args: ['--engine', `redis=${folder}`] })
    const healthy = await instance.create({ name: 'healthy', redis_version: '7.0' })
    const { json } = await instance.api.post('/v1/bdbs', {
      name: 'broken',
      memory_size: 1_000_000,
      redis_version: '9.9',
    })
    await until('the creation to fail', async () => {
      return (await instance.api.get(`/v1/bdbs/${json.uid}`)).json.status === 'creation-failed'
    })
    const action = await until('the action to end', async () => {
      const { json: seen } = await instance.api.get(`/v2/actions/${json.action_uid}`)
      return seen.status === 'failed' && seen
    })
    assert.match(action.additional_info.error, /cannot bend spoons/)
    assert.equal(await once(healthy.endpoints[0].port, (client) => client.ping()), 'PONG')
    assert.equal((await instance.engines()).length, 1)
    assert.equal((await instance.api.put(`/v1/bdbs/${json.uid}`, { name: 'x' })).json.error_code, 'db_not_active')
    assert.equal((await instance.api.delete(`/v1/bdbs/${json.uid}`)).status, 200)
    await instance.gone(json.uid)
  })

  test(`a corrupt file keeps its own database down, visibly, until it is deleted (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const bad = await instance.create({ name: 'bad', data_persistence: 'aof', aof_policy: 'appendfsync-always' })
    const good = await instance.create({ name: 'good' })
    await once(bad.endpoints[0].port, (client) => client.set('k', 'v'))
    await spoil(instance, bad)
    const actions = await instance.api.get(`/v1/actions/bdb/${bad.uid}`)
    assert.ok(actions.json.some((action: { name: string; state: string }) => action.name === 'SMRecoverBDB'))
    assert.equal((await instance.api.get(`/v1/bdbs/${bad.uid}/availability`)).status, 503)
    assert.equal(await once(good.endpoints[0].port, (client) => client.ping()), 'PONG')
    assert.equal((await instance.api.delete(`/v1/bdbs/${bad.uid}`)).status, 200)
    await instance.gone(bad.uid)
  })
}

test('a port that somebody else holds is never given to a database', async (t) => {
  const instance = await startInstance(t)
  const { low, high } = instance.ports.databases
  const foreign = createServer()
  await new Promise<void>((resolve) => foreign.listen(low, '127.0.0.1', resolve))
  t.after(() => foreign.close())
  const { endpoints } = await instance.create({ name: 'elsewhere' })
  assert.notEqual(endpoints[0].port, low)
  const refused = await instance.api.post('/v1/bdbs', { name: 'there', memory_size: 1_000_000, port: low })
  assert.deepEqual([refused.status, refused.json.error_code, refused.json.field], [406, 'port_unavailable', 'port'])
  assert.equal((await instance.create({ name: 'chosen', port: high })).port, high)
  const taken = await instance.api.post('/v1/bdbs', { name: 'again', memory_size: 1_000_000, port: high })
  assert.equal(taken.json.error_code, 'port_unavailable')
})

test('an action that is under way can be cancelled, and is undone', async (t) => {
  const slow = await slowEngine(t)
  const instance = await startInstance(t, { args: ['--engine', `redis=${slow}`] })
  const { json } = await instance.api.post('/v1/bdbs', { name: 'slow', memory_size: 1_000_000, redis_version: '9.8' })
  assert.equal((await instance.api.put(`/v1/bdbs/${json.uid}`, { name: 'x' })).json.error_code, 'busy')
  const cancelled = await instance.api.delete(`/v1/actions/${json.action_uid}`)
  assert.equal(cancelled.status, 200, cancelled.text)
  await instance.gone(json.uid)
  await until(
    'nothing to be left',
    async () => (await instance.engines()).length === 0 && (await instance.folders()).length === 0,
  )
  const { json: action } = await instance.api.get(`/v2/actions/${json.action_uid}`)
  assert.equal(action.additional_info.error, 'cancelled')
  assert.equal((await instance.api.delete(`/v1/actions/${json.action_uid}`)).json.error_code, 'action_not_cancellable')
})

/** A program that says that it is Redis 9.9 and then does not start. */
async function fakeEngine(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  return script(t, '9.9.0', 'echo "9:C 01 Jan 2026 00:00:00.000 # Fatal: cannot bend spoons"\nexit 1')
}

/** One that says that it is Redis 9.8 and never answers. */
async function slowEngine(t: { after(fn: () => Promise<void>): void }): Promise<string> {
  return script(t, '9.8.0', 'exec -a "$0 $*" sleep 60')
}

async function script(t: { after(fn: () => Promise<void>): void }, version: string, rest: string): Promise<string> {
  const { mkdtemp, rm, chmod } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-engine-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'redis-server')
  const says = `Redis server v=${version} sha=00000000:0 malloc=libc bits=64 build=0`
  await writeFile(
    path,
    `#!/bin/bash\nfor arg in "$@"; do case "$arg" in --version|-v) echo "${says}"; exit 0;; esac; done\n${rest}\n`,
  )
  await chmod(path, 0o755)
  return path
}

async function once<T>(port: number, use: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: null, maxRetriesPerRequest: 0 })
  client.on('error', () => undefined)
  try {
    return await use(client)
  } finally {
    client.disconnect()
  }
}

async function readNumber(port: number): Promise<number | undefined> {
  const text = await once(port, (client) => client.get('n'))
  return text === null ? undefined : Number(text)
}
