/**
 * Alerts that databases, disks, certificates and people give cause for, provoked for real: seen in the API, in the log of
 * events, at a webhook and in a mail, and over by itself when its cause is gone. Those of the machine around them are in
 * alerts-of-the-machine.test.ts.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { type AlertWatch, watchAlerts } from './support/alert-watch.ts'
import { makeAuthority } from './support/certificates.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { type CleanUps, type Instance, killNow, startInstance } from './support/instance.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)

describe('alerts of one node', () => {
  const cleanUps = new CleanUpList()
  let it: Instance
  let watch: AlertWatch
  let engine = ''
  let disk = ''

  before(async () => {
    disk = await mkdtemp(join(tmpdir(), 'alerts-'))
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=700', 'tmpfs', disk])
    cleanUps.after(async () => {
      await run('umount', ['-l', disk])
      await rm(disk, { recursive: true, force: true })
    })
    const dataDir = join(disk, 'data')
    const temporary = join(disk, 'tmp')
    await mkdir(temporary)
    engine = join(await mkdtemp(join(tmpdir(), 'engine-')), 'redis-server')
    await copyFile((await run('sh', ['-c', 'command -v redis-server'])).stdout.trim(), engine)
    await chmod(engine, 0o755)
    const bin = engine.slice(0, engine.lastIndexOf('/'))
    // Its only engine is one that can be taken away.
    const env = { TMPDIR: temporary, PATH: bin }
    it = await startInstance(cleanUps, { dataDir, args: ['--alert-period', '0.1'], env })
    watch = await watchAlerts(cleanUps, it)
  }, HOOK)

  after(() => cleanUps.run(), HOOK)

  test('a certificate that runs out soon', async () => {
    const { certificate, key } = await (await makeAuthority('somebody')).issue('short', 10)
    await watch.set({ alert_settings: { cluster_certs_about_to_expire: { enabled: true } } })
    const put = await it.api.put('/v1/cluster/update_cert', { name: 'proxy', certificate, key })
    assert.equal(put.status, 200, put.text)
    const value = await watch.seen('cluster', 'cluster_certs_about_to_expire')
    assert.deepEqual([value.certificate, value.global_threshold], ['proxy', '45'])
    await it.api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })
    await watch.over('cluster', 'cluster_certs_about_to_expire')
  })

  test('more memory promised than there is, and too few nodes for a replica', async () => {
    await watch.set({ alert_settings: { cluster_ram_overcommit: true, cluster_too_few_nodes_for_replication: true } })
    const half = Math.ceil(totalmem() * 0.6)
    const one = await it.create({ name: 'one', memory_size: half })
    const other = await it.create({ name: 'other', memory_size: half, replication: true })
    assert.ok((await watch.seen('cluster', 'cluster_ram_overcommit')).promised_bytes > totalmem())
    await watch.seen('cluster', 'cluster_too_few_nodes_for_replication')
    await remove(one.uid, other.uid)
    await watch.over('cluster', 'cluster_ram_overcommit')
    await watch.over('cluster', 'cluster_too_few_nodes_for_replication')
  })

  test('many users', async () => {
    await watch.set({ alert_settings: { cluster_users_count_approaches_limit: { threshold: '0.01' } } })
    const uids: number[] = []
    for (const name of ['ada', 'bob', 'eve', 'mia']) {
      const { json } = await it.api.post('/v1/users', {
        email: `${name}@example.com`,
        name,
        password: 'of-them',
        role: 'none',
      })
      uids.push(json.uid)
    }
    await watch.seen('cluster', 'cluster_users_count_approaches_limit')
    for (const uid of uids) await it.api.delete(`/v1/users/${uid}`)
    await watch.over('cluster', 'cluster_users_count_approaches_limit')
  })

  test('full disks, and no room to rewrite a log of writes', async () => {
    const { uid, endpoints } = await it.create({ name: 'logged', memory_size: 30_000_000, data_persistence: 'aof' })
    await fillMemory(endpoints[0].port, 8_000_000)
    await watch.set({
      alert_settings: {
        node_persistent_storage: { enabled: true, threshold: '80' },
        node_ephemeral_storage: { enabled: true, threshold: '80' },
        node_insufficient_disk_aofrw: true,
      },
    })
    const ballast = join(disk, 'ballast')
    const { stdout } = await run('df', ['--output=avail', '-B1', disk])
    await writeFile(ballast, Buffer.alloc(Number(stdout.split('\n')[1]) - 3_000_000))
    const value = await watch.seen('nodes', 'node_persistent_storage', 1)
    assert.ok(value.storage_util > 80 && value.global_threshold === '80')
    await watch.seen('nodes', 'node_ephemeral_storage', 1)
    assert.ok((await watch.seen('nodes', 'node_insufficient_disk_aofrw', 1)).missing > 0)
    await rm(ballast)
    await watch.over('nodes', 'node_persistent_storage', 1)
    await watch.over('nodes', 'node_ephemeral_storage', 1)
    await watch.over('nodes', 'node_insufficient_disk_aofrw', 1)
    await remove(uid)
  })

  test('a full database, and one that has much beside its data', async () => {
    const { uid, endpoints } = await it.create({
      name: 'full',
      memory_size: 12_000_000,
      eviction_policy: 'noeviction',
      email_alerts: true,
    })
    await watch.setOf(uid, { bdb_size: { enabled: true }, bdb_ram_dataset_overhead: { enabled: true, threshold: '4' } })
    await fillMemory(endpoints[0].port, 12_000_000)
    const value = await watch.seen('bdbs', 'bdb_size', uid)
    assert.ok(value.memory_util >= 80 && value.threshold === '80')
    await watch.seen('bdbs', 'bdb_ram_dataset_overhead', uid)
    await command(endpoints[0].port, 'FLUSHALL')
    await watch.over('bdbs', 'bdb_size', uid)
    await it.api.put(`/v1/bdbs/${uid}`, { memory_size: 400_000_000 })
    await it.active(uid)
    await watch.over('bdbs', 'bdb_ram_dataset_overhead', uid)
    await remove(uid)
  })

  test('too many requests, too few, and slow ones', async (t) => {
    const { uid, endpoints } = await it.create({ name: 'busy', email_alerts: true })
    await watch.setOf(uid, {
      bdb_high_throughput: { enabled: true, threshold: '50' },
      bdb_low_throughput: { enabled: true, threshold: '5' },
      bdb_high_latency: { enabled: true, threshold: '2000' },
    })
    await watch.seen('bdbs', 'bdb_low_throughput', uid)
    const load = await loadOn(t, endpoints[0].port, (send) =>
      Promise.all(Array.from({ length: 20 }, () => send('GET', 'key'))),
    )
    await watch.seen('bdbs', 'bdb_high_throughput', uid)
    await watch.over('bdbs', 'bdb_low_throughput', uid)
    await load.stop()
    const spin = 'local n = 0; for i = 1, 3000000 do n = n + i end; return n'
    const slow = await loadOn(t, endpoints[0].port, (send) => send('EVAL', spin, '0'))
    await watch.seen('bdbs', 'bdb_high_latency', uid)
    await slow.stop()
    await watch.over('bdbs', 'bdb_high_throughput', uid)
    await watch.over('bdbs', 'bdb_high_latency', uid)
    await remove(uid)
  })

  test('an engine that cannot be started: a process down, a replica cut, checks and actions that fail', async () => {
    const { uid } = await it.create({ name: 'cut', replication: true, email_alerts: true })
    const { json: shards } = await it.api.get(`/v1/bdbs/${uid}/shards`)
    const replica = shards.find(({ role }: { role: string }) => role === 'slave')
    const { uid: alone } = await it.create({ name: 'alone', email_alerts: true })
    const { json: own } = await it.api.get(`/v1/bdbs/${alone}/shards`)
    await watch.setOf(alone, { bdb_long_running_action: { enabled: true, threshold: '0' } })
    await watch.set({ alert_settings: { node_checks_error: true } })
    await chmod(engine, 0o644)
    for (const { pid, shardUid } of await it.engines())
      if ([replica.uid, own[0].uid].map(String).includes(String(shardUid))) killNow(pid)
    assert.equal((await watch.seen('bdbs', 'bdb_shard_down', uid)).shards_down, 1)
    assert.equal((await watch.seen('bdbs', 'bdb_replica_out_of_sync', uid)).replicas_out_of_sync, 1)
    await watch.seen('bdbs', 'bdb_long_running_action', alone)
    await watch.seen('nodes', 'node_checks_error', 1)
    await watch.seen('bdbs', 'bdb_action_failed', alone)
    await chmod(engine, 0o755)
    await watch.over('bdbs', 'bdb_shard_down', uid)
    await watch.over('bdbs', 'bdb_replica_out_of_sync', uid)
    await watch.over('bdbs', 'bdb_long_running_action', alone)
    const changed = await until('a change to be taken', async () => {
      const reply = await it.api.put(`/v1/bdbs/${alone}`, { eviction_policy: 'allkeys-lru' })
      return reply.status === 200 && reply
    })
    assert.ok(changed)
    await it.active(alone)
    await watch.over('bdbs', 'bdb_action_failed', alone)
  })

  async function remove(...uids: number[]): Promise<void> {
    for (const uid of uids) {
      assert.equal((await it.api.delete(`/v1/bdbs/${uid}`)).status, 200)
      await it.gone(uid)
    }
  }
})

async function fillMemory(port: number, bytes: number): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  await client.connect()
  const value = 'x'.repeat(100_000)
  try {
    for (let at = 0; at < bytes; at += value.length) await client.set(`key:${at}`, value)
  } catch (error) {
    // It is full: that is what it is about.
    assert.match(String(error), /OOM/)
  } finally {
    await client.close()
  }
}

async function command(port: number, ...words: string[]): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  await client.connect()
  await client.sendCommand(words)
  await client.close()
}

/** Goes on until it is stopped, or the test ends, or a request of it is refused. */
async function loadOn(
  t: CleanUps,
  port: number,
  act: (send: (...words: string[]) => Promise<unknown>) => Promise<unknown>,
): Promise<{ stop(): Promise<void> }> {
  const client = createClient({ url: `redis://127.0.0.1:${port}` })
  await client.connect()
  let isOver = false
  const loop = async () => {
    while (!isOver) await act((...words) => client.sendCommand(words))
  }
  const running = loop()
  running.catch(() => undefined)
  const stop = async () => {
    if (isOver) return
    isOver = true
    await running.finally(() => client.destroy())
  }
  t.after(stop)
  return { stop }
}
