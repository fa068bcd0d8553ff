/**
 * Statistics against what is known: a workload whose requests are counted by who sends them, and INFO of the engine.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { hash } from 'node:crypto'
import { after, test } from 'node:test'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { Redis } from 'ioredis'
import { serve } from './support/served.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)
const VALUE_BYTES = 200
const SETS = 60_000
const HITS = 80_000
const MISSES = 20_000
/** Of one request and its answer, as the protocol writes them. */
const SET_BYTES = '*3\r\n$3\r\nset\r\n$7\r\nhit-key\r\n$200\r\n\r\n'.length + VALUE_BYTES
const GET_BYTES = '*2\r\n$3\r\nget\r\n$7\r\nhit-key\r\n'.length
const HIT_BYTES = '$200\r\n\r\n'.length + VALUE_BYTES
const MISS_BYTES = '$-1\r\n'.length

type Metric =
  | `${'total' | 'read' | 'write' | 'other'}_req`
  | `read_${'hits' | 'misses'}`
  | `${'in' | 'e'}gress_bytes`
  | `cmd_${'get' | 'set'}`
type Shown = { readonly stime: string; readonly etime: string; readonly avg_read_latency?: number } & {
  readonly [Name in Metric]?: number
}

withInstance('statistics', {}, (it) => {
  const clients: Redis[] = []
  after(() => {
    for (const client of clients) client.disconnect()
  })
  const connect = (port: number) => {
    const client = new Redis({ port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    clients.push(client)
    return client
  }
  const get = async (path: string) => {
    const reply = await it().api.get(path)
    assert.equal(reply.status, 200, reply.text)
    return reply.json
  }
  const benchmark = (port: number, requests: number, ...command: string[]) =>
    run('redis-benchmark', ['-p', String(port), '-c', '10', '-P', '16', '-n', String(requests), ...command])

  test('a known workload is counted to within one per cent', async () => {
    const { uid, endpoints } = await it().create({ name: 'known', memory_size: 100_000_000 })
    const { port } = endpoints[0]
    const layout = { memory_size: 100_000_000, sharding: true, shards_count: 2 }
    const sharded = await it().create({ name: 'known-sharded', ...layout })
    const cluster = await it().create({ name: 'known-cluster', ...layout, oss_cluster: true })
    // A step that is known in part is shown by whole seconds; and a database at rest is looked at every five.
    const first = await until('a first sample', async () => {
      const last = await get('/v1/bdbs/stats/last')
      return last[uid].etime && last[sharded.uid].etime && last[cluster.uid].etime
    })
    const stepMs = (Math.floor(Date.parse(first) / 10_000) + 1) * 10_000
    await until('a whole step to begin', () => Date.now() > stepMs + 5_500)
    await benchmark(port, SETS, 'set', 'hit-key', 'v'.repeat(VALUE_BYTES))
    await benchmark(port, HITS, 'get', 'hit-key')
    await benchmark(port, MISSES, 'get', 'not-key')
    await benchmark(sharded.endpoints[0].port, SETS, 'set', 'hit-key', 'v'.repeat(VALUE_BYTES))
    await benchmark(sharded.endpoints[0].port, HITS, 'get', 'hit-key')
    await benchmark(cluster.endpoints[0].port, SETS, '--cluster', '-r', '1000', '-t', 'set')
    const sum = (samples: readonly Shown[], name: Metric) =>
      samples.reduce((total, one) => total + (one[name] ?? 0) * seconds(one), 0)
    const about = (what: string, actual: number, expected: number) =>
      assert.ok(Math.abs(actual - expected) <= expected / 100, `${what}: ${actual}, not ${expected}`)
    const samples = await until('all of it to be counted', async () => {
      const { intervals } = await get(`/v1/bdbs/stats/${uid}?interval=10sec`)
      return sum(intervals, 'total_req') >= (SETS + HITS + MISSES) * 0.99 && intervals
    })
    about('reads', sum(samples, 'read_req'), HITS + MISSES)
    about('writes', sum(samples, 'write_req'), SETS)
    about('hits', sum(samples, 'read_hits'), HITS)
    about('misses', sum(samples, 'read_misses'), MISSES)
    about('bytes in', sum(samples, 'ingress_bytes'), SETS * SET_BYTES + (HITS + MISSES) * GET_BYTES)
    about('bytes out', sum(samples, 'egress_bytes'), SETS * 5 + HITS * HIT_BYTES + MISSES * MISS_BYTES)
    const proxied = await until('what went through the proxy to be counted', async () => {
      const { intervals } = await get(`/v1/bdbs/stats/${sharded.uid}?interval=10sec`)
      return sum(intervals, 'total_req') >= (SETS + HITS) * 0.99 && intervals
    })
    // Its clients go to the shards themselves.
    const direct = await until('what went past the proxy to be counted', async () => {
      const { intervals } = await get(`/v1/bdbs/stats/${cluster.uid}?interval=10sec`)
      return sum(intervals, 'write_req') >= SETS * 0.99 && intervals
    })
    about('writes past the proxy', sum(direct, 'write_req'), SETS)
    about('reads through the proxy', sum(proxied, 'read_req'), HITS)
    about('writes through the proxy', sum(proxied, 'write_req'), SETS)
    about('hits behind the proxy', sum(proxied, 'read_hits'), HITS)
    about('bytes into the proxy', sum(proxied, 'ingress_bytes'), SETS * SET_BYTES + HITS * GET_BYTES)
    about('bytes out of the proxy', sum(proxied, 'egress_bytes'), SETS * 5 + HITS * HIT_BYTES)
    // redis-benchmark asks for some settings at its start, and our own questions do not count.
    assert.ok(sum(samples, 'other_req') < 50, `${sum(samples, 'other_req')} others`)
    const [endpoint] = (await get('/v1/endpoints/stats?interval=10sec')).filter(
      (one: { uid: string }) => one.uid === `${uid}:1:1`,
    )
    about('SET', sum(endpoint.intervals, 'cmd_set'), SETS)
    about('GET', sum(endpoint.intervals, 'cmd_get'), HITS + MISSES)
    const [, spentOnGets] = /cmdstat_get:calls=100000,usec=(\d+)/.exec(await connect(port).info('commandstats')) ?? []
    const spent = samples.map((one: Shown) => (one.avg_read_latency ?? 0) * (one.read_req ?? 0) * seconds(one))
    const microseconds = spent.reduce((total: number, one: number) => total + one, 0)
    about('latency of reads', microseconds, Number(spentOnGets))
    const all = await until('the cluster to have counted it', async () => {
      const { intervals } = await get('/v1/cluster/stats?interval=10sec')
      return sum(intervals, 'total_req') >= (3 * SETS + 2 * HITS + MISSES) * 0.95 && intervals
    })
    assert.ok(all.every((one: { cpu_idle: number }) => one.cpu_idle >= 0 && one.cpu_idle <= 1))
  })

  test('what the endpoint of a sharded database asks its shards is not counted', async () => {
    const { uid, endpoints } = await it().create({
      name: 'sharded',
      memory_size: 200_000_000,
      sharding: true,
      shards_count: 2,
    })
    const { port } = endpoints[0]
    await until('a first sample', async () => (await get(`/v1/bdbs/stats/last/${uid}`))[uid].conns === 0)
    const { intervals } = await get(`/v1/bdbs/stats/${uid}`)
    for (const { egress_bytes = 0, other_req = 0, conns = 0 } of intervals)
      assert.deepEqual({ egress_bytes, other_req, conns }, { egress_bytes: 0, other_req: 0, conns: 0 })
    const client = connect(port)
    for (let key = 0; key < 1_000; key++) await client.set(`key:${key}`, 'value')
    const last = await until('rest', async () => {
      const newest = (await get(`/v1/bdbs/stats/last/${uid}`))[uid]
      return newest.no_of_keys === 1_000 && newest.total_req === 0 && newest
    })
    assert.equal(last.conns, 1)
    for (const name of ['ingress_bytes', 'egress_bytes', 'other_req']) assert.equal(last[name], 0, name)
  })

  test('at rest everything is as INFO has it', async () => {
    const { uid, endpoints, shard_list } = await it().create({ name: 'rest', memory_size: 100_000_000 })
    const client = connect(endpoints[0].port)
    for (let key = 0; key < 100; key++) await client.set(`key:${key}`, 'x')
    await client.expire('key:0', 1_000)
    await client.subscribe('news')
    const atRest = await until('rest', async () => {
      const last = (await get(`/v1/bdbs/stats/last/${uid}`))[uid]
      return last.total_req === 0 && last.pubsub_channels === 1 && last
    })
    for (const name of ['ingress_bytes', 'egress_bytes', 'read_req', 'write_req', 'other_req', 'read_hits'])
      assert.equal(atRest[name], 0, name)
    assert.equal(atRest.no_of_keys, 100)
    assert.equal(atRest.no_of_expires, 1)
    assert.equal(atRest.conns, 1)
    assert.notEqual(atRest.last_req_time, '1970-01-01T00:00:00Z')
    const [shardUid] = shard_list
    await until('memory to be what INFO says', async () => {
      const { redis_info } = await get(`/v1/shards/${shardUid}`)
      const shard = (await get(`/v1/shards/stats/last/${shardUid}`))[shardUid]
      assert.equal(shard.connected_clients, redis_info.connected_clients - 1)
      return shard.used_memory === redis_info.used_memory && shard.used_memory_peak === redis_info.used_memory_peak
    })
    const [one] = await get(`/v1/shards/stats?parent_uid=${uid}`)
    assert.equal(one.uid, String(shardUid))
    assert.equal(one.status, 'active')
    assert.equal(one.role, 'master')
    assert.equal(one.assigned_slots, '0-16383')
  })

  test('a process that was replaced counts on, and the counters of the old one are not counted again', async () => {
    const { uid, endpoints, shard_list } = await it().create({ name: 'killed', memory_size: 100_000_000 })
    const client = connect(endpoints[0].port)
    for (let key = 0; key < 1_000; key++) await client.set('key', 'x')
    const [shardUid] = shard_list
    const { pid } = (await it().engines()).find((engine) => engine.shardUid === shardUid) ?? {}
    assert.ok(pid)
    await until('its requests to be counted', async () => {
      const { intervals } = await get(`/v1/bdbs/stats/${uid}`)
      return intervals.some((sample: { write_req: number }) => sample.write_req > 0)
    })
    process.kill(pid, 'SIGKILL')
    const after = await until('samples of its successor', async () => {
      const { intervals } = await get(`/v1/bdbs/stats/${uid}`)
      const last = intervals.at(-1)
      return last.no_of_keys === 0 && last
    })
    assert.ok(after.write_req >= 0 && after.write_req < 1_000)
    assert.ok(after.total_connections_received < 100)
  })

  test('the usage report has a line for each database, and the MD5 of them all', async () => {
    const { uid } = await it().create({ name: 'used', memory_size: 50_000_000, replication: true })
    for (const encoding of ['identity', 'gzip']) {
      const { status, headers, bytes } = await it().api.get('/v1/usage_report', {
        headers: { 'accept-encoding': encoding, accept: '*/*' },
      })
      assert.equal(status, 200)
      assert.equal(headers['content-type'], 'application/x-ndjson')
      const text = (headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString()
      const lines = text.trimEnd().split('\n')
      const digest = lines.pop()
      assert.equal(digest, hash('md5', `${lines.join('\n')}\n`, 'hex'))
      const used = lines.map((line) => JSON.parse(line)).find((line) => line.bdb_uid === String(uid))
      assert.equal(used.provisioned_memory, 50_000_000)
      assert.equal(used.master_shards_count, 1)
      assert.equal(used.replication, true)
      assert.equal(used.shard_type, 'micro')
    }
  })

  test('what is asked is checked, and said', async () => {
    const { uid } = await it().create({ name: 'asked', memory_size: 50_000_000 })
    const refused = async (path: string, field: string) => {
      const reply = await it().api.get(path)
      assert.equal(reply.status, 400, reply.text)
      assert.equal(reply.json.field, field)
    }
    await refused('/v1/bdbs/stats?interval=2sec', 'interval')
    await refused(`/v1/bdbs/stats/${uid}?stime=yesterday`, 'stime')
    await refused('/v1/nodes/stats?stime=2026-02-01T00:00:00Z&etime=2026-01-01T00:00:00Z', 'stime')
    await refused('/v1/cluster/stats/last?metrics=no_such_thing', 'metrics')
    await refused('/v1/shards/stats?parent_uid=x', 'parent_uid')
    // Also where there is nobody to ask about.
    for (const path of ['/v1/shards/stats', '/v1/shards/stats/last']) {
      await refused(`${path}?parent_uid=999&interval=2sec`, 'interval')
      await refused(`${path}?parent_uid=999&metrics=no_such_thing`, 'metrics')
    }
    assert.deepEqual(await get('/v1/shards/stats?parent_uid=999&interval=1hour'), [])
    assert.deepEqual(await get('/v1/shards/stats/last?parent_uid=999'), {})
    assert.equal((await it().api.get('/v1/bdbs/stats/999')).json.error_code, 'db_not_exist')
    assert.equal((await it().api.get('/v1/nodes/stats/last/9')).json.error_code, 'node_not_found')
    assert.equal((await it().api.get('/v1/shards/stats/999')).json.error_code, 'shard_not_exist')
    assert.equal((await it().api.get(`/v1/bdbs/${uid}/peer_stats`)).status, 406)
    assert.deepEqual(await get(`/v1/bdbs/${uid}/sync_source_stats`), { sync_source_stats: [] })
    const few = await until('a sample', async () => {
      const last = (await get(`/v1/bdbs/stats/last/${uid}?metrics=used_memory,bigstore_iops`))[uid]
      return last.stime !== undefined && last
    })
    assert.deepEqual(Object.keys(few), ['interval', 'stime', 'etime', 'used_memory'])
    const long = await get(`/v1/bdbs/stats/${uid}?etime=2020-01-01T00:00:00Z`)
    assert.deepEqual(long, { uid: String(uid), intervals: [] })
  })
})

function seconds({ stime, etime }: Shown): number {
  return (Date.parse(etime) - Date.parse(stime)) / 1_000
}

test('a usage report that breaks off ends the answer, compressed or not, and nothing else', async (t) => {
  const { api, state } = await serve(t)
  const { databases } = state
  const values = databases.values.bind(databases)
  databases.values = () => {
    throw new Error('broken off')
  }
  for (const encoding of ['identity', 'gzip']) {
    const reply = api.get('/v1/usage_report', { headers: { 'accept-encoding': encoding } })
    await assert.rejects(reply, encoding)
  }
  databases.values = values
  assert.equal((await api.get('/v1/usage_report', { headers: { 'accept-encoding': 'gzip' } })).status, 200)
})
