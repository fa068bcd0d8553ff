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
import type { Instance } from './support/instance.ts'
import { family, type Scrape, scraperOf, valueIn } from './support/metrics.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)
const REQUESTS = 20_000
/** What `loaded` writes first. */
const WARM_UP = 1_000

withInstance('the metrics exporter', {}, (it) => {
  const { ask, scrape } = scraperOf(it)

  test('both versions are well-formed, and lines that are divided by each other have the same labels', async () => {
    const { uid } = await loaded(it(), { name: 'told' })
    const bdb = String(uid)
    await until('samples of it', async () => valueIn(await scrape('/metrics'), 'bdb_total_req', { bdb }) !== undefined)
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
      const sets = async () => valueIn(await scrape('/v2'), 'endpoint_write_requests', { db }) ?? -1
      const gets = async () => valueIn(await scrape('/v2'), 'endpoint_read_requests', { db }) ?? -1
      await until('the writes so far to be counted', async () => (await sets()) === WARM_UP)
      await load(['-t', 'set,get', '-n', String(REQUESTS)])
      const near = (grown: number) => Math.abs(grown - REQUESTS) <= REQUESTS / 100
      await until('the writes to be counted', async () => near((await sets()) - WARM_UP))
      await until('the reads to be counted', async () => near(await gets()))
      // Nobody else is busy: the node's latency is that of this database.
      const busy = load(['-t', 'get', '-n', String(5 * REQUESTS)])
      await until('a latency', async () => (valueIn(await scrape('/metrics'), 'node_avg_latency') ?? 0) > 0)
      await busy
      const histogram = 'endpoint_read_requests_latency_histogram'
      const bucket = (told: Scrape, le: string) => valueIn(told, `${histogram}_bucket`, { db, le })
      // An engine is asked for it every ten seconds.
      await until('its latencies', async () => bucket(await scrape('/v2'), '+Inf') === 6 * REQUESTS, 30_000)
      const told = await scrape('/v2')
      assert.equal(told.types.get('endpoint_write_requests'), 'counter')
      assert.equal(told.types.get(histogram), 'histogram')
      assert.equal(valueIn(told, `${histogram}_count`, { db }), 6 * REQUESTS)
      assert.equal(bucket(told, String(2 ** 21)), 6 * REQUESTS)
      const mean = (valueIn(told, `${histogram}_sum`, { db }) ?? 0) / (6 * REQUESTS)
      const isBelow = (le: number) => (bucket(told, String(le)) ?? 0) > 0
      assert.ok(isBelow(2 ** Math.ceil(Math.log2(Math.max(1, mean)) + 1)), `none as fast as the mean, ${mean} us`)
      if ('sharding' in layout) {
        const processes = told.lines.filter(({ name }) => name === 'namedprocess_namegroup_thread_cpu_seconds_total')
        const threads = processes.flatMap(({ labels }) => (labels.groupname === 'dmcproxy' ? labels.threadname : []))
        assert.ok(threads.includes('worker-1'), threads.join())
        assert.ok((valueIn(told, 'dmcproxy_process_resident_memory_bytes') ?? 0) > 10_000_000)
        assert.ok((valueIn(told, 'dmcproxy_process_cpu_usage_percent') ?? -1) >= 0)
      }
      const roles = told.lines.filter(({ name, labels }) => name === 'redis_server_up' && labels.db === db)
      assert.deepEqual(
        roles.map(({ labels, value: up }) => `${labels.role} ${up}`).sort(),
        'sharding' in layout ? ['master 1', 'master 1', 'slave 1', 'slave 1'] : ['master 1'],
      )
    })
  }

  test('what clients of a cluster ask the shards, past the proxy, is counted once', async () => {
    const layout = { sharding: true, shards_count: 2, oss_cluster: true }
    const { uid, ask: load } = await loaded(it(), { name: 'cluster', ...layout })
    await load(['--cluster', '-t', 'set', '-n', String(REQUESTS)])
    const told = await until('all of it to be counted', async () => {
      const now = await scrape('/v2')
      return (valueIn(now, 'endpoint_write_requests', { db: String(uid) }) ?? 0) >= REQUESTS + WARM_UP && now
    })
    const lines = told.lines.filter(
      ({ name, labels }) => name === 'endpoint_write_requests' && labels.db === String(uid),
    )
    assert.deepEqual(
      lines.map(({ value }) => value),
      [REQUESTS + WARM_UP],
    )
  })

  for (const layout of [{}, { sharding: true, shards_count: 2 }]) {
    test(`logins are counted by how they end, and what replicas say is no request: ${JSON.stringify(layout)}`, async () => {
      const { uid, endpoints } = await it().create({ ...layout, replication: true, authentication_redis_pass: 'right' })
      const db = String(uid)
      const told = async (name: string) => valueIn(await scrape('/v2'), `endpoint_${name}`, { db }) ?? Number.NaN
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
    const limit = async (name: string, labels: Record<string, string>) => valueIn(await scrape('/v2'), name, labels)
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

  test('whoever hangs up in the middle spoils no answer of others, nor the next one', async () => {
    await loaded(it(), { name: 'cut-off' })
    const hangUp = (path: string) =>
      new Promise<void>((resolve) => {
        const headers = { 'accept-encoding': 'gzip' }
        const options = { host: '127.0.0.1', port: it().ports.metrics, path, headers, agent: false }
        const sent = request({ ...options, rejectUnauthorized: false }, (response) => response.destroy())
        sent.on('close', resolve).on('error', () => undefined)
        sent.end()
      })
    for (let round = 0; round < 20; round++)
      for (const path of ['/v2', '/metrics']) {
        const [whole] = await Promise.all([scrape(path), hangUp(path), hangUp(path)])
        for (const { name } of whole.lines) assert.ok(whole.types.has(family(name, whole.types)), `${path}: ${name}`)
        assert.ok(whole.lines.length > 50, path)
        // Longer than an answer is kept for those who ask at about the same time, now and then.
        if (round % 5 === 0) await delay(1_000)
      }
  })

  test('what only an engine or the node knows is told as they say it', async () => {
    const { uid, endpoints } = await it().create({ name: 'known', memory_size: 10_000_000 })
    await run('redis-cli', ['-p', String(endpoints[0].port), 'LPUSH'])
    const db = String(uid)
    const told = async (name: string) => valueIn(await scrape('/v2'), `redis_server_${name}`, { db })
    await until('the refusal to be counted', async () => ((await told('total_error_replies')) ?? 0) >= 1)
    assert.ok(((await told('maxclients')) ?? 0) > 0)
    assert.equal(await told('tracking_clients'), 0)
    const all = await scrape('/v2')
    for (const storage of ['persistent', 'ephemeral']) {
      const size = valueIn(all, 'node_filesystem_size_bytes', { storage }) ?? 0
      const left = valueIn(all, 'node_filesystem_avail_bytes', { storage }) ?? -1
      assert.ok(left >= 0 && size > left, `${storage}: ${left} of ${size}`)
    }
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
