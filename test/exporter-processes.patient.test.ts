/**
 * What metrics tell of processes: what they have open, how large they are, how they are linked, and whether they answer.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from 'redis'
import { makeAuthority } from './support/certificates.ts'
import { killNow } from './support/instance.ts'
import { scraperOf, valueIn } from './support/metrics.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

withInstance('metrics of processes', {}, (it) => {
  const { scrape } = scraperOf(it)

  test('processes of shards are told with what they have open and how large they are, links and statuses by their numbers', async (t) => {
    const { uid, endpoints } = await it().create({ name: 'sized', replication: true, slave_buffer: '300' })
    const db = String(uid)
    const of = async (name: string, labels: Record<string, string> = {}) =>
      valueIn(await scrape('/v2'), name, { db, ...labels }) ?? Number.NaN
    const files = () => of('namedprocess_namegroup_open_filedesc', { role: 'master' })
    const before = await until('the files of the primary', async () => (await files()) > 0 && (await files()))
    const clients = Array.from({ length: 40 }, () => createClient({ url: `redis://127.0.0.1:${endpoints[0].port}` }))
    t.after(async () => {
      for (const client of clients) client.destroy()
    })
    for (const client of clients) await client.on('error', () => undefined).connect()
    // How large a process is, is looked at twice a minute.
    await until('more files', async () => (await files()) >= before + 30, 60_000)
    const memory = (memtype: string) => of('namedprocess_namegroup_memory_bytes', { role: 'master', memtype })
    assert.ok((await memory('virtual')) > (await memory('resident')))
    assert.ok((await of('namedprocess_namegroup_thread_count', { role: 'slave' })) > 1)
    assert.equal(await of('redis_server_slave_buffer'), 300 * 1024 * 1024)
    assert.equal(await of('redis_server_master_link_status', { role: 'slave' }), 1)
    assert.equal(await of('db_status', { status: 'active' }), 0)
    const port = String(endpoints[0].port)
    assert.equal(await of('db_config', { db_name: 'sized', db_port: port, tls_mode: 'disabled' }), 1)
    const old = await scrape('/metrics')
    const limit = valueIn(old, 'redis_process_max_fds', { bdb: db, role: 'master' }) ?? 0
    assert.ok(limit > (valueIn(old, 'redis_process_open_fds', { bdb: db, role: 'master' }) ?? limit))
    const load = createClient({ url: `redis://127.0.0.1:${port}` })
    await load.connect()
    t.after(async () => load.destroy())
    await until('operations and connections per second', async () => {
      await Promise.all(Array.from({ length: 200 }, () => load.ping()))
      await createClient({ url: `redis://127.0.0.1:${port}` })
        .connect()
        .then((one) => one.close())
      const isBusy = (await of('redis_server_instantaneous_ops_per_sec', { role: 'master' })) > 10
      return isBusy && (await of('endpoint_connections_rate')) > 0
    })
  })

  test('shards, endpoints and the proxy that do not answer are counted, until they do again', async (t) => {
    await it().api.put('/v1/cluster/policy', { failure_detection_sensitivity: 'low' })
    const plain = await it().create({ name: 'plain' })
    const sharded = await it().create({ name: 'sharded', sharding: true, shards_count: 2 })
    const of = async (what: string, labels: Record<string, string>) =>
      valueIn(await scrape('/v2'), `${what}_ping_failures`, labels) ?? Number.NaN
    const [db, other] = [String(plain.uid), String(sharded.uid)]
    const asked = [
      ['shard', { shard_uid: String(plain.shard_list[0]) }],
      ['endpoint', { endpoint_uid: `${db}:1` }],
      ['endpoint', { endpoint_uid: `${other}:1` }],
      ['dmc', { node: '1' }],
    ] as const
    for (const [what, labels] of asked) await until(`${what} to answer`, async () => (await of(what, labels)) === 0)
    const engine = (await it().engines()).find(({ shardUid }) => shardUid === Number(plain.shard_list[0]))
    const frozen = [engine?.pid ?? 0, ...(await it().proxies())]
    assert.ok(frozen.length > 1 && frozen.every((pid) => pid > 0))
    const signal = (name: NodeJS.Signals) => {
      for (const pid of frozen) killNow(pid, name)
    }
    t.after(async () => signal('SIGCONT'))
    signal('SIGSTOP')
    for (const [what, labels] of asked)
      await until(`${what} not to answer`, async () => {
        const text = await scrape('/v2')
        const seconds = valueIn(text, `${what}_ping_failure_duration_seconds`, labels) ?? 0
        return (valueIn(text, `${what}_ping_failures`, labels) ?? 0) > 1 && seconds > 0
      })
    signal('SIGCONT')
    for (const [what, labels] of asked) {
      await until(`${what} to answer again`, async () => (await of(what, labels)) === 0)
      assert.equal(valueIn(await scrape('/v2'), `${what}_ping_failure_duration_seconds`, labels), 0)
    }
    await it().settled()
  })

  test('a certificate between nodes that somebody brought is told, and the state of the cluster counts on', async () => {
    const told = async (name: string) => valueIn(await scrape('/v2'), name, { node: '1' }) ?? Number.NaN
    assert.equal(await told('customer_managed_ine_certificates'), 0)
    const before = await told('generation')
    assert.ok(before > 0)
    const { certificate, key } = await makeAuthority('somebody')
    const put = await it().api.put('/v1/cluster/update_cert', { name: 'data_internode_encryption', certificate, key })
    assert.equal(put.status, 200, put.text)
    await until('it to be told', async () => (await told('customer_managed_ine_certificates')) === 1)
    assert.ok((await told('generation')) > before)
  })
})
