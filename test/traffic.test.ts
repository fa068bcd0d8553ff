/**
 * Traffic that is stopped and resumed, unsharded and sharded: nobody gets in, replicas go on, nothing
 * is lost, and the availability checks say what is so.
 */
import assert from 'node:assert/strict'
import { connect } from 'node:net'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { killNow } from './support/instance.ts'
import { inStep, pidOf, primariesOf, replicaOf } from './support/replicas.ts'
import { ended } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KINDS = [
  { kind: 'unsharded', groups: 1, body: {} },
  { kind: 'sharded', groups: 2, body: { sharding: true, shards_count: 2 } },
] as const

withInstance('traffic', {}, (it) => {
  const ask = async (uid: number, action: string) => {
    const { status, json, text } = await it().api.post(`/v1/bdbs/${uid}/actions/${action}`)
    assert.equal(status, 200, text)
    await ended(it(), json.action_uid)
  }
  const availability = async (uid: number, query = '') => {
    const [whole, local] = await Promise.all([
      it().api.get(`/v1/bdbs/${uid}/availability${query}`),
      it().api.get(`/v1/local/bdbs/${uid}/endpoint/availability${query}`),
    ])
    return [whole.json?.error_code ?? whole.status, local.json?.error_code ?? local.status]
  }

  for (const { kind, groups, body } of KINDS) {
    test(`traffic that is stopped keeps everybody out until it is resumed (${kind})`, async (t) => {
      const created = await it().create({ memory_size: 60_000_000, replication: true, ...body })
      const uid: number = created.uid
      const { port } = created.endpoints[0]
      await inStep(it(), uid, groups)
      const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 5 }).on('error', () => undefined)
      t.after(() => client.disconnect())
      for (let key = 0; key < 100; key++) await client.set(`k${key}`, 'x')
      assert.deepEqual(await availability(uid), [200, 200])
      const subscriber = new Redis({ port, host: '127.0.0.1', retryStrategy: null }).on('error', () => undefined)
      t.after(() => subscriber.disconnect())
      await subscriber.subscribe('news')
      const gone = ['end', 'close'].map((event) => new Promise((resolve) => subscriber.once(event, resolve)))

      await ask(uid, 'stop_traffic')
      await Promise.race(gone)
      assert.equal(await opens(port), false)
      const { json } = await it().api.get(`/v1/bdbs/${uid}`)
      assert.deepEqual([json.traffic_manually_disabled, json.status], [true, 'active'])
      assert.deepEqual(await availability(uid), ['bdb_unavailable_port_unbound', 'bdb_endpoint_unavailable'])
      await ask(uid, 'stop_traffic')
      await inStep(it(), uid, groups)

      // It stays so: for a control plane that comes back, a replica that does, and whoever takes over.
      await it().kill()
      await it().start()
      const [primary = 0] = await inStep(it(), uid, groups)
      const replica = await replicaOf(it(), uid, primary)
      const pid = await pidOf(it(), replica)
      killNow(pid)
      await until('another process', async () => (await pidOf(it(), replica)) !== pid)
      await inStep(it(), uid, groups)
      killNow(await pidOf(it(), primary))
      await until('another primary', async () => {
        const now = await primariesOf(it(), uid)
        return now.length === groups && !now.includes(primary)
      })
      await inStep(it(), uid, groups)
      assert.equal(await opens(port), false)
      assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { memory_size: 70_000_000 })).status, 200)
      await it().active(uid)
      assert.equal(await opens(port), false)

      await ask(uid, 'resume_traffic')
      assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.traffic_manually_disabled, false)
      await until('all keys', async () => (await client.dbsize()) === 100)
      await client.set('k0', 'y')
      assert.deepEqual(await availability(uid), [200, 200])
      await inStep(it(), uid, groups)
    })
  }

  test('a replica that hangs makes the lag-aware check fail, and no other', async () => {
    const created = await it().create({ memory_size: 60_000_000, replication: true })
    const [primary = 0] = await inStep(it(), created.uid)
    const alone = await it().create({})
    assert.deepEqual(await availability(alone.uid, '?extend_check=lag'), [200, 200])
    await until('the replica to keep up', async () => (await availability(created.uid, '?extend_check=lag'))[0] === 200)
    const replica = await pidOf(it(), await replicaOf(it(), created.uid, primary))
    killNow(replica, 'SIGSTOP')
    const lag = '?extend_check=lag&availability_lag_tolerance_ms=50'
    assert.deepEqual(await availability(created.uid, lag), ['bdb_unavailable', 'bdb_endpoint_unavailable'])
    assert.deepEqual(await availability(created.uid), [200, 200])
    killNow(replica, 'SIGCONT')
    await until('the replica to keep up', async () => (await availability(created.uid, lag))[0] === 200)
  })

  test('traffic of a database that is not there cannot be stopped', async () => {
    const { status, json } = await it().api.post('/v1/bdbs/99999/actions/stop_traffic')
    assert.deepEqual([status, json.error_code], [404, 'db_not_exist'])
  })
})

/** Whether somebody takes a connection at the port. */
function opens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}
