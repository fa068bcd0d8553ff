/**
 * Metrics as Prometheus reads them, of databases that are used: both versions, their labels, figures and types.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { request } from 'node:https'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { createClient } from 'redis'
import { makeAuthority } from './support/certificates.ts'
import { type Instance, killNow } from './support/instance.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)
const REQUESTS = 20_000
/** What `loaded` writes first. */
const WARM_UP = 1_000

type Line = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number }
type Scrape = { readonly lines: readonly Line[]; readonly types: ReadonlyMap<string, string> }

withInstance('the metrics exporter', {}, (it) => {
  const ask = (path: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; body: Buffer; headers: Record<string, unknown> }>((resolve, reject) => {
      const sent = request(
        { host: '127.0.0.1', port: it().ports.metrics, path, headers, agent: false, rejectUnauthorized: false },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () =>
            resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks), headers: response.headers }),
          )
        },
      )
      sent.on('error', reject)
      sent.end()
    })
  const scrape = async (path: string): Promise<Scrape> => {
    const { status, body } = await ask(path)
    assert.equal(status, 200, String(body))
    return parse(String(body))
  }
  const value = ({ lines }: Scrape, name: string, labels: Record<string, string> = {}) =>
    lines.find((line) => line.name === name && Object.entries(labels).every(([key, text]) => line.labels[key] === text))
      ?.value

  test('both versions are well-formed, and lines that are divided by each other have the same labels', async () => {
    const { uid } = await loaded(it(), { name: 'told' })
    const bdb = String(uid)
    await until('samples of it', async () => value(await scrape('/metrics'), 'bdb_total_req', { bdb }) !== undefined)
    for (const path of ['/', '/metrics', '/v2', '/v2/node']) {
      const { lines, types } = await scrape(path)
      assert.ok(lines.length > 50, path)
      for (const { name } of lines) assert.ok(types.has(family(name, types)), `${name} has no type`)
    }
    const { lines } = await scrape('/')
    const labelsOf = (name: string) => lines.filter((line) => line.name === name).map(({ labels }) => labels)
    for (const [one, other] of [
      ['bdb_used_memory', 'bdb_memory_limit'],
      ['bdb_read_hits', 'bdb_read_misses'],
      ['node_available_memory', 'node_free_memory'],
      ['redis_used_memory', 'redis_maxmemory'],
    ] as const)
      assert.deepEqual(labelsOf(one), labelsOf(other))
    for (const labels of labelsOf('bdb_memory_limit')) assert.notEqual(Object.keys(labels).at(-1), 'bdb')
    const { lines: own } = await scrape('/v2/node')
    assert.ok(own.every(({ labels }) => labels.cluster === undefined && labels.node === undefined))
  })

  for (const layout of [{}, { sharding: true, shards_count: 2, replication: true }]) {
    test(`counters of the second version agree with what was asked: ${JSON.stringify(layout)}`, async () => {
      const { uid, ask: load } = await loaded(it(), { name: 'counted', ...layout })
      const db = String(uid)
      const sets = async () => value(await scrape('/v2'), 'endpoint_write_requests', { db }) ?? -1
      const gets = async () => value(await scrape('/v2'), 'endpoint_read_requests', { db }) ?? -1
      await until('the writes so far to be counted', async () => (await sets()) === WARM_UP)
      await load(['-t', 'set,get', '-n', String(REQUESTS)])
      const near = (grown: number) => Math.abs(grown - REQUESTS) <= REQUESTS / 100
      await until('the writes to be counted', async () => near((await sets()) - WARM_UP))
      await until('the reads to be counted', async () => near(await gets()))
      // Nobody else is busy: the node's latency is that of this database.
      const busy = load(['-t', 'get', '-n', String(5 * REQUESTS)])
      await until('a latency', async () => (value(await scrape('/metrics'), 'node_avg_latency') ?? 0) > 0)
      await busy
      const histogram = 'endpoint_read_requests_latency_histogram'
      const bucket = (told: Scrape, le: string) => value(told, `${histogram}_bucket`, { db, le })
      // An engine is asked for it every ten seconds.
      await until('its latencies', async () => bucket(await scrape('/v2'), '+Inf') === 6 * REQUESTS, 30_000)
      const told = await scrape('/v2')
      assert.equal(told.types.get('endpoint_write_requests'), 'counter')
      assert.equal(told.types.get(histogram), 'histogram')
      assert.equal(value(told, `${histogram}_count`, { db }), 6 * REQUESTS)
      assert.equal(bucket(told, String(2 ** 21)), 6 * REQUESTS)
      const mean = (value(told, `${histogram}_sum`, { db }) ?? 0) / (6 * REQUESTS)
      const isBelow = (le: number) => (bucket(told, String(le)) ?? 0) > 0
      assert.ok(isBelow(2 ** Math.ceil(Math.log2(Math.max(1, mean)) + 1)), `none as fast as the mean, ${mean} us`)
      if ('sharding' in layout) {
        const processes = told.lines.filter(({ name }) => name === 'namedprocess_namegroup_thread_cpu_seconds_total')
        const threads = processes.flatMap(({ labels }) => (labels.groupname === 'dmcproxy' ? labels.threadname : []))
        assert.ok(threads.includes('worker-1'), threads.join())
        assert.ok((value(told, 'dmcproxy_process_resident_memory_bytes') ?? 0) > 10_000_000)
        assert.ok((value(told, 'dmcproxy_process_cpu_usage_percent') ?? -1) >= 0)
      }
      const roles = told.lines.filter(({ name, labels }) => name === 'redis_server_up' && labels.db === db)
      assert.deepEqual(
        roles.map(({ labels, value: up }) => `${labels.role} ${up}`).sort(),
        'sharding' in layout ? ['master 1', 'master 1', 'slave 1', 'slave 1'] : ['master 1'],
      )
    })
  }

  for (const layout of [{}, { sharding: true, shards_count: 2 }]) {
    test(`logins are counted by how they end, and what replicas say is no request: ${JSON.stringify(layout)}`, async () => {
      const { uid, endpoints } = await it().create({ ...layout, replication: true, authentication_redis_pass: 'right' })
      const db = String(uid)
      const told = async (name: string) => value(await scrape('/v2'), `endpoint_${name}`, { db }) ?? Number.NaN
      const [good, bad] = ['successful_user_password_authentication', 'failed_user_password_authentication']
      const logIn = (password: string) =>
        run('redis-cli', ['-p', String(endpoints[0].port), '--pass', password, 'ping'])
      // Replicas log in as well, and an idle database is looked at every four seconds.
      await until('counters', async () => (await told(good)) >= 0)
      await delay(5_000)
      const before = [await told(good), await told(bad)] as const
      for (const password of ['right', 'wrong', 'right', 'wrong', 'right']) await logIn(password)
      await until('logins', async () => (await told(good)) - before[0] === 3 && (await told(bad)) - before[1] === 2)
      // A replica says once a second how far it is.
      await delay(5_000)
      const requests = await told('other_requests')
      await delay(5_000)
      assert.equal(await told('other_requests'), requests)
    })
  }

  test('limits are above 0 also without one, and what is gone is told no more', async () => {
    const { json } = await it().api.post('/v1/bdbs', { name: 'unlimited', memory_size: 0 })
    await it().active(json.uid)
    const db = String(json.uid)
    const limit = async (name: string, labels: Record<string, string>) => value(await scrape('/v2'), name, labels)
    await until('it to be told', async () => ((await limit('redis_server_maxmemory', { db })) ?? 0) > 0)
    assert.ok(((await limit('db_memory_limit_bytes', { db })) ?? 0) > 0)
    await it().api.delete(`/v1/bdbs/${json.uid}`)
    await it().gone(json.uid)
    await until('it to be told no more', async () => (await limit('db_memory_limit_bytes', { db })) === undefined)
  })

  test('tags of databases are told once that is wanted, those with the keys that were chosen, also after a restart', async () => {
    const tags = ['env', 'Team', 'secret'].map((key) => ({ key, value: `${key} "1"`.replaceAll('"', '') }))
    const { uid } = await it().create({ name: 'tagged', tags })
    await it().create({ name: 'bare' })
    const path = '/v1/metrics_config'
    const told = async () =>
      (await scrape('/v2')).lines.filter(({ name }) => name === 'db_tags').map(({ labels }) => labels)
    const change = async (body: object) => {
      const { status, json, text } = await it().api.put(path, body)
      assert.equal(status, 200, text)
      assert.deepEqual((await it().api.get(path)).json, json)
    }
    await change({ metrics_tag_keys_exposed: ['env', 'team', 'Team'] })
    assert.deepEqual(await told(), [])
    await change({ expose_db_tags: true, local_storage_retention_days: 14 })
    const wanted = { cluster: 'cluster.local', db: String(uid), env: 'env 1', Team: 'Team 1' }
    await until('its tags', async () => (await told()).length === 1)
    assert.deepEqual(await told(), [wanted])
    await it().kill()
    await it().start()
    assert.deepEqual((await it().api.get(path)).json, {
      key_distribution_enabled: false,
      key_size_buckets: '',
      key_items_buckets: '',
      local_storage_max_size_mb: 1024,
      local_storage_retention_days: 14,
      expose_db_tags: true,
      metrics_tag_keys_exposed: ['env', 'team', 'Team'],
      max_requests_in_flight: 2,
    })
    await until('its tags after the restart', async () => (await told()).length === 1)
    const { json: events } = await it().api.get('/v1/logs?order=desc&limit=40')
    assert.ok(events.some(({ type }: { type: string }) => type === 'metrics_config_updated'))
    for (const body of [{}, { expose: true }, { max_requests_in_flight: -1 }, { metrics_tag_keys_exposed: ['db'] }])
      assert.equal((await it().api.put(path, body)).status, 400, JSON.stringify(body))
  })

  test('as many requests are answered at once as the cluster says, and those that are turned away hear so', async () => {
    const burst = async (path: string) => {
      const answers = await Promise.all(Array.from({ length: 30 }, () => ask(path, { 'accept-encoding': 'gzip' })))
      return answers.map(({ status }) => status)
    }
    const limit = async (max_requests_in_flight: number) =>
      assert.equal((await it().api.put('/v1/metrics_config', { max_requests_in_flight })).status, 200)
    await limit(1)
    const seen = await until('one to be turned away', async () => {
      const statuses = await burst('/v2')
      return statuses.includes(503) && statuses
    })
    assert.ok(seen.includes(200) && seen.every((status) => status === 200 || status === 503), seen.join(' '))
    assert.ok(
      (await burst('/metrics')).every((status) => status === 200),
      'the first version knows no such limit',
    )
    await limit(0)
    assert.ok((await burst('/v2')).every((status) => status === 200))
  })

  test('processes of shards are told with what they have open and how large they are, links and statuses by their numbers', async (t) => {
    const { uid, endpoints } = await it().create({ name: 'sized', replication: true, slave_buffer: '300' })
    const db = String(uid)
    const of = async (name: string, labels: Record<string, string> = {}) =>
      value(await scrape('/v2'), name, { db, ...labels }) ?? Number.NaN
    const files = () => of('namedprocess_namegroup_open_filedesc', { role: 'master' })
    const before = await until('the files of the primary', async () => (await files()) > 0 && (await files()))
    const clients = Array.from({ length: 40 }, () => createClient({ url: `redis://127.0.0.1:${endpoints[0].port}` }))
    t.after(async () => {
      for (const client of clients) client.destroy()
    })
    for (const client of clients) await client.on('error', () => undefined).connect()
    await until('more files', async () => (await files()) >= before + 30)
    const memory = (memtype: string) => of('namedprocess_namegroup_memory_bytes', { role: 'master', memtype })
    assert.ok((await memory('virtual')) > (await memory('resident')))
    assert.ok((await of('namedprocess_namegroup_thread_count', { role: 'slave' })) > 1)
    assert.equal(await of('redis_server_slave_buffer'), 300 * 1024 * 1024)
    assert.equal(await of('redis_server_master_link_status', { role: 'master' }), 3)
    assert.equal(await of('redis_server_master_link_status', { role: 'slave' }), 1)
    assert.equal(await of('db_status'), 0)
    const port = String(endpoints[0].port)
    assert.equal(await of('db_config', { db_name: 'sized', db_port: port, tls_mode: 'disabled' }), 1)
    const old = await scrape('/metrics')
    const limit = value(old, 'redis_process_max_fds', { bdb: db, role: 'master' }) ?? 0
    assert.ok(limit > (value(old, 'redis_process_open_fds', { bdb: db, role: 'master' }) ?? limit))
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
      value(await scrape('/v2'), `${what}_ping_failures`, labels) ?? Number.NaN
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
        const seconds = value(text, `${what}_ping_failure_duration_seconds`, labels) ?? 0
        return (value(text, `${what}_ping_failures`, labels) ?? 0) > 1 && seconds > 0
      })
    signal('SIGCONT')
    for (const [what, labels] of asked) {
      await until(`${what} to answer again`, async () => (await of(what, labels)) === 0)
      assert.equal(value(await scrape('/v2'), `${what}_ping_failure_duration_seconds`, labels), 0)
    }
    await it().settled()
  })

  test("a certificate between nodes that is somebody else's is told, and the state of the cluster counts on", async () => {
    const told = async (name: string) => value(await scrape('/v2'), name, { node: '1' }) ?? Number.NaN
    assert.equal(await told('customer_managed_ine_certificates'), 0)
    const before = await told('generation')
    assert.ok(before > 0)
    const { certificate, key } = await makeAuthority('somebody')
    const put = await it().api.put('/v1/cluster/update_cert', { name: 'data_internode_encryption', certificate, key })
    assert.equal(put.status, 200, put.text)
    await until('it to be told', async () => (await told('customer_managed_ine_certificates')) === 1)
    assert.ok((await told('generation')) > before)
  })

  test('a password is needed once the cluster says so, and text is packed for those who take it', async () => {
    const packed = await ask('/v2', { 'accept-encoding': 'gzip' })
    assert.equal(packed.headers['content-encoding'], 'gzip')
    assert.match(String(gunzipSync(packed.body)), /# TYPE node_metrics_up gauge/)
    assert.equal((await ask('/v3')).status, 404)
    assert.equal((await it().api.put('/v1/cluster', { metrics_auth: true })).status, 200)
    assert.equal((await ask('/metrics')).status, 401)
    const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` })
    assert.equal((await ask('/metrics', basic(it().api.auth))).status, 200)
    assert.equal((await ask('/metrics', basic('admin@example.com:wrong'))).status, 401)
    await it().api.put('/v1/cluster', { metrics_auth: false })
    assert.equal((await ask('/metrics')).status, 200)
  })
})

async function loaded(it: Instance, body: Record<string, unknown>) {
  const { uid, endpoints } = await it.create({ memory_size: 100_000_000, ...body })
  const ask = (args: readonly string[]) =>
    run('redis-benchmark', ['-p', String(endpoints[0].port), '-c', '8', '-r', '1000', '-q', ...args])
  await ask(['-t', 'set', '-n', String(WARM_UP)])
  return { uid, ask }
}

/** Throws for what Prometheus would not take. */
function parse(text: string): Scrape {
  const types = new Map<string, string>()
  const lines: Line[] = []
  let current = ''
  for (const line of text.split('\n').filter((one) => one !== '')) {
    const [, typed, type] = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram)$/.exec(line) ?? []
    if (typed && type) {
      assert.ok(!types.has(typed), `${typed} is there twice`)
      types.set(typed, type)
      current = typed
      continue
    }
    const [, name = '', , inner = '', number = ''] =
      /^([a-zA-Z_:][\w:]*)(\{(.*)\})? (-?[\d.e+-]+|[+-]Inf)$/.exec(line) ?? assert.fail(`no such line: ${line}`)
    assert.equal(family(name, types), current, `${name} stands apart from its kind`)
    const labels = Object.fromEntries(
      [...inner.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', of = '']) => [key, of]),
    )
    assert.ok(!name.endsWith('_sum') || /\d/.test(number), `a sum without end: ${line}`)
    lines.push({ name, labels, value: Number(number) })
  }
  const keys = lines.map(({ name, labels }) => `${name}${JSON.stringify(labels)}`)
  assert.equal(new Set(keys).size, keys.length, 'a line is there twice')
  return { lines, types }
}

function family(name: string, types: ReadonlyMap<string, string>): string {
  const whole = name.replace(/_(bucket|sum|count)$/, '')
  return types.get(whole) === 'histogram' ? whole : name
}
