/**
 * Ways in which a primary, its replica or both can go, beyond kill -9, unsharded and sharded: each on real processes, and
 * each must end with a database that serves, has a replica in step, and has what it promised.
 */
import assert from 'node:assert/strict'
import { mkdir, open, readdir, readFile, rmdir, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import { type Instance, killNow } from './support/instance.ts'
import { inStep, pidOf, primariesOf, receiptsOf, replicaOf } from './support/replicas.ts'
import { ended } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 200

const ALWAYS = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }
const KINDS = [
  { kind: 'unsharded', groups: 1, body: {} },
  { kind: 'sharded', groups: 2, body: { sharding: true, shards_count: 2 } },
] as const

const SPOILED = [
  ['a truncated tail', ALWAYS, truncateTail],
  ['garbage in the middle', ALWAYS, spoilMiddle],
  ['a corrupt snapshot', { data_persistence: 'snapshot', snapshot_policy: [{ secs: 1, writes: 1 }] }, spoilDump],
] as const

withInstance('faults of primaries and replicas', {}, (it) => {
  for (const { kind, groups, body } of KINDS) {
    // What does not differ is tried on one of them.
    const isSharded = kind === 'sharded'
    const create = async (t: TestContext, more: object = {}) => {
      const { uid, endpoints } = await it().create({ memory_size: 80_000_000, replication: true, ...body, ...more })
      await inStep(it(), uid, groups)
      const client = connect(t, endpoints[0].port)
      await until('a connection', async () => (await client.ping()) === 'PONG')
      return { uid: uid as number, client }
    }
    const fill = async (client: Redis, label: string) => {
      const values = Array.from({ length: KEYS }, (_, key) => client.set(`${label}:${key}`, 'x'))
      for (const answer of await Promise.all(values)) assert.equal(answer, 'OK')
    }
    const servesAgain = async (client: Redis, keys: number) => {
      // Keys of every shard: each has to take writes.
      for (let key = 0; key < 20; key++)
        await until('a write to be taken', async () => (await client.set(`after:${key}`, 'x')) === 'OK')
      await until('all keys', async () => {
        const size = await client.dbsize()
        if (size === keys + 20) return true
        throw new Error(`${size} of ${keys + 20}`)
      })
    }

    test(`a primary that stops, crashes or runs out of memory is replaced (${kind})`, async (t) => {
      const { uid, client } = await create(t)
      const ways: [string, (pid: number) => Promise<void>][] = [
        ['SIGSTOP', async (pid) => killNow(pid, 'SIGSTOP')],
        ['SIGSEGV', async (pid) => killNow(pid, 'SIGSEGV')],
        ['out of memory', outOfMemory],
      ]
      let keys = 0
      for (const [way, befall] of ways) {
        await fill(client, way)
        keys += KEYS
        assert.equal(await client.wait(1, 5_000), 1)
        const [primary = 0] = await inStep(it(), uid, groups)
        await befall(await pidOf(it(), primary))
        await until(`another primary after ${way}`, async () => {
          const now = await primariesOf(it(), uid)
          return now.length === groups && !now.includes(primary)
        })
        await servesAgain(client, keys)
        keys += way === 'SIGSTOP' ? 20 : 0
        await client.del(...Array.from({ length: 20 }, (_, key) => `after:${key}`))
        keys -= way === 'SIGSTOP' ? 20 : 0
        await inStep(it(), uid, groups)
      }
      const receipts = await receiptsOf(it(), uid)
      assert.equal(receipts.length, ways.length, JSON.stringify(receipts))
    })

    test(`files that are corrupt keep no database and no replica down while the other copy is whole (${kind})`, async (t) => {
      for (const [what, persistence, spoil] of isSharded ? SPOILED.slice(1, 2) : SPOILED) {
        const { uid, client } = await create(t, persistence)
        await fill(client, what)
        assert.equal(await client.wait(1, 5_000), 1)
        const [primary = 0] = await inStep(it(), uid, groups)
        const folder = join(it().dataDir, 'shards', String(primary))
        if (spoil === spoilDump)
          await until('a snapshot', async () => (await stat(join(folder, 'dump.rdb'))).size > 200)
        await spoil(folder)
        killNow(await pidOf(it(), primary))
        await servesAgain(client, KEYS)
        await inStep(it(), uid, groups)
        const replica = await replicaOf(it(), uid, (await primariesOf(it(), uid))[0] ?? 0)
        const own = join(it().dataDir, 'shards', String(replica))
        if (spoil === spoilDump) await until('a snapshot', async () => (await stat(join(own, 'dump.rdb'))).size > 200)
        await spoil(own)
        killNow(await pidOf(it(), replica))
        await until(`${what}: the replica to be another process`, async () => (await pidOf(it(), replica)) > 0)
        await inStep(it(), uid, groups)
        assert.equal(await client.dbsize(), KEYS + 20, what)
        assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
        await it().gone(uid)
      }
    })

    test(`both killed at once come back with what their persistence promises (${kind})`, async (t) => {
      for (const persistence of isSharded ? ['aof'] : ['disabled', 'snapshot', 'aof']) {
        const { uid, client } = await create(t, { data_persistence: persistence, aof_policy: 'appendfsync-always' })
        await fill(client, 'k')
        const before = await shardPids(it(), uid)
        for (const pid of before) killNow(pid)
        await until('other processes', async () => {
          const now = await shardPids(it(), uid)
          return now.length === before.length && now.every((pid) => !before.includes(pid))
        })
        await inStep(it(), uid, groups)
        await until('a write', async () => (await client.set('k:0', 'y')) === 'OK')
        const size = await client.dbsize()
        if (persistence === 'disabled') assert.equal(size, 1, 'it has more than was written since')
        else if (persistence === 'aof') assert.equal(size, KEYS)
        else assert.ok(size >= 1 && size <= KEYS, `${size} keys`)
        await it().active(uid)
        assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
        await it().gone(uid)
      }
    })

    test(`a replica that is killed while it copies costs its primary nothing (${kind})`, async (t) => {
      const created = await it().create({ memory_size: 400_000_000, ...body })
      const uid: number = created.uid
      const client = connect(t, created.endpoints[0].port)
      const value = 'x'.repeat(100_000)
      for (let key = 0; key < 600; key++) await client.set(`big:${key}`, value)
      const before = await shardPids(it(), uid)
      assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { replication: true })).status, 200)
      const killed = new Set<number>()
      // The first while it is what a change waits for, the others while it only catches up.
      for (let round = 0; round < 2; round++) {
        if (round > 0) await inStep(it(), uid, groups)
        for (let again = round > 0 ? 2 : 1; again > 0; again--) {
          const pid = await until('a replica to copy', async () => {
            const now = await shardPids(it(), uid)
            return now.find((one) => !before.includes(one) && !killed.has(one))
          })
          killed.add(pid)
          await delay(round * 15)
          killNow(pid)
        }
        assert.equal(await client.set('during', String(round)), 'OK')
      }
      await inStep(it(), uid, groups)
      const now = await shardPids(it(), uid)
      assert.ok(before.every((pid) => now.includes(pid)))
      assert.equal(await client.dbsize(), 601)
      await it().active(uid)
    })

    test(`a primary that is killed while its replica is behind passes the lead, and says what may be lost (${kind})`, async (t) => {
      const { uid, client } = await create(t)
      const [primary = 0] = await inStep(it(), uid, groups)
      const replica = await pidOf(it(), await replicaOf(it(), uid, primary))
      await client.set('early', 'x')
      killNow(replica, 'SIGSTOP')
      const value = 'x'.repeat(100_000)
      for (let key = 0; key < 150; key++) await client.set(`late:${key}`, value)
      killNow(await pidOf(it(), primary))
      killNow(replica, 'SIGCONT')
      await until('a write to be taken', async () => (await client.set('early', 'y')) === 'OK')
      await inStep(it(), uid, groups)
      const [receipt] = await receiptsOf(it(), uid)
      const size = await client.dbsize()
      assert.ok(receipt, 'no receipt')
      assert.equal(receipt.may_have_lost_writes, true, `${size} keys: ${JSON.stringify(receipt)}`)
    })

    test(`a drill ends a primary, loses nothing, and says whether it was in time (${kind})`, async (t) => {
      const { uid, client } = await create(t)
      await fill(client, 'k')
      for (const [targetMs, isMet] of [
        [30_000, true],
        [1, false],
      ] as const) {
        const [primary = 0] = await inStep(it(), uid, groups)
        const pid = await pidOf(it(), primary)
        const body = { drill: true, target_ms: targetMs }
        const { status, json, text } = await it().api.post(`/v1/shards/${primary}/actions/failover`, body)
        assert.equal(status, 200, text)
        await ended(it(), json.action_uid)
        const receipt = await until('a receipt', async () => {
          const found = (await receiptsOf(it(), uid)).find(({ from_shard_uid: from }) => from === String(primary))
          return found?.serving_after_ms !== undefined && found
        })
        assert.equal(receipt.cause, 'it was ended for a drill')
        assert.equal(receipt.may_have_lost_writes, false)
        assert.equal(receipt.drill?.target_ms, targetMs)
        if (isMet) assert.equal(receipt.drill?.target_met, true)
        else assert.equal(receipt.drill?.target_met, (receipt.serving_after_ms ?? 0) <= targetMs)
        await inStep(it(), uid, groups)
        assert.ok(!(await shardPids(it(), uid)).includes(pid))
      }
      assert.equal(await client.dbsize(), KEYS)
    })

    test(`killed anywhere in a failover, nothing that was promised is lost (${kind})`, async (t) => {
      const { uid, client } = await create(t, ALWAYS)
      const moments = isSharded ? [0, 5, 20] : [0, 2, 5, 10, 20, 40, 80]
      let keys = 0
      for (const [round, waitMs] of moments.entries()) {
        const [primary = 0] = await inStep(it(), uid, groups)
        await fill(client, `r${round}`)
        keys += KEYS
        assert.equal(await client.wait(1, 5_000), 1)
        const successor = await pidOf(it(), await replicaOf(it(), uid, primary))
        killNow(await pidOf(it(), primary))
        await delay(waitMs)
        if (round % 2 === 0) killNow(successor)
        else await it().kill()
        if (round % 2 === 1) await it().start()
        await until('every key', async () => (await client.dbsize()) === keys)
        await until('a write to be taken', async () => (await client.set('r0:0', String(round))) === 'OK')
      }
      await inStep(it(), uid, groups)
      assert.equal(await client.get('r0:0'), String(moments.length - 1))
    })
  }
})

function connect(t: TestContext, port: number): Redis {
  const options = { host: '127.0.0.1', retryStrategy: () => 5, maxRetriesPerRequest: null }
  const client = new Redis({ port, ...options }).on('error', () => undefined)
  t.after(() => client.disconnect())
  return client
}

async function shardPids(instance: Instance, uid: number): Promise<number[]> {
  const { json } = await instance.api.get(`/v1/bdbs/${uid}/shards`)
  const uids = json.map((shard: { uid: string }) => Number(shard.uid))
  return (await instance.engines()).filter(({ shardUid }) => uids.includes(shardUid)).map(({ pid }) => pid)
}

/** The kernel's own way: a group of one that may have less memory than it has. */
async function outOfMemory(pid: number): Promise<void> {
  const group = `/sys/fs/cgroup/memory/holdfast-test-${process.pid}-${pid}`
  await mkdir(group)
  try {
    // What it has already stays its first group's; with no room at all, the next page that it needs is its last. The limit
    // comes first: the kernel refuses one that is below what is taken already.
    await writeFile(join(group, 'memory.limit_in_bytes'), '4096')
    await writeFile(join(group, 'cgroup.procs'), String(pid))
    await until('it to be gone', async () =>
      (await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ' Z ')).includes(' Z '),
    )
  } finally {
    await until('its group to be empty', () => rmdir(group).then(() => true))
  }
}

async function appendFile(folder: string): Promise<string> {
  const names = await readdir(join(folder, 'appendonlydir'))
  const name = names.find((one) => one.endsWith('.incr.aof'))
  assert.ok(name, `no append-only file in ${names}`)
  return join(folder, 'appendonlydir', name)
}

async function truncateTail(folder: string): Promise<void> {
  const path = await appendFile(folder)
  await truncate(path, (await stat(path)).size - 7)
}

async function spoilMiddle(folder: string): Promise<void> {
  const path = await appendFile(folder)
  await overwrite(path, Math.floor((await stat(path)).size / 2))
}

async function spoilDump(folder: string): Promise<void> {
  await overwrite(join(folder, 'dump.rdb'), 120)
}

async function overwrite(path: string, at: number): Promise<void> {
  await using file = await open(path, 'r+')
  await file.write(Buffer.from('this is not what was written here\r\n'.repeat(3)), 0, 90, at)
}
