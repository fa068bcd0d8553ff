/**
 * The life of databases through the API, on real processes: created, changed without a restart, deleted, many at once.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import type { Instance } from './support/instance.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

onEachStore('databases', (it) => {
  test('a create answers with the whole object, pending, and its endpoint', async () => {
    const { status, json, headers } = await it().api.post('/v1/bdbs', { name: 'first', memory_size: 5_000_000 })
    assert.equal(status, 200)
    assert.equal(json.status, 'pending')
    assert.equal(json.port, 0)
    const [endpoint] = json.endpoints
    assert.equal(endpoint.uid, `${json.uid}:1`)
    assert.equal(endpoint.addr_type, 'external')
    assert.deepEqual(endpoint.addr, ['127.0.0.1'])
    assert.equal(endpoint.dns_name, `redis-${endpoint.port}.cluster.local`)
    assert.ok(json.action_uid)
    assert.match(String(headers.etag), /^"\d+-1"$/)
    await it().active(json.uid)
    const action = await it().api.get(`/v1/actions/${json.action_uid}`)
    assert.equal(action.json.status, 'completed')
    assert.equal(action.json.progress, '100')
    const { json: settled } = await it().api.get(`/v1/bdbs/${json.uid}`)
    assert.deepEqual(settled.background_op, [{ status: 'idle' }])
    assert.equal(settled.action_uid, '')
  })

  test('every change that an engine can take reaches the running process without a restart', async () => {
    const { uid, endpoints } = await it().create({ name: 'changing', memory_size: 50_000_000 })
    const pid = (await it().engines()).at(-1)?.pid
    assert.ok(pid)
    const config = (name: string) => configOf(it(), uid, name)
    const changes: [Record<string, unknown>, string, string][] = [
      [{ memory_size: 60_000_000 }, 'maxmemory', '60000000'],
      [{ eviction_policy: 'allkeys-lru' }, 'maxmemory-policy', 'allkeys-lru'],
      [{ data_persistence: 'snapshot', snapshot_policy: [{ secs: 60, writes: 5 }] }, 'save', '60 5'],
      [{ data_persistence: 'aof', aof_policy: 'appendfsync-always' }, 'appendfsync', 'always'],
      [{ aof_policy: 'appendfsync-every-sec' }, 'appendfsync', 'everysec'],
      [{ data_persistence: 'disabled' }, 'appendonly', 'no'],
      [{ repl_backlog_size: '2097152' }, 'repl-backlog-size', '2097152'],
      [{ tracking_table_max_keys: 1234 }, 'tracking-table-max-keys', '1234'],
    ]
    for (const [change, name, wanted] of changes) {
      const { status, json, text } = await it().api.put(`/v1/bdbs/${uid}`, change)
      assert.equal(status, 200, text)
      for (const [field, value] of Object.entries(change)) assert.deepEqual(json[field], value)
      await it().active(uid)
      assert.equal(await config(name), wanted)
    }
    assert.ok(
      (await it().engines()).some((engine) => engine.pid === pid),
      'the process is still the same',
    )
    const port = it().ports.databases.high
    assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { port })).status, 200)
    await it().active(uid)
    const client = new Redis({ port, host: '127.0.0.1' })
    assert.equal(await client.ping(), 'PONG')
    await client.quit()
    const old = new Redis({ port: endpoints[0].port, host: '127.0.0.1', retryStrategy: null, lazyConnect: true })
    old.on('error', () => undefined)
    await assert.rejects(old.connect())
  })

  test('what was read can be sent back whole, and changes nothing', async () => {
    const database = await it().create({
      name: 'round-trip',
      data_persistence: 'snapshot',
      tags: [{ key: 'team', value: 'a' }],
    })
    assert.deepEqual(database.snapshot_policy, [{ secs: 3600, writes: 1 }])
    const { status, json, text } = await it().api.put(`/v1/bdbs/${database.uid}`, database)
    assert.equal(status, 200, text)
    assert.deepEqual({ ...json, last_changed_time: '' }, { ...database, last_changed_time: '' })
  })

  test('limits, disabled commands, the default user and RESP3 take effect', async () => {
    const { uid, endpoints } = await it().create({
      name: 'limits',
      max_connections: 2,
      disabled_commands: 'FLUSHALL, config|get',
      resp3: false,
    })
    const port = endpoints[0].port
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: null })
    await assert.rejects(client.flushall(), /NOPERM/)
    await assert.rejects(client.call('CONFIG', 'GET', 'port'), /NOPERM/)
    await assert.rejects(client.call('HELLO', '3'), /unknown command/)
    await client.quit()
    assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { default_user: false })).status, 200)
    await it().active(uid)
    const refused = new Redis({ port, host: '127.0.0.1', retryStrategy: null })
    refused.on('error', () => undefined)
    await assert.rejects(refused.ping(), /NOAUTH|NOPERM|disabled/)
    refused.disconnect()
  })

  test('a flush removes every key and nothing else; the administrative password can be made anew', async () => {
    const { uid, endpoints, authentication_admin_pass: before } = await it().create({ name: 'flushed' })
    const client = new Redis({ port: endpoints[0].port, host: '127.0.0.1' })
    await client.set('k', 'v')
    assert.equal((await it().api.put(`/v1/bdbs/${uid}/flush`, {})).status, 200)
    await until('the keys to be gone', async () => (await client.dbsize()) === 0)
    await it().active(uid)
    const { json } = await it().api.put(`/v1/bdbs/${uid}/reset_admin_pass`)
    await it().active(uid)
    assert.notEqual(json.authentication_admin_pass, before)
    assert.equal(await client.call('AUTH', 'admin', json.authentication_admin_pass), 'OK')
    await client.quit()
    assert.equal((await it().api.put(`/v1/bdbs/${uid}/explode`)).json.error_code, 'unknown_action')
  })

  test('a command can be run, and what belongs to the control plane cannot', async () => {
    const { uid } = await it().create({ name: 'commands' })
    const command = async (body: unknown) => (await it().api.post(`/v1/bdbs/${uid}/command`, body)).json
    assert.deepEqual(await command({ command: 'PING' }), { response: true })
    assert.deepEqual(await command({ command: 'SET', args: ['k', 'v'] }), { response: true })
    assert.deepEqual(await command({ command: 'GET', args: ['k'] }), { response: 'v' })
    assert.deepEqual(await command({ command: 'GET', args: ['none'] }), { response: null })
    assert.deepEqual(await command({ command: 'DBSIZE' }), { response: 1 })
    assert.equal((await command({ command: 'SHUTDOWN' })).error_code, 'command_failed')
    assert.equal((await command({ command: 'CONFIG SET', args: ['maxmemory', '0'] })).error_code, 'command_failed')
    assert.match((await command({ command: 'LPUSH', args: ['k', 'v'] })).description, /WRONGTYPE/)
  })

  test('which proxies serve it is as the policy says for new databases; how they reach shards cannot be chosen', async () => {
    const policyOf = async (body: object) => (await it().create({ memory_size: 10_000_000, ...body })).proxy_policy
    assert.equal(await policyOf({ name: 'policy-1' }), 'single')
    assert.equal(await policyOf({ name: 'policy-2', sharding: true }), 'all-master-shards')
    const changed = { default_non_sharded_proxy_policy: 'all-nodes', default_sharded_proxy_policy: 'single' }
    assert.equal((await it().api.put('/v1/cluster/policy', changed)).status, 200)
    const { json: cluster } = await it().api.get('/v1/cluster')
    assert.equal(cluster.default_sharded_proxy_policy, 'single')
    assert.equal(await policyOf({ name: 'policy-3' }), 'all-nodes')
    assert.equal(await policyOf({ name: 'policy-4', sharding: true }), 'single')
    assert.equal(await policyOf({ name: 'policy-5', sharding: true, proxy_policy: 'all-nodes' }), 'all-nodes')
    const usual = {
      ...{ conns: 5, conns_type: 'per-thread' },
      ...{ conns_global_maximum_dedicated: 0, conns_minimum_dedicated: 2 },
    }
    const { uid } = await it().create({ name: 'policy-6', memory_size: 10_000_000, ...usual })
    for (const [name, value] of Object.entries({ ...usual, conns_type: 'per-shard' })) {
      const { status, json } = await it().api.put(`/v1/bdbs/${uid}`, { [name]: Number(value) + 1 || value })
      assert.deepEqual([status, json.error_code, json.field], [406, 'unsupported_feature', name], json.description)
    }
  })

  test('two hundred databases at once are created, changed and deleted without a trace', async () => {
    const count = 200
    const engines = (await it().engines()).length
    const folders = (await it().folders()).length
    const uids = await Promise.all(
      Array.from({ length: count }, async (_, n) => {
        const { status, json, text } = await it().api.post('/v1/bdbs', { name: `many-${n}`, memory_size: 1_000_000 })
        assert.equal(status, 200, text)
        return Number(json.uid)
      }),
    )
    assert.equal(new Set(uids).size, count)
    await Promise.all(uids.map((uid) => it().active(uid)))
    const { json: all } = await it().api.get('/v1/bdbs')
    const ports = all.map((database: { endpoints: { port: number }[] }) => database.endpoints[0]?.port)
    assert.equal(new Set(ports).size, ports.length, 'no port is given twice')
    await Promise.all(
      uids.map(async (uid) => {
        assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { memory_size: 2_000_000 })).status, 200)
        await it().active(uid)
        assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
        await it().gone(uid)
      }),
    )
    assert.equal((await it().engines()).length, engines)
    assert.equal((await it().folders()).length, folders)
  })
})

async function configOf(instance: Instance, uid: number, name: string): Promise<string> {
  const { json } = await instance.api.post(`/v1/bdbs/${uid}/command`, { command: 'CONFIG GET', args: [name] })
  return json.response[1]
}
