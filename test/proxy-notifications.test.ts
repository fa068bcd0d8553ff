/** Clients of the endpoint hear of the keys of every shard, once, and of its latencies, through whatever happens to them. */
import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import type { Instance } from './support/instance.ts'
import { change, clientOf, ended, inStep, primariesOf } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 60

withInstance('notifications of a sharded database', {}, (it) => {
  test('a pattern, a channel and a pattern of everything hear of the keys of all shards, each once', async (t) => {
    const { client, port } = await notifying(t, it(), {}, 'EA')
    const heard = { pattern: [] as string[], channel: [] as string[], everything: [] as string[] }
    const listeners = [
      await listening(t, port, (listener) => listener.psubscribe('__keyevent@0__:*'), heard.pattern),
      await listening(t, port, (listener) => listener.subscribe('__keyevent@0__:set'), heard.channel),
      await listening(t, port, (listener) => listener.psubscribe('*'), heard.everything),
    ]
    const names = await setAll(client, 'key')
    await client.publish('news', 'published')
    await until('everything to be heard', () => heard.everything.includes('published'))
    for (const seen of Object.values(heard)) {
      await until('all keys to be heard of', () => seen.length >= KEYS)
      assert.deepEqual(seen.filter((one) => one !== 'published').sort(), names)
    }
    assert.equal(heard.everything.filter((one) => one === 'published').length, 1)
    assert.deepEqual(await client.pubsub('NUMSUB', '__keyevent@0__:set'), ['__keyevent@0__:set', 1])
    // Nobody hears of what they have unsubscribed from.
    await listeners[0]?.punsubscribe()
    await listeners[1]?.unsubscribe('__keyevent@0__:set')
    await setAll(client, 'later')
    await until('the rest to be heard', () => heard.everything.length === 2 * KEYS + 1)
    assert.equal(heard.pattern.length + heard.channel.length, 2 * KEYS)
  })

  test('node-redis with RESP3 hears of them, and goes on with everything else', async (t) => {
    const { client, port } = await notifying(t, it())
    const other = createClient({ RESP: 3, socket: { host: '127.0.0.1', port } })
    await other.connect()
    t.after(() => other.destroy())
    const heard: string[] = []
    await other.pSubscribe('__keyspace@0__:key:*', (event, channel) => heard.push(`${channel} ${event}`))
    const names = await setAll(client, 'key')
    await until('all keys to be heard of', () => heard.length >= KEYS)
    assert.deepEqual(heard.sort(), names.map((name) => `__keyspace@0__:${name} set`).sort())
    assert.equal(await other.get('key:1'), '1')
  })

  test('shards that come, hand over and go are heard of too', async (t) => {
    const { uid, client, port } = await notifying(t, it(), { replication: true })
    const heard: string[] = []
    await listening(t, port, (listener) => listener.psubscribe('__keyevent@0__:set'), heard)
    await ended(it(), await change(it(), uid, { shards_count: 4 }))
    await notify(it(), uid)
    assert.deepEqual(await heardOf(client, heard, 'grown'), [])
    await inStep(it(), uid)
    for (const { uid: shard } of await primariesOf(it(), uid)) {
      const { json } = await it().api.post(`/v1/shards/${shard}/actions/failover`)
      await ended(it(), json.action_uid)
    }
    await notify(it(), uid)
    assert.deepEqual(await heardOf(client, heard, 'handed over'), [])
  })

  test('latencies are those of all shards', async (t) => {
    const { uid, client } = await notifying(t, it())
    await command(it(), uid, 'CONFIG SET', 'latency-monitor-threshold', '1')
    await setAll(client, 'key')
    const told = (await client.call('LATENCY', 'HISTOGRAM', 'set')) as [string, [string, number, string, number[]]]
    const [name, [, calls, , buckets]] = told
    assert.equal(name, 'set')
    assert.equal(calls, KEYS)
    assert.equal(buckets.at(-1), KEYS)
    for (let key = 0; key < KEYS; key += 10)
      await client.eval(
        "local from = redis.call('TIME') repeat local now = redis.call('TIME') until (now[1] - from[1]) * 1000000 + now[2] - from[2] > 5000 return 1",
        1,
        `key:${key}`,
      )
    const latest = (await client.call('LATENCY', 'LATEST')) as [string, number, number, number][]
    assert.deepEqual(
      latest.map(([event]) => event),
      [...new Set(latest.map(([event]) => event))],
    )
    const [event = ''] = latest.find(([one]) => one === 'command') ?? []
    assert.equal(event, 'command', JSON.stringify(latest))
    const history = (await client.call('LATENCY', 'HISTORY', 'command')) as [number, number][]
    assert.deepEqual(
      history.map(([at]) => at),
      history.map(([at]) => at).sort((a, b) => a - b),
    )
    assert.ok(Number(await client.call('LATENCY', 'RESET')) > 0)
    assert.deepEqual(await client.call('LATENCY', 'LATEST'), [])
  })
})

async function command({ api }: Instance, uid: number, name: string, ...args: string[]): Promise<void> {
  const { status, text } = await api.post(`/v1/bdbs/${uid}/command`, { command: name, args })
  assert.equal(status, 200, text)
}

/** The database object does not manage this: processes that come have it off. */
const notify = (instance: Instance, uid: number, what = 'KEA') =>
  command(instance, uid, 'CONFIG SET', 'notify-keyspace-events', what)

async function notifying(t: TestContext, instance: Instance, body: object = {}, what = 'KEA') {
  const wanted = { sharding: true, shards_count: 3, memory_size: 100_000_000, ...body }
  const { uid, endpoints } = await instance.create(wanted)
  await notify(instance, uid, what)
  const [{ port }] = endpoints
  return { uid, port, client: clientOf(t, port) }
}

/** A client that subscribes again when it was disconnected. */
async function listening(
  t: TestContext,
  port: number,
  subscribe: (listener: Redis) => Promise<unknown>,
  heard: string[],
): Promise<Redis> {
  const listener = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 5 })
  listener.on('error', () => undefined)
  t.after(() => listener.disconnect())
  listener.on('message', (_channel: string, text: string) => heard.push(text))
  listener.on('pmessage', (_pattern: string, _channel: string, text: string) => heard.push(text))
  await subscribe(listener)
  return listener
}

async function setAll(client: Redis, prefix: string): Promise<string[]> {
  const names = Array.from({ length: KEYS }, (_, key) => `${prefix}:${key}`)
  await Promise.all(names.map((name, key) => client.set(name, key)))
  return names.sort()
}

/** Keys are set until a round of them was heard of once each; what is wrong with the last round otherwise. */
async function heardOf(client: Redis, heard: string[], prefix: string): Promise<string[]> {
  let round = 0
  return await until('a round to be heard of', async () => {
    const names = await setAll(client, `${prefix} ${round++}`)
    const mine = () => heard.filter((one) => names.includes(one)).sort()
    await until('all keys to be heard of', () => mine().length >= KEYS, 1_000)
    assert.deepEqual(mine(), names)
    return []
  })
}
