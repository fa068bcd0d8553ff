/**
 * Every alert that can be true of one node, provoked for real: seen in the API, in the log of events, at a webhook and in a
 * mail, and over by itself when its cause is gone.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { chmod, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { makeAuthority } from './support/certificates.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { type CleanUps, type Instance, killNow, startInstance } from './support/instance.ts'
import { type MailServer, startMailServer } from './support/mail-server.ts'
import { until } from './support/wait.ts'
import { startWebhookReceiver, type WebhookReceiver } from './support/webhook-receiver.ts'

const run = promisify(execFile)

describe('alerts of one node', () => {
  const cleanUps = new CleanUpList()
  let it: Instance
  let mails: MailServer
  let receiver: WebhookReceiver
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
    mails = await startMailServer(cleanUps)
    receiver = await startWebhookReceiver(cleanUps)
    await set({ smtp_host: '127.0.0.1', smtp_port: mails.port, email_from: 'holdfast@example.com', email_alerts: true })
    const people = await it.api.put('/v1/users/1', { cluster_email_alerts: true, email_alerts: true })
    assert.equal(people.status, 200, people.text)
    assert.equal((await it.api.post('/v1/webhooks', { url: receiver.url })).status, 200)
  }, HOOK)

  after(() => cleanUps.run(), HOOK)

  test('a certificate that runs out soon', async () => {
    const { certificate, key } = await (await makeAuthority('somebody')).issue('short', 10)
    await set({ alert_settings: { cluster_certs_about_to_expire: { enabled: true } } })
    const put = await it.api.put('/v1/cluster/update_cert', { name: 'proxy', certificate, key })
    assert.equal(put.status, 200, put.text)
    const value = await seen('cluster', 'cluster_certs_about_to_expire')
    assert.deepEqual([value.certificate, value.global_threshold], ['proxy', '45'])
    await it.api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })
    await over('cluster', 'cluster_certs_about_to_expire')
  })

  test('certificates of the cluster itself', async () => {
    await set({ alert_settings: { node_internal_certs_about_to_expire: { enabled: true, threshold: '900' } } })
    await seen('nodes', 'node_internal_certs_about_to_expire', 1)
    await set({ alert_settings: { node_internal_certs_about_to_expire: { threshold: '45' } } })
    await over('nodes', 'node_internal_certs_about_to_expire', 1)
  })

  test('more memory promised than there is, and too few nodes for a replica', async () => {
    await set({ alert_settings: { cluster_ram_overcommit: true, cluster_too_few_nodes_for_replication: true } })
    const half = Math.ceil(totalmem() * 0.6)
    const one = await it.create({ name: 'one', memory_size: half })
    const other = await it.create({ name: 'other', memory_size: half, replication: true })
    assert.ok((await seen('cluster', 'cluster_ram_overcommit')).promised_bytes > totalmem())
    await seen('cluster', 'cluster_too_few_nodes_for_replication')
    await remove(one.uid, other.uid)
    await over('cluster', 'cluster_ram_overcommit')
    await over('cluster', 'cluster_too_few_nodes_for_replication')
  })

  test('many users', async () => {
    await set({ alert_settings: { cluster_users_count_approaches_limit: { threshold: '0.01' } } })
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
    await seen('cluster', 'cluster_users_count_approaches_limit')
    for (const uid of uids) await it.api.delete(`/v1/users/${uid}`)
    await over('cluster', 'cluster_users_count_approaches_limit')
  })

  test('full disks, and no room to rewrite a log of writes', async () => {
    const { uid, endpoints } = await it.create({ name: 'logged', memory_size: 30_000_000, data_persistence: 'aof' })
    await fillMemory(endpoints[0].port, 8_000_000)
    await set({
      alert_settings: {
        node_persistent_storage: { enabled: true, threshold: '80' },
        node_ephemeral_storage: { enabled: true, threshold: '80' },
        node_insufficient_disk_aofrw: true,
      },
    })
    const ballast = join(disk, 'ballast')
    const { stdout } = await run('df', ['--output=avail', '-B1', disk])
    await writeFile(ballast, Buffer.alloc(Number(stdout.split('\n')[1]) - 3_000_000))
    const value = await seen('nodes', 'node_persistent_storage', 1)
    assert.ok(value.storage_util > 80 && value.global_threshold === '80')
    await seen('nodes', 'node_ephemeral_storage', 1)
    assert.ok((await seen('nodes', 'node_insufficient_disk_aofrw', 1)).missing > 0)
    await rm(ballast)
    await over('nodes', 'node_persistent_storage', 1)
    await over('nodes', 'node_ephemeral_storage', 1)
    await over('nodes', 'node_insufficient_disk_aofrw', 1)
    await remove(uid)
  })

  test('memory, processors and network of the node', async () => {
    const names = ['node_memory', 'node_cpu_utilization', 'node_net_throughput']
    // What this machine does is not the test's: the threshold goes beyond it, and back.
    const all = (threshold: string) => Object.fromEntries(names.map((name) => [name, { enabled: true, threshold }]))
    await set({ alert_settings: all('0') })
    for (const name of names) await seen('nodes', name, 1)
    await set({ alert_settings: { ...all('1000'), node_net_throughput: { enabled: true, threshold: '999999999999' } } })
    for (const name of names) await over('nodes', name, 1)
  })

  test('a full database, and one that has much beside its data', async () => {
    const { uid, endpoints } = await it.create({
      name: 'full',
      memory_size: 12_000_000,
      eviction_policy: 'noeviction',
      email_alerts: true,
    })
    await setOf(uid, { bdb_size: { enabled: true }, bdb_ram_dataset_overhead: { enabled: true, threshold: '4' } })
    await fillMemory(endpoints[0].port, 12_000_000)
    const value = await seen('bdbs', 'bdb_size', uid)
    assert.ok(value.memory_util >= 80 && value.threshold === '80')
    await seen('bdbs', 'bdb_ram_dataset_overhead', uid)
    await command(endpoints[0].port, 'FLUSHALL')
    await over('bdbs', 'bdb_size', uid)
    await it.api.put(`/v1/bdbs/${uid}`, { memory_size: 400_000_000 })
    await it.active(uid)
    await over('bdbs', 'bdb_ram_dataset_overhead', uid)
    await remove(uid)
  })

  test('too many requests, too few, and slow ones', async (t) => {
    const { uid, endpoints } = await it.create({ name: 'busy', email_alerts: true })
    await setOf(uid, {
      bdb_high_throughput: { enabled: true, threshold: '50' },
      bdb_low_throughput: { enabled: true, threshold: '5' },
      bdb_high_latency: { enabled: true, threshold: '2000' },
    })
    await seen('bdbs', 'bdb_low_throughput', uid)
    const load = await loadOn(t, endpoints[0].port, (send) =>
      Promise.all(Array.from({ length: 20 }, () => send('GET', 'key'))),
    )
    await seen('bdbs', 'bdb_high_throughput', uid)
    await over('bdbs', 'bdb_low_throughput', uid)
    await load.stop()
    const spin = 'local n = 0; for i = 1, 3000000 do n = n + i end; return n'
    const slow = await loadOn(t, endpoints[0].port, (send) => send('EVAL', spin, '0'))
    await seen('bdbs', 'bdb_high_latency', uid)
    await slow.stop()
    await over('bdbs', 'bdb_high_throughput', uid)
    await over('bdbs', 'bdb_high_latency', uid)
    await remove(uid)
  })

  test('an engine that cannot be started: a process down, a replica cut, checks and actions that fail', async () => {
    const { uid } = await it.create({ name: 'cut', replication: true, email_alerts: true })
    const { json: shards } = await it.api.get(`/v1/bdbs/${uid}/shards`)
    const replica = shards.find(({ role }: { role: string }) => role === 'slave')
    const { uid: alone } = await it.create({ name: 'alone', email_alerts: true })
    const { json: own } = await it.api.get(`/v1/bdbs/${alone}/shards`)
    await setOf(alone, { bdb_long_running_action: { enabled: true, threshold: '0' } })
    await set({ alert_settings: { node_checks_error: true } })
    await chmod(engine, 0o644)
    for (const { pid, shardUid } of await it.engines())
      if ([replica.uid, own[0].uid].map(String).includes(String(shardUid))) killNow(pid)
    assert.equal((await seen('bdbs', 'bdb_shard_down', uid)).shards_down, 1)
    assert.equal((await seen('bdbs', 'bdb_replica_out_of_sync', uid)).replicas_out_of_sync, 1)
    await seen('bdbs', 'bdb_long_running_action', alone)
    await seen('nodes', 'node_checks_error', 1)
    await seen('bdbs', 'bdb_action_failed', alone)
    await chmod(engine, 0o755)
    await over('bdbs', 'bdb_shard_down', uid)
    await over('bdbs', 'bdb_replica_out_of_sync', uid)
    await over('bdbs', 'bdb_long_running_action', alone)
    const changed = await until('a change to be taken', async () => {
      const reply = await it.api.put(`/v1/bdbs/${alone}`, { eviction_policy: 'allkeys-lru' })
      return reply.status === 200 && reply
    })
    assert.ok(changed)
    await it.active(alone)
    await over('bdbs', 'bdb_action_failed', alone)
  })

  async function set(settings: object): Promise<void> {
    const reply = await it.api.put('/v1/cluster', settings)
    assert.equal(reply.status, 200, reply.text)
  }

  async function setOf(uid: number, settings: object): Promise<void> {
    const reply = await it.api.post(`/v1/bdbs/alerts/${uid}`, settings)
    assert.equal(reply.status, 200, reply.text)
  }

  type Noun = 'cluster' | 'nodes' | 'bdbs'

  const seen = (noun: Noun, name: string, uid?: number) => everywhere(noun, name, uid, true)
  const over = (noun: Noun, name: string, uid?: number) => everywhere(noun, name, uid, false)

  /** In the API, the log, at the webhook and in a mail. Resolves with the value that it changed with. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
  async function everywhere(noun: Noun, name: string, uid: number | undefined, isOn: boolean): Promise<any> {
    const path = `/v1/${noun}/alerts${uid === undefined ? '' : `/${uid}`}/${name}`
    const { json } = await until(`${name} to be ${isOn}`, async () => {
      const reply = await it.api.get(path)
      if (reply.json.state !== isOn) throw new Error(reply.text)
      return reply
    })
    assert.ok(json.enabled)
    const object = noun === 'cluster' ? 'cluster' : `${noun === 'nodes' ? 'node' : 'bdb'}:${uid}`
    const event = name.replace(/^(cluster|node|bdb)_/, '')
    await until(`the event ${event}`, async () => {
      const { json: events } = await it.api.get('/v1/logs?order=desc&limit=40')
      return events.some(
        (one: Record<string, unknown>) => one.type === event && one.object === object && one.state === isOn,
      )
    })
    await until(`${name} at the webhook`, () =>
      receiver.deliveries.some(({ body }) =>
        JSON.parse(body).alerts.some(
          (one: Record<string, unknown>) => one.name === name && one.object === object && one.state === isOn,
        ),
      ),
    )
    if (noun !== 'bdbs' || uid === undefined || (await it.api.get(`/v1/bdbs/${uid}`)).json.email_alerts)
      await until(`${name} in a mail`, () =>
        mails.mails.some(({ text }) => {
          const [raised = '', ended = ''] = unfolded(text).split(/^Over\r?$/m)
          return (isOn ? raised : ended).includes(name)
        }),
      )
    return json.change_value
  }

  async function remove(...uids: number[]): Promise<void> {
    for (const uid of uids) {
      assert.equal((await it.api.delete(`/v1/bdbs/${uid}`)).status, 200)
      await it.gone(uid)
    }
  }
})

/** Quoted-printable lines put together again. */
function unfolded(mail: string): string {
  return mail.slice(mail.indexOf('\r\n\r\n')).replace(/=\r?\n/g, '')
}

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
