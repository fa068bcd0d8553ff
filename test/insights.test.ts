/**
 * What goes on in a database: slow commands, large and busy keys, clients and commands, of one shard and of several.
 */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Redis } from 'ioredis'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const SLOW_SCRIPT =
  "local t = redis.call('TIME')\nlocal s = t[1] * 1000000 + t[2]\nrepeat t = redis.call('TIME') until t[1] * 1000000 + t[2] > s + 30000\nreturn 1"

withInstance('insights', {}, (it) => {
  const clients: Redis[] = []
  after(() => {
    for (const client of clients) client.disconnect()
  })
  const connect = (port: number, connectionName = 'shop') => {
    const client = new Redis({ port, host: '127.0.0.1', connectionName })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  const insight = async (uid: number, about: string) => {
    const reply = await it().api.get(`/v1/bdbs/${uid}/insights/${about}`)
    assert.equal(reply.status, 200, reply.text)
    return reply.json
  }

  test('a slow command is told with its arguments, how long it took, and whose it was', async () => {
    const { uid, endpoints } = await it().create({ name: 'slow', memory_size: 50_000_000 })
    await connect(endpoints[0].port).eval(SLOW_SCRIPT, 0, 'an-argument')
    const { commands, silent_shards } = await insight(uid, 'slow_log')
    const [slow] = commands
    assert.equal(slow.command, 'eval')
    assert.ok(slow.args.includes('an-argument'))
    assert.ok(slow.duration_usec >= 30_000)
    assert.equal(slow.client_name, 'shop')
    assert.deepEqual(silent_shards, [])
    assert.equal((await it().api.get(`/v1/bdbs/${uid}/insights/slow_log?count=0`)).json.field, 'count')
    assert.equal((await it().api.get('/v1/bdbs/999/insights/slow_log')).json.error_code, 'db_not_exist')
  })

  for (const layout of [{}, { sharding: true, shards_count: 3 }]) {
    const title = 'sharding' in layout ? 'of three shards' : 'of one shard'
    test(`large keys, patterns of names and types are found ${title}`, async () => {
      const { uid, endpoints } = await it().create({ name: 'keys', memory_size: 100_000_000, ...layout })
      const client = connect(endpoints[0].port)
      for (let from = 0; from < 3_000; from += 500) {
        const pipeline = client.pipeline()
        for (let user = from; user < from + 500; user++) pipeline.set(`user:${user}:name`, 'x', 'EX', 10_000)
        await pipeline.exec()
      }
      await client.set('huge', 'y'.repeat(1_000_000))
      await client.rpush('list:of:things', ...Array.from({ length: 500 }, (_, index) => `thing ${index}`))
      const all = await insight(uid, 'keys')
      assert.equal(all.keys, 3_002)
      assert.equal(all.sampled, 3_002)
      assert.equal(all.biggest[0].name, 'huge')
      assert.ok(all.biggest[0].memory_bytes >= 1_000_000)
      assert.equal(all.biggest[1].type, 'list')
      const users = all.patterns.find(({ pattern }: { pattern: string }) => pattern === 'user:*:name')
      assert.deepEqual([users.estimated_keys, users.without_ttl_percent], [3_000, 0])
      const part = await insight(uid, 'keys?keys=100&count=3')
      assert.ok(part.sampled <= 300 && part.sampled >= 100, `${part.sampled} were looked at`)
      assert.equal(part.keys, 3_002)
      assert.equal(part.biggest.length, 3)
    })
  }

  test('busy keys come first where the engine counts uses', async () => {
    const { uid, endpoints } = await it().create({
      name: 'hot',
      memory_size: 50_000_000,
      eviction_policy: 'allkeys-lfu',
    })
    const client = connect(endpoints[0].port)
    for (let key = 0; key < 50; key++) await client.set(`cold:${key}`, 'x')
    for (let use = 0; use < 2_000; use++) await client.get('cold:7')
    const { hottest } = await insight(uid, 'keys')
    assert.equal(hottest[0].name, 'cold:7')
    assert.ok(hottest[0].frequency > hottest[1].frequency)
  })

  test('clients are grouped by name, and commands told with their share', async () => {
    const { uid, endpoints } = await it().create({ name: 'mixed', memory_size: 50_000_000 })
    const workers = [1, 2, 3].map(() => connect(endpoints[0].port, 'worker'))
    for (const worker of workers) await worker.get('a')
    const blocked = connect(endpoints[0].port, 'waiting')
    const waits = blocked.blpop('nothing', 0).catch(() => null)
    await until('the client to be blocked', async () => {
      const { groups } = await insight(uid, 'clients')
      return groups.find(({ name }: { name: string }) => name === 'waiting')?.blocked === 1
    })
    const { groups, clients: count } = await insight(uid, 'clients')
    assert.equal(groups[0].name, 'worker')
    assert.equal(groups[0].connections, 3)
    assert.equal(count, 4)
    const { commands } = await insight(uid, 'commands')
    const get = commands.find(({ command }: { command: string }) => command === 'get')
    assert.equal(get.calls, 3)
    assert.ok(get.percent_of_calls > 0 && get.percent_of_calls < 100)
    blocked.disconnect()
    await waits
  })
})
