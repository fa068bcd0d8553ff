/**
 * A database that has data already becomes a sharded one, and back: every key stays, and what cannot be had is refused.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Redis } from 'ioredis'
import { shardsOf } from './support/replicas.ts'
import { change, check, clientOf, ended, fill, inStep, primariesOf } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 5_000

withInstance('turning sharding on', {}, (it) => {
  const persistent = { data_persistence: 'aof', aof_policy: 'appendfsync-always', authentication_redis_pass: 'secret' }
  const growing = [{ sharding: true }, { shards_count: 2 }, { shards_count: 1 }, { sharding: false }]
  for (const [body, changes] of [
    [{}, growing],
    [persistent, [{ sharding: true }, { sharding: false }]],
  ] as const)
    test(`a database becomes sharded, and goes back, with every key (${JSON.stringify(body)})`, async (t) => {
      const { uid, endpoints } = await it().create({ memory_size: 400_000_000, ...body })
      const password = 'authentication_redis_pass' in body ? body.authentication_redis_pass : undefined
      const client = clientOf(t, endpoints[0].port, { password, maxRetriesPerRequest: null })
      await fill(client, KEYS)
      await client.set('kept', 'until', 'EX', 10_000)
      for (const wanted of changes) {
        await ended(it(), await change(it(), uid, wanted))
        // Whatever was under way when its connection ended has failed.
        await until('every key to be there', async () => {
          await check(client, KEYS, 'key', 1)
          return true
        })
        const { port } = (await it().api.get(`/v1/bdbs/${uid}`)).json.endpoints[0]
        assert.equal(port, endpoints[0].port)
      }
      assert.ok((await client.ttl('kept')) > 9_000)
      assert.equal((await shardsOf(it(), uid)).length, 1)
    })

  for (const body of [{}, persistent])
    test(`with replicas, nothing that a client was told is lost (${JSON.stringify(body)})`, async (t) => {
      const wanted = { memory_size: 400_000_000, replication: true, ...body }
      const { uid, endpoints } = await it().create(wanted)
      const password = 'authentication_redis_pass' in body ? body.authentication_redis_pass : undefined
      const client = clientOf(t, endpoints[0].port, { password, maxRetriesPerRequest: null })
      await fill(client, KEYS)
      const writer = counting(clientOf(t, endpoints[0].port, { password, maxRetriesPerRequest: 0 }))
      t.after(() => writer.end())
      for (let round = 0; round < 2; round++)
        for (const sharding of [true, false]) {
          await writer.goesOn()
          await ended(it(), await change(it(), uid, { sharding }))
          await writer.goesOn()
          await until('every key to be there', async () => {
            await check(client, KEYS, 'key', 1)
            return true
          })
          const told = writer.told()
          assert.ok(Number(await client.get('count')) >= told, `${told} was acknowledged`)
        }
      await inStep(it(), uid)
      assert.equal((await shardsOf(it(), uid)).length, 2)
    })

  test('it goes on when the control plane is killed in the middle', async (t) => {
    const { uid, endpoints } = await it().create({ memory_size: 400_000_000 })
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: null })
    await fill(client, KEYS)
    const action = await change(it(), uid, { sharding: true })
    for (const pauseMs of [20, 100, 1_000]) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
      await it().kill()
      await it().start()
    }
    await ended(it(), action)
    await until('every key to be there', async () => {
      await check(client, KEYS)
      return true
    })
  })

  test('what would lose keys is refused', async (t) => {
    const { uid, endpoints } = await it().create({ memory_size: 400_000_000 })
    const client = clientOf(t, endpoints[0].port)
    await client.set('elsewhere', '1')
    assert.equal(await client.move('elsewhere', '3'), 1)
    const refused = async (body: object, says: RegExp) => {
      const { json, text } = await it().api.put(`/v1/bdbs/${uid}`, body)
      assert.equal(json.error_code, 'invalid_sharding', text)
      assert.match(json.description, says)
    }
    await refused({ sharding: true }, /keys in database 3/)
    await client.flushall()
    await refused({ sharding: true, shards_count: 2 }, /begins to be sharded with one/)
    await ended(it(), await change(it(), uid, { sharding: true }))
    await ended(it(), await change(it(), uid, { shards_count: 2 }))
    await refused({ sharding: false, shards_count: 1 }, /shards_count to 1 first/)
    assert.equal((await primariesOf(it(), uid)).length, 2)
  })
})

/** Counts up as fast as it is answered, whatever fails meanwhile. */
function counting(client: Redis) {
  let isOver = false
  let answers = 0
  let highest = 0
  const work = (async () => {
    while (!isOver) {
      const count = await client.incr('count').catch(() => new Promise<void>((resolve) => setImmediate(resolve)))
      if (count === undefined) continue
      answers++
      highest = Math.max(highest, count)
    }
  })()
  return {
    told: () => highest,
    goesOn: async () => {
      const before = answers
      await until('a client to be served', () => answers > before)
    },
    end: async () => {
      isOver = true
      await work
    },
  }
}
