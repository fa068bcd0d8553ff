/**
 * Databases that are down because a file cannot be read: what can be recovered, and how.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { type Instance, killNow, STORES, startInstance } from './support/instance.ts'
import { clientOf, ended, fill } from './support/sharded.ts'
import { givenUp, spoil } from './support/spoil.ts'
import { until } from './support/wait.ts'

const DURABLE = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }
const KEYS = 200

for (const store of STORES) {
  test(`a database that is down comes back at once with a file that was mended, or without its data (${store})`, async (t) => {
    const instance = await startInstance(t, { store })
    const { uid, endpoints, shard_list } = await instance.create({ name: 'lost', ...DURABLE })
    const [{ port }] = endpoints
    const path = `/v1/bdbs/${uid}/actions/recover`
    const recover = (body?: unknown) => instance.api.post(path, body)
    await once(port, (client) => client.set('k', 'v'))
    const { json: plan } = await instance.api.get(path)
    assert.equal(plan.status, 'ready')
    const [file] = plan.data_files
    assert.deepEqual(
      [file.filename, file.shard_uid, file.node_uid, file.shard_role, plan.data_files.length],
      ['appendonlydir', String(shard_list[0]), '1', 'master', 1],
    )
    assert.ok(file.size > 0 && Math.abs(file.last_modified * 1000 - Date.now()) < 60_000)
    assert.equal((await recover()).json.error_code, 'not_recoverable', 'it is not down')

    const mend = await spoil(instance, { uid, shard_list })
    await givenUp(instance, uid)
    const files = { data_files: [file] }
    const both = await Promise.all([recover(files), recover(files)])
    assert.deepEqual(both.map(({ status }) => status).sort(), [200, 409], 'one at a time')
    await ended(instance, both.find(({ status }) => status === 200)?.json.action_uid, 'failed')
    assert.equal((await instance.api.get(`/v1/bdbs/${uid}`)).json.status, 'recovery')
    for (const [body, status, code, field] of [
      [{ ignore_errors: true }, 406, 'unsupported_feature', 'ignore_errors'],
      [{ data_files: [{ filename: '/etc/passwd' }] }, 406, 'unsupported_feature', 'data_files[0]'],
      [{ recover_without_data: 'yes' }, 400, 'invalid_field', 'recover_without_data'],
    ] as const) {
      const { json, status: answered } = await recover(body)
      assert.deepEqual([answered, json.error_code, json.field], [status, code, field])
    }
    await mend()
    const mended = await recover()
    // It is tried all the while: it may be back before it is asked for.
    if (mended.status === 200) await ended(instance, mended.json.action_uid, 'completed')
    else assert.equal(mended.status, 409, mended.text)
    await instance.active(uid)
    assert.equal(await once(port, (client) => client.get('k')), 'v')

    await spoil(instance, { uid, shard_list })
    await givenUp(instance, uid)
    const empty = await recover({ recover_without_data: true })
    assert.equal(empty.status, 200, empty.text)
    await ended(instance, empty.json.action_uid, 'completed')
    await instance.active(uid)
    assert.equal(await once(port, (client) => client.dbsize()), 0)
    await once(port, (client) => client.set('new', '1'))
    const [engine] = await instance.engines()
    killNow(engine?.pid ?? 0)
    await until('what was written afterwards to be back', async () => {
      return (await once(port, (client) => client.get('new')).catch(() => null)) === '1'
    })
    assert.equal((await recover({ recover_without_data: true })).status, 409)
  })
}

test('of several shards only the one that is lost comes back empty', async (t) => {
  const instance = await startInstance(t)
  const database = await instance.create({ name: 'parts', sharding: true, shards_count: 2, ...DURABLE })
  const client = clientOf(t, database.endpoints[0].port)
  await fill(client, KEYS)
  const kept = await keysOf(instance, database.shard_list[1])
  assert.ok(kept > 0 && kept < KEYS)
  await spoil(instance, database)
  await givenUp(instance, database.uid)
  const path = `/v1/bdbs/${database.uid}/actions/recover`
  const { json: plan } = await instance.api.get(path)
  assert.equal(plan.data_files.length, 2)
  const recovery = await instance.api.post(path, { recover_without_data: true })
  assert.equal(recovery.status, 200, recovery.text)
  await ended(instance, recovery.json.action_uid, 'completed')
  await instance.active(database.uid)
  assert.equal(await client.dbsize(), kept)
  await fill(client, KEYS)
  assert.equal(await client.dbsize(), KEYS)
})

async function keysOf({ api }: Instance, shardUid: number): Promise<number> {
  const { json } = await api.get(`/v1/shards/${shardUid}?extra_info_keys=db0`)
  return Number(/keys=(\d+)/.exec(JSON.stringify(json.redis_info))?.[1] ?? 0)
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
