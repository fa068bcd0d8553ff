/**
 * Alerts that the machine gives cause for, and what Holdfast itself stands on: its memory, processors, network and disk, its
 * store, and the certificates that it made years ago. Each is provoked for real, seen in the API, in the log of events, at
 * a webhook and in a mail, and over by itself when its cause is gone.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, freemem, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { createClient } from 'redis'
import { type AlertWatch, watchAlerts } from './support/alert-watch.ts'
import { endChild } from './support/children.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { type CleanUps, type Instance, startInstance } from './support/instance.ts'
import { MovedClock } from './support/moved-clock.ts'
import { sendIntoNowhere } from './support/network-card.ts'
import { makeOcspAuthority } from './support/ocsp-authority.ts'
import { mountSlowDisk, type SlowDisk } from './support/slow-disk.ts'

/** Of a threshold: an alert is over when the value is a twentieth of it away. */
const CLEARED_BELOW = 0.95
const FAST = ['--alert-period', '0.1']

describe('alerts of the machine', () => {
  const cleanUps = new CleanUpList()
  let it: Instance
  let watch: AlertWatch
  let disk: SlowDisk

  before(async () => {
    it = await startInstance(cleanUps, { args: FAST })
    // Only databases are on it, and none is there yet: what cannot be written down is another alert.
    disk = await mountSlowDisk(cleanUps, join(it.dataDir, 'shards'))
    watch = await watchAlerts(cleanUps, it)
  }, HOOK)

  after(() => cleanUps.run(), HOOK)

  test('memory that a program fills', async (t) => {
    const usedPercent = (100 * (totalmem() - freemem())) / totalmem()
    // What others do on this machine comes and goes, and is to be neither the cause nor in the way of the end.
    const threshold = usedPercent / CLEARED_BELOW + 8
    await watch.set({ alert_settings: { node_memory: { enabled: true, threshold: threshold.toFixed(2) } } })
    const bytes = Math.round(((threshold - usedPercent + 4) / 100) * totalmem())
    const hog = startProgram(t, `const held = Buffer.alloc(${bytes}, 1); setInterval(() => held.length, 1e9)`)
    const value = await watch.seen('nodes', 'node_memory', 1)
    assert.ok(value.memory_util >= threshold - 0.01, JSON.stringify(value))
    await endChild(hog)
    await watch.over('nodes', 'node_memory', 1)
  })

  test('processors that are all busy', async (t) => {
    await watch.set({ alert_settings: { node_cpu_utilization: { enabled: true, threshold: '60' } } })
    const busy = Array.from({ length: availableParallelism() }, () => startProgram(t, 'for (;;);'))
    assert.ok((await watch.seen('nodes', 'node_cpu_utilization', 1)).cpu_util >= 60)
    await Promise.all(busy.map((one) => endChild(one)))
    // Others may go on keeping the processors busy: nothing is above this.
    await watch.set({ alert_settings: { node_cpu_utilization: { threshold: '106' } } })
    await watch.over('nodes', 'node_cpu_utilization', 1)
  })

  test('much that leaves by the network', async (t) => {
    const threshold = '2000000'
    await watch.set({ alert_settings: { node_net_throughput: { enabled: true, threshold } } })
    const traffic = await sendIntoNowhere(t)
    assert.ok((await watch.seen('nodes', 'node_net_throughput', 1)).throughput >= Number(threshold))
    await traffic.stop()
    await watch.over('nodes', 'node_net_throughput', 1)
  })

  test('a disk that takes nothing for a while', async (t) => {
    await watch.set({ alert_settings: { node_aof_slow_disk_io: true } })
    const { uid, endpoints } = await it.create({ name: 'logged', data_persistence: 'aof' })
    const client = createClient({ url: `redis://127.0.0.1:${endpoints[0].port}` })
    client.on('error', () => undefined)
    await client.connect()
    t.after(async () => client.destroy())
    await disk.freeze()
    const writing = setInterval(() => client.incr('writes').catch(() => undefined), 50)
    t.after(async () => clearInterval(writing))
    assert.ok((await watch.seen('nodes', 'node_aof_slow_disk_io', 1)).delayed_fsyncs > 0)
    await disk.thaw()
    await watch.over('nodes', 'node_aof_slow_disk_io', 1)
    clearInterval(writing)
    assert.equal((await it.api.delete(`/v1/bdbs/${uid}`)).status, 200)
    await it.gone(uid)
  })

  test('an OCSP responder that is gone, and one that has revoked the certificate', async (t) => {
    const authority = await makeOcspAuthority(t)
    const use = async (...chain: readonly string[]) => {
      const certificate = (await Promise.all(chain.map((name) => authority.read(`${name}.crt`)))).join('\n')
      const key = await authority.read(`${chain[0]}.key`)
      const reply = await it.api.put('/v1/cluster/update_cert', { name: 'proxy', certificate, key })
      assert.equal(reply.status, 200, reply.text)
    }
    await watch.set({ alert_settings: { cluster_ocsp_query_failed: true, cluster_ocsp_status_revoked: true } })
    await use('leaf', 'authority')
    const turnedOn = await it.api.put('/v1/ocsp', { ocsp_functionality: true, response_timeout: 5 })
    assert.equal(turnedOn.status, 200, turnedOn.text)
    await watch.seen('cluster', 'cluster_ocsp_query_failed')
    await authority.decide('revoked')
    await authority.serve()
    assert.equal((await it.api.post('/v1/ocsp/test')).json.cert_status, 'REVOKED')
    await watch.over('cluster', 'cluster_ocsp_query_failed')
    await watch.seen('cluster', 'cluster_ocsp_status_revoked')
    await authority.stop()
    await authority.decide('good')
    await authority.serve()
    assert.equal((await it.api.post('/v1/ocsp/test')).json.cert_status, 'GOOD')
    await watch.over('cluster', 'cluster_ocsp_status_revoked')
  })
})

test('certificates that the cluster made for itself, and that have become old', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'clock-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const clock = new MovedClock(join(folder, 'days'))
  await clock.move(0)
  const it = await startInstance(t, { args: FAST, env: clock.env })
  const watch = await watchAlerts(t, it)
  await watch.set({ alert_settings: { node_internal_certs_about_to_expire: { enabled: true } } })
  // Otherwise they would be made anew at the next full hour.
  const jobs = await it.api.put('/v1/job_scheduler', { cert_rotation_job_settings: { enabled: false } })
  assert.equal(jobs.status, 200, jobs.text)
  const { json } = await it.api.get('/v1/cluster/certificates')
  const { validToDate } = new X509Certificate(json.cm_cert ?? json.api_cert)
  const lastsDays = Math.floor((validToDate.getTime() - Date.now()) / 86_400_000)
  const startAgain = async (days: number) => {
    await clock.move(days)
    await it.kill()
    await it.start()
  }
  await startAgain(lastsDays - 40)
  const value = await watch.seen('nodes', 'node_internal_certs_about_to_expire', 1)
  assert.ok(value.days_left > 30 && value.days_left <= 45, JSON.stringify(value))
  // Those that have ended are made anew when it starts.
  await startAgain(lastsDays + 2)
  await watch.over('nodes', 'node_internal_certs_about_to_expire', 1)
})

test('a store that does not answer is told of at once, and so is its return', async (t) => {
  const it = await startInstance(t, { args: FAST, store: 'etcd' })
  const watch = await watchAlerts(t, it)
  await watch.set({ alert_settings: { cluster_internal_bdb: true } })
  const pid = it.etcd?.pid ?? 0
  assert.ok(pid > 0)
  process.kill(pid, 'SIGSTOP')
  try {
    assert.match((await watch.seen('cluster', 'cluster_internal_bdb')).error, /./)
  } finally {
    process.kill(pid, 'SIGCONT')
  }
  await watch.over('cluster', 'cluster_internal_bdb')
})

/** Runs what is given until it is ended, or the test is over. */
function startProgram(t: CleanUps, source: string): ChildProcess {
  const child = spawn(process.execPath, ['-e', source], { stdio: 'ignore' })
  t.after(() => endChild(child))
  return child
}
