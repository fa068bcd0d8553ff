/**
 * More and fewer shards while clients read and write: nobody sees an error, no key is lost or there twice, whatever is
 * killed in the middle, and a change that is called off goes back.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Redis } from 'ioredis'
import { killNow } from './support/instance.ts'
import { pidOf, shardsOf } from './support/replicas.ts'
import { change, check, clientOf, ended, fill, inStep, Load, primariesOf, slotCounts } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { GiveUp, until } from './support/wait.ts'

/** Of which most slots have none or one, as many do in small databases. */
const KEYS = 4_000
/** Engines write their file at every step: a busy disk makes it long. */
const MOVING_MS = 120_000
/** Some 40 MB together. */
const LARGE_KEYS = 10_000
const LARGE_VALUE = 'x'.repeat(4_000)
const EVEN: Readonly<Record<number, number[]>> = {
  1: [16_384],
  2: [8_192, 8_192],
  3: [5_462, 5_461, 5_461],
}

withInstance('resharding', {}, (it) => {
  const sharded = (body: object = {}) =>
    it().create({ sharding: true, shards_count: 1, memory_size: 400_000_000, ...body })

  for (const [replication, counts] of [
    [false, [3, 2]],
    [true, [2]],
  ] as const)
    test(`1, ${counts.join(', ')} shards${replication ? ' with replicas' : ''} under load: no error, no key lost`, async (t) => {
      const { uid, endpoints } = await sharded({ replication })
      const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
      await fill(client, KEYS)
      const load = new Load(client)
      for (const shards_count of counts) {
        const action = await change(it(), uid, { shards_count })
        const progress: number[] = []
        await until(
          'the slots to be moved',
          async () => {
            const { json } = await it().api.get(`/v1/actions/${action}`)
            progress.push(Number(json.progress))
            if (json.status === 'failed') throw new GiveUp(JSON.stringify(json))
            return json.status === 'completed'
          },
          MOVING_MS,
        )
        const setBack = progress.findIndex((now, at) => now < (progress[at - 1] ?? 0))
        assert.equal(setBack, -1, `${progress[setBack]} % after ${progress[setBack - 1]} %`)
        assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[shards_count])
      }
      const counters = await load.end()
      await check(client, KEYS, 'key', counters)
      assert.equal((await shardsOf(it(), uid)).length, replication ? 4 : 2)
    })

  test('a resharding goes on when the control plane is killed in the middle of it', async (t) => {
    const { uid, endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
    await fill(client, KEYS)
    const load = new Load(client)
    const proxies = await it().proxies()
    const action = await change(it(), uid, { shards_count: 3 })
    for (let kill = 0; kill < 3; kill++) {
      await underWay(uid)
      await it().kill()
      await it().start()
      const said = await readFile(join(it().dataDir, 'proxy/proxy.log'), 'utf8')
      assert.deepEqual(await it().proxies(), proxies, said)
    }
    await ended(it(), action)
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[3])
    await check(client, KEYS, 'key', await load.end())
  })

  test('a resharding that is cancelled goes back, and keeps every key', async (t) => {
    const { uid, endpoints } = await sharded({ shards_count: 2 })
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
    await fill(client, KEYS)
    const load = new Load(client)
    const action = await change(it(), uid, { shards_count: 4 })
    await underWay(uid)
    assert.equal((await it().api.delete(`/v1/actions/${action}`)).status, 200)
    const { error } = await ended(it(), action, 'failed')
    assert.equal(error, 'cancelled')
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[2])
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.shards_count, 2)
    await check(client, KEYS, 'key', await load.end())
    const again = await change(it(), uid, { shards_count: 3 })
    await ended(it(), again)
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[3])
    await check(client, KEYS, 'key', await load.count())
  })

  for (const side of ['gives', 'takes'] as const)
    test(`a resharding goes on when the primary that ${side} is killed in the middle of it`, async (t) => {
      const persistence = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }
      const { uid, endpoints } = await sharded(persistence)
      const client = clientOf(t, endpoints[0].port)
      const [giver] = await primariesOf(it(), uid)
      await fill(client, KEYS)
      const action = await change(it(), uid, { shards_count: 2 })
      await underWay(uid)
      const taker = (await primariesOf(it(), uid)).find((shard) => shard.uid !== giver?.uid)
      killNow(await pidOf(it(), (side === 'gives' ? giver : taker)?.uid ?? 0))
      await ended(it(), action)
      assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[2])
      await check(client, KEYS)
    })

  test('a resharding goes on when a primary with a replica is killed in the middle of it', async (t) => {
    const { uid, endpoints } = await sharded({ replication: true })
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    await client.wait(1, 5_000)
    const [giver] = await primariesOf(it(), uid)
    const action = await change(it(), uid, { shards_count: 2 })
    await underWay(uid)
    killNow(await pidOf(it(), giver?.uid ?? 0))
    await ended(it(), action)
    await inStep(it(), uid)
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[2])
    await check(client, KEYS)
  })

  test('the smaller limit of more shards costs no key while they are still on one', async (t) => {
    const { uid, endpoints } = await sharded({ memory_size: 60_000_000, eviction_policy: 'allkeys-lru' })
    const client = clientOf(t, endpoints[0].port)
    await fillLarge(client)
    await ended(it(), await change(it(), uid, { shards_count: 2 }))
    assert.equal(await client.dbsize(), LARGE_KEYS)
  })

  test('a shard that has no room is not given keys, and all is as it was before', async (t) => {
    const { uid, endpoints } = await sharded({
      memory_size: 60_000_000,
      eviction_policy: 'noeviction',
      shards_count: 2,
    })
    const client = clientOf(t, endpoints[0].port)
    await fillLarge(client)
    const nodes = [{ node_uid: '1', role: 'master' }]
    const lopsided = ['0-16000', '16001-16383'].map((slot_range) => ({ slot_range, nodes }))
    const { error } = await ended(it(), await change(it(), uid, { shards_blueprint: lopsided }), 'failed')
    assert.match(error, /has no room for more keys/)
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), EVEN[2])
    assert.equal(await client.dbsize(), LARGE_KEYS)
  })

  test('a database whose resharding is called off can be deleted before it is back', async (t) => {
    const { uid, endpoints } = await sharded()
    await fill(clientOf(t, endpoints[0].port), KEYS)
    const action = await change(it(), uid, { shards_count: 4 })
    await underWay(uid)
    assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 409)
    assert.equal((await it().api.delete(`/v1/actions/${action}`)).status, 200)
    assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
    await it().gone(uid)
  })

  async function fillLarge(client: Redis): Promise<void> {
    for (let from = 0; from < LARGE_KEYS; from += 500) {
      const words = Array.from({ length: 500 }, (_, index) => ['set', `large:${from + index}`, LARGE_VALUE])
      for (const [error] of (await client.pipeline(words).exec()) ?? []) assert.equal(error, null)
    }
  }

  /** Slots are being moved, and many are still to be. */
  async function underWay(uid: number): Promise<void> {
    await until('slots to be on their way', async () => {
      const { json } = await it().api.get(`/v1/actions/bdb/${uid}`)
      const [newest] = json
      if (/completed|failed/.test(newest?.status)) throw new GiveUp(`it is over already: ${JSON.stringify(newest)}`)
      return /moving hash slots/.test(newest.state)
    })
  }
})
