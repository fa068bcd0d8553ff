/**
 * How the cluster and a database are, as they are told: well, and with something wrong.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

withInstance('health', {}, (it) => {
  const report = async (uid: number) => (await it().api.get(`/v4/db/${uid}/health`)).json
  const problems = async (uid: number) =>
    (await report(uid)).advice.map(({ problem }: { problem: string }) => problem).join(' ')

  test('a database that is well says so, and one whose data is nowhere else says that', async () => {
    const { uid } = await it().create({
      name: 'well',
      data_persistence: 'aof',
      replication: true,
      memory_size: 50_000_000,
    })
    await until('it to be active', async () => (await report(uid)).status === 'active')
    const json = await report(uid)
    assert.deepEqual(
      [
        json.id,
        json.availability,
        json.persistence,
        json.high_availability.status,
        json.availability_errors,
        json.advice,
      ],
      [String(uid), 'up', 'aof', 'up', [], []],
    )
    assert.deepEqual(json.shards.map(({ role }: { role: string }) => role).sort(), ['follower', 'leader'])
    const alone = await it().create({ name: 'alone' })
    assert.match(await problems(alone.uid), /lost with it/)
    assert.deepEqual((await it().api.get(`/v4/bdb/${uid}/health?issues_only=true`)).json.shards, [])
    assert.equal((await it().api.get('/v4/db/999/health')).json.error_code, 'db_not_exist')
  })

  test('a full database and stopped traffic are told with what to do', async () => {
    const { uid, endpoints } = await it().create({ name: 'full', memory_size: 20_000_000 })
    const client = new Redis({ port: endpoints[0].port, host: '127.0.0.1' })
    const fill = async (key: number): Promise<void> => {
      if ((await client.set(`much:${key}`, 'x'.repeat(100_000)).catch(() => 'full')) === 'OK') await fill(key + 1)
    }
    await fill(0)
    client.disconnect()
    await until('it to be told', async () => /nothing to evict: writes will be refused/.test(await problems(uid)))
    const { json } = await it().api.post(`/v1/bdbs/${uid}/actions/stop_traffic`)
    assert.ok(json.action_uid)
    await until('stopped traffic to be told', async () => /Traffic is stopped/.test(await problems(uid)))
    const cluster = (await it().api.get('/v4/cluster/health')).json
    assert.notEqual(cluster.status, 'ok')
    assert.equal(cluster.nodes[0].role, 'leader')
    assert.ok(cluster.certificates.length > 0)
    assert.equal(cluster.database_infos.length, (await it().api.get('/v1/bdbs')).json.length)
  })

  test('what a node means is told for each database', async () => {
    const { json } = await it().api.get('/v1/nodes/1/impact')
    const found = Object.fromEntries(
      json.databases.map(({ bdb_name, loses }: { bdb_name: string; loses: string }) => [bdb_name, loses]),
    )
    assert.deepEqual([found.well, found.alone], ['service', 'data'])
    assert.equal((await it().api.get('/v1/nodes/9/impact')).status, 404)
  })
})
