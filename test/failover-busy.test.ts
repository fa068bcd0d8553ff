/**
 * A primary that does not answer because it works hard, or because the machine does not let it, is left alone: nothing is
 * won by replacing it, and everything may be lost. So is whoever stands still with the only copy of its data.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, rmdir, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { killNow, startInstance } from './support/instance.ts'
import { inStep, pidOf, receiptsOf } from './support/replicas.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)
/** Longer than a process may be silent that does nothing. */
const SILENT_MS = 6_000
/** Longer than it takes at most to see that a process without replicas hangs: it is asked every five seconds. */
const STANDING_MS = 16_000
/** How long a file system may stay frozen at most, should the test that froze it be killed itself. */
const FROZEN_S = 30
/** Where processes can be given little of the processor; elsewhere there is no such folder. */
const CPU_GROUPS = '/sys/fs/cgroup/cpu'
const NO_GROUPS = existsSync(join(CPU_GROUPS, 'cpu.cfs_quota_us')) ? false : 'this machine has no cgroups of version 1'
const ALWAYS = { data_persistence: 'aof', aof_policy: 'appendfsync-always' }

test('a primary that gets next to nothing of the processor is not replaced', { skip: NO_GROUPS }, async (t) => {
  const instance = await startInstance(t)
  const { uid, endpoints } = await instance.create({ replication: true, memory_size: 40_000_000 })
  const [primary = 0] = await inStep(instance, uid)
  const pid = await pidOf(instance, primary)
  const client = connect(t, endpoints[0].port)
  const spin = "local t = redis.call('TIME') while redis.call('TIME')[1] - t[1] < 2 do end return 'done'"
  const done = client.eval(spin, 0)
  await delay(100)
  const release = await starve(t, pid)
  await delay(SILENT_MS)
  await release()
  assert.equal(await done, 'done')
  assert.deepEqual(await inStep(instance, uid), [primary])
  assert.equal(await pidOf(instance, primary), pid)
  assert.deepEqual(await receiptsOf(instance, uid), [])
})

test('the only copy of its data is not ended for standing still', async (t) => {
  const instance = await startInstance(t)
  const { uid, endpoints, shard_list } = await instance.create({ memory_size: 40_000_000 })
  const client = connect(t, endpoints[0].port)
  assert.equal(await client.set('k', 'v'), 'OK')
  const pid = await pidOf(instance, shard_list[0])
  killNow(pid, 'SIGSTOP')
  await delay(STANDING_MS)
  killNow(pid, 'SIGCONT')
  assert.equal(await client.get('k'), 'v')
  assert.equal(await pidOf(instance, shard_list[0]), pid)
  assert.equal((await instance.api.get(`/v1/bdbs/${uid}`)).json.status, 'active')
})

test('a primary that waits for its disk is not replaced', async (t) => {
  const { dataDir, freeze } = await freezable(t)
  const instance = await startInstance(t, { dataDir })
  const { uid, endpoints } = await instance.create({ ...ALWAYS, replication: true, memory_size: 40_000_000 })
  const [primary = 0] = await inStep(instance, uid)
  const pid = await pidOf(instance, primary)
  const client = connect(t, endpoints[0].port)
  await client.set('before', 'x')
  const thaw = await freeze()
  const written = client.set('during', 'x')
  await delay(SILENT_MS)
  await thaw()
  assert.equal(await written, 'OK')
  assert.deepEqual(await inStep(instance, uid), [primary])
  assert.equal(await pidOf(instance, primary), pid)
  assert.deepEqual(await receiptsOf(instance, uid), [])
})

test('a primary that rewrites its file and saves under load is not replaced', async (t) => {
  const instance = await startInstance(t)
  const { uid, endpoints } = await instance.create({ ...ALWAYS, replication: true, memory_size: 800_000_000 })
  const [primary = 0] = await inStep(instance, uid)
  const pid = await pidOf(instance, primary)
  const client = connect(t, endpoints[0].port)
  const fill = "for i = 1, 100 do redis.call('SET', KEYS[1] .. i, string.rep('x', 100000)) end return 'done'"
  for (let round = 0; round < 25; round++) await client.eval(fill, 1, `big:${round}:`)
  for (const command of ['BGREWRITEAOF', 'BGSAVE']) {
    await until(`${command} to begin`, async () => {
      const { status } = await instance.api.post(`/v1/bdbs/${uid}/command`, { command })
      return status === 200
    })
    for (let key = 0; key < 200; key++) assert.equal(await client.set(`during:${key}`, 'x'.repeat(10_000)), 'OK')
  }
  await until('both to be over', async () => {
    const info = await client.info('persistence')
    return info.includes('rdb_bgsave_in_progress:0') && info.includes('aof_rewrite_in_progress:0')
  })
  assert.deepEqual(await inStep(instance, uid), [primary])
  assert.equal(await pidOf(instance, primary), pid)
  assert.deepEqual(await receiptsOf(instance, uid), [])
})

function connect(t: TestContext, port: number): Redis {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 5, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  t.after(() => client.disconnect())
  return client
}

/** Its part of one millisecond of each second, which others want too; returns how to end that. */
async function starve(t: TestContext, pid: number): Promise<() => Promise<void>> {
  const group = join(CPU_GROUPS, `holdfast-test-${process.pid}-${pid}`)
  const others: ChildProcess[] = []
  let isReleased = false
  const release = async () => {
    if (isReleased) return
    isReleased = true
    await writeFile(join(CPU_GROUPS, 'cgroup.procs'), String(pid)).catch(() => undefined)
    for (const other of others) other.kill('SIGKILL')
    // What they still have to do to end takes them time that they do not get.
    await writeFile(join(group, 'cpu.cfs_quota_us'), '-1')
    await until('its group to be empty', () => rmdir(group).then(() => true))
  }
  await mkdir(group)
  t.after(release)
  await writeFile(join(group, 'cpu.cfs_period_us'), '1000000')
  await writeFile(join(group, 'cpu.cfs_quota_us'), '1000')
  for (let count = 0; count < 10; count++) others.push(spawn('sh', ['-c', 'while :; do :; done']))
  for (const one of [pid, ...others.map((other) => other.pid)])
    await writeFile(join(group, 'cgroup.procs'), String(one))
  return release
}

/** A file system of the test's own on which everybody who writes can be made to wait. */
async function freezable(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'hf-disk-'))
  const [image, dataDir] = [join(folder, 'image'), join(folder, 'data')]
  await mkdir(dataDir)
  await writeFile(image, '')
  await truncate(image, 200_000_000)
  await run('mkfs.ext4', ['-q', image])
  let isFrozen = false
  const thaw = async () => {
    if (isFrozen) await run('fsfreeze', ['-u', dataDir])
    isFrozen = false
  }
  let isMounted = false
  t.after(async () => {
    await thaw()
    // What is still open on it is closed after this: then the kernel lets go of it.
    if (isMounted) await run('umount', ['--lazy', dataDir])
    await rm(folder, { recursive: true, force: true })
  })
  await run('mount', ['-o', 'loop', image, dataDir])
  isMounted = true
  const freeze = async () => {
    isFrozen = true
    thawedAnyway(t, dataDir)
    await run('fsfreeze', ['-f', dataDir])
    return thaw
  }
  return { dataDir, freeze }
}

/** Thaws it also when everything of the test is killed: so it is of a group of its own, and nothing of it names the test. */
function thawedAnyway(t: TestContext, mount: string): void {
  const guard = spawn('sh', ['-c', `read -r mount; sleep ${FROZEN_S}; exec fsfreeze -u "$mount"`], {
    cwd: '/',
    env: { PATH: process.env.PATH },
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  guard.stdin?.end(`${mount}\n`)
  guard.unref()
  t.after(() => {
    if (guard.pid !== undefined) killNow(-guard.pid)
  })
}
