/**
 * A replica that takes over: a primary is killed, hangs, or cannot come back, and applications go on at the same port.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientOf, ended } from './support/sharded.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

type Told = {
  object_uid: string
  failover?: { cause: string; serving_after_ms: number; successor_was_in_step: boolean; replication_gap_bytes: number }
}
type SeenShard = { uid: string; role: string; status: string; sync: { status: string } }

onEachStore('failover', (it) => {
  const shards = async (uid: number): Promise<SeenShard[]> => (await it().api.get(`/v1/bdbs/${uid}/shards`)).json
  const primaryOf = async (uid: number) => {
    const primary = (await shards(uid)).find(({ role, status }) => role === 'master' && status === 'active')
    return Number(primary?.uid)
  }
  const pidOf = async (shardUid: number) => {
    const engine = (await it().engines()).find((one) => one.shardUid === shardUid)
    assert.ok(engine, `shard ${shardUid} has no process`)
    return engine.pid
  }
  const inStep = (uid: number) =>
    until('a primary and a replica in step', async () => {
      const all = await shards(uid)
      const roles = all.map(({ role, status, sync }) => `${role} ${status} ${sync.status}`).sort()
      return roles.join() === 'master active idle,slave active idle'
    })

  test('a database with a replica loses nothing and serves again when its primary is killed, again and again', async (t) => {
    const { uid, endpoints } = await it().create({ replication: true, memory_size: 40_000_000 })
    await inStep(uid)
    const client = clientOf(t, endpoints[0].port)
    for (let round = 1; round <= 5; round++) {
      for (let key = 0; key < 200; key++) await client.set(`${round}:${key}`, 'x')
      assert.equal(await client.wait(1, 5_000), 1)
      const before = await primaryOf(uid)
      process.kill(await pidOf(before), 'SIGKILL')
      await until('a write to be taken again', async () => (await client.set('after', String(round))) === 'OK')
      assert.notEqual(await primaryOf(uid), before)
      assert.equal(await client.dbsize(), round * 200 + 1)
      await inStep(uid)
    }
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.status, 'active')
    const { json } = await it().api.get('/v2/actions')
    const receipts = json.flatMap(({ additional_info: about }: { additional_info: Told }) =>
      about.object_uid === String(uid) && about.failover ? [about.failover] : [],
    )
    assert.equal(receipts.length, 5)
    for (const { cause, serving_after_ms, successor_was_in_step, replication_gap_bytes } of receipts) {
      assert.match(cause, /SIGKILL|process is gone/)
      assert.ok(serving_after_ms >= 0)
      assert.deepEqual([successor_was_in_step, replication_gap_bytes], [true, 0])
    }
  })

  test('a planned failover loses no write that was answered', async (t) => {
    const { uid, endpoints } = await it().create({ replication: true, memory_size: 40_000_000 })
    await inStep(uid)
    const client = clientOf(t, endpoints[0].port, { retryStrategy: () => 2, maxRetriesPerRequest: 0 })
    let acknowledged = 0
    let unclear = 0
    let isOver = false
    t.after(() => {
      isOver = true
    })
    const load = (async () => {
      while (!isOver) {
        try {
          await client.incr('count')
          acknowledged++
        } catch {
          unclear++
          await delay(1)
        }
      }
    })()
    for (let round = 0; round < 3; round++) {
      const before = await primaryOf(uid)
      const asked = await it().api.post(`/v1/shards/${before}/actions/failover`, {})
      assert.equal(asked.status, 200, asked.text)
      await ended(it(), asked.json.action_uid)
      const now = await primaryOf(uid)
      assert.ok(now > 0 && now !== before)
      await inStep(uid)
    }
    isOver = true
    await load
    const count = Number(await until('the count', () => client.get('count')))
    assert.ok(
      count >= acknowledged && count <= acknowledged + unclear,
      `${count} of ${acknowledged}, ${unclear} unclear`,
    )
  })

  test('a failover that cannot be had is refused', async () => {
    const { uid } = await it().create({})
    const other = await it().create({ replication: true })
    await inStep(other.uid)
    const [alone] = await shards(uid)
    const replica = (await shards(other.uid)).find(({ role }) => role === 'slave')
    const primary = await primaryOf(other.uid)
    const cases: [path: string, body: object, status: number, code: string][] = [
      [`${alone?.uid}/`, {}, 406, 'no_replica_in_step'],
      [`${replica?.uid}/`, {}, 400, 'shard_is_slave'],
      ['99999/', {}, 404, 'shard_not_exist'],
      ['', {}, 404, 'shard_uids_required'],
      ['', { shard_uids: [String(primary), alone?.uid] }, 400, 'failover_shards_different_bdb'],
      [`${primary}/`, { dry_run: 'yes' }, 400, 'invalid_field'],
      [`${primary}/`, { nonsense: 1 }, 400, 'unknown_field'],
    ]
    for (const [path, body, status, code] of cases) {
      const reply = await it().api.post(`/v1/shards/${path}actions/failover`, body)
      assert.deepEqual([reply.status, reply.json?.error_code], [status, code], reply.text)
    }
    assert.equal((await it().api.post(`/v1/shards/${primary}/actions/failover`, { dry_run: true })).status, 200)
    assert.equal(await primaryOf(other.uid), primary)
  })

  test('replication is turned on and off while it serves, and costs no write', async (t) => {
    const { uid, endpoints } = await it().create({ memory_size: 40_000_000 })
    const client = clientOf(t, endpoints[0].port, { retryStrategy: null })
    for (let key = 0; key < 1_000; key++) await client.set(`k${key}`, 'x')
    for (const replication of [true, false, true]) {
      assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { replication })).status, 200)
      await client.incr('while')
      await it().active(uid)
      assert.equal((await shards(uid)).length, replication ? 2 : 1)
    }
    assert.equal(await client.get('while'), '3')
    await inStep(uid)
    process.kill(await pidOf(await primaryOf(uid)), 'SIGKILL')
    const other = clientOf(t, endpoints[0].port)
    await until('all keys to be there', async () => (await other.dbsize()) === 1_001)
  })

  test('a primary that hangs is ended and replaced, one that works hard is not', async (t) => {
    const { uid, endpoints } = await it().create({ replication: true, memory_size: 40_000_000 })
    await inStep(uid)
    const client = clientOf(t, endpoints[0].port)
    const busy = await primaryOf(uid)
    const pid = await pidOf(busy)
    const spin = "local t = redis.call('TIME')[1] while redis.call('TIME')[1] - t < 5 do end return 'done'"
    assert.equal(await client.eval(spin, 0), 'done')
    assert.equal(await pidOf(await primaryOf(uid)), pid)
    process.kill(pid, 'SIGSTOP')
    await until('another primary', async () => {
      const now = await primaryOf(uid)
      return now > 0 && now !== busy
    })
    await until('a write to be taken', async () => (await client.set('k', 'v')) === 'OK')
    await inStep(uid)
  })

  test('who is primary is known again after everything was killed, and nothing is lost', async (t) => {
    const { uid, endpoints } = await it().create({
      replication: true,
      data_persistence: 'aof',
      aof_policy: 'appendfsync-always',
    })
    await inStep(uid)
    const port = endpoints[0].port
    const client = clientOf(t, port)
    process.kill(await pidOf(await primaryOf(uid)), 'SIGKILL')
    await until('a write to be taken', async () => (await client.set('k', 'v')) === 'OK')
    await inStep(uid)
    const primary = await primaryOf(uid)
    await it().kill()
    for (const { pid } of await it().engines()) process.kill(pid, 'SIGKILL')
    await it().start()
    await inStep(uid)
    assert.equal(await primaryOf(uid), primary)
    assert.equal(await client.get('k'), 'v')
  })

  test('while the control plane is away a primary may die: the replica takes over when it is back', async (t) => {
    const { uid, endpoints } = await it().create({ replication: true })
    await inStep(uid)
    const client = clientOf(t, endpoints[0].port)
    await client.set('k', 'v')
    assert.equal(await client.wait(1, 5_000), 1)
    const before = await primaryOf(uid)
    const pid = await pidOf(before)
    await it().kill()
    process.kill(pid, 'SIGKILL')
    await it().start()
    await until('the key', async () => (await client.get('k')) === 'v')
    assert.notEqual(await primaryOf(uid), before)
    await inStep(uid)
  })
})
