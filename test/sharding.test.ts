/**
 * A database of several shards behind one endpoint: made, used, flushed, persisted, killed and deleted like any other.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Redis } from 'ioredis'
import { killNow } from './support/instance.ts'
import { pidOf, shardsOf } from './support/replicas.ts'
import { change, check, clientOf, ended, fill, inStep, primariesOf, slotCounts } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 2_000
const PERSISTENT = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }

withInstance('sharding', {}, (it) => {
  const sharded = (body: object = {}) =>
    it().create({ sharding: true, shards_count: 3, memory_size: 400_000_000, ...body })

  /** What was under way when something was killed has failed; what is asked afterwards does not. */
  const checkAgain = (client: Redis) =>
    until('every key to be there', async () => {
      await check(client, KEYS)
      return true
    })

  for (const [shards_count, replication] of [
    [1, false],
    [1, true],
    [3, true],
    [8, false],
  ] as const)
    test(`${shards_count} shards${replication ? ' with replicas' : ''} are one database, until it is deleted`, async (t) => {
      const { uid, endpoints, shard_list } = await sharded({ shards_count, replication })
      assert.equal(shard_list.length, shards_count * (replication ? 2 : 1))
      const client = clientOf(t, endpoints[0].port)
      await fill(client, KEYS)
      await check(client, KEYS)
      const counts = slotCounts(await primariesOf(it(), uid))
      assert.equal(
        counts.reduce((sum, count) => sum + count),
        16_384,
      )
      assert.ok((counts[0] ?? 0) - (counts.at(-1) ?? 0) <= 1, counts.join())
      const flushed = await it().api.put(`/v1/bdbs/${uid}/flush`, {})
      assert.equal(flushed.status, 200, flushed.text)
      await ended(it(), flushed.json.action_uid)
      assert.equal(await client.dbsize(), 0)
      assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
      await it().gone(uid)
      for (const { shardUid } of await it().engines()) assert.ok(!shard_list.includes(shardUid))
    })

  test('clients notice nothing when the control plane is killed and comes back', async (t) => {
    const { uid, endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
    await fill(client, KEYS)
    const proxies = await it().proxies()
    await it().kill()
    await check(client, KEYS)
    await it().start()
    await it().active(uid)
    await check(client, KEYS)
    assert.deepEqual(await it().proxies(), proxies)
  })

  test('the control plane may be killed at any moment of a creation', async (t) => {
    for (const pauseMs of [0, 200, 600, 1_500]) {
      const { status, json } = await it().api.post('/v1/bdbs', {
        ...{ name: 'killed', memory_size: 100_000_000, sharding: true, shards_count: 3, replication: pauseMs > 200 },
      })
      assert.equal(status, 200)
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      await it().kill()
      await it().start()
      await it().active(json.uid)
      const { endpoints } = (await it().api.get(`/v1/bdbs/${json.uid}`)).json
      const client = clientOf(t, endpoints[0].port)
      await fill(client, 100)
      await check(client, 100)
      client.disconnect()
      assert.equal((await it().api.delete(`/v1/bdbs/${json.uid}`)).status, 200)
      await it().gone(json.uid)
    }
  })

  test('a shard that is killed comes back with its data, and the others serve meanwhile', async (t) => {
    const { uid, endpoints } = await sharded(PERSISTENT)
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    for (const { uid: shardUid } of await shardsOf(it(), uid)) {
      killNow(await pidOf(it(), shardUid))
      await checkAgain(client)
    }
    await it().active(uid)
  })

  test('a primary with a replica is killed, and clients go on within moments', async (t) => {
    const { uid, endpoints } = await sharded({ replication: true })
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    await inStep(it(), uid)
    for (const { uid: shardUid } of await primariesOf(it(), uid)) {
      killNow(await pidOf(it(), shardUid))
      await checkAgain(client)
      await inStep(it(), uid)
    }
    assert.equal((await primariesOf(it(), uid)).length, 3)
  })

  test('the proxy is killed, and clients come back to all their keys', async (t) => {
    const { uid, endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    for (const pid of await it().proxies()) killNow(pid)
    await until('the endpoint to be back', async () => (await client.dbsize()) === KEYS)
    await check(client, KEYS)
    await it().active(uid)
  })

  test('replication is turned on and off while it serves', async (t) => {
    const { uid, endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
    await fill(client, KEYS)
    for (const replication of [true, false, true]) {
      await ended(it(), await change(it(), uid, { replication }))
      assert.equal((await shardsOf(it(), uid)).length, replication ? 6 : 3)
      await check(client, KEYS)
    }
  })

  test('stopped and started again as a whole, it has every key', async (t) => {
    const { uid, endpoints } = await sharded({ data_persistence: 'aof' })
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    client.disconnect()
    const stopped = await it().run('stop')
    assert.equal(stopped.code, 0, stopped.output)
    assert.deepEqual(await it().engines(), [])
    await it().start()
    await checkAgain(clientOf(t, endpoints[0].port))
    await it().active(uid)
  })
})
