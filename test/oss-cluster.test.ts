/**
 * Databases that speak the cluster protocol: cluster clients start at the endpoint and go to the shards themselves, with
 * the same accounts, through a resharding and a failover; whoever stays at the endpoint notices nothing of it.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster, type Redis } from 'ioredis'
import { createCluster } from 'redis'
import { killNow } from './support/instance.ts'
import { pidOf } from './support/replicas.ts'
import { change, check, clientOf, ended, fill, inStep, primariesOf, valueFor } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 1_000

withInstance('the cluster protocol', {}, (it) => {
  const speaking = (body: object = {}) =>
    it().create({ sharding: true, shards_count: 3, oss_cluster: true, memory_size: 400_000_000, ...body })

  test('ioredis and node-redis as cluster clients see the same keys as the endpoint', async (t) => {
    const { uid, endpoints } = await speaking({ authentication_redis_pass: 'secret' })
    const [{ port }] = endpoints
    const plain = clientOf(t, port, { password: 'secret' })
    await fill(plain, KEYS)
    const cluster = new Cluster([{ host: '127.0.0.1', port }], { redisOptions: { password: 'secret' } })
    t.after(() => cluster.disconnect())
    for (let key = 0; key < KEYS; key++) assert.equal(await cluster.get(`key:${key}`), valueFor(`key:${key}`))
    // To each shard by itself, and not through the endpoint.
    assert.equal(cluster.nodes('master').length, 3)
    assert.ok(cluster.nodes('master').every(({ options }) => options.port !== port))
    await cluster.set('by-cluster', '1')
    assert.equal(await plain.get('by-cluster'), '1')
    const other = createCluster({
      rootNodes: [{ url: `redis://127.0.0.1:${port}` }],
      defaults: { password: 'secret' },
    })
    await other.connect()
    assert.equal(await other.get('by-cluster'), '1')
    await other.set('by-other', '2')
    assert.equal(await plain.get('by-other'), '2')
    await other.close()
    const stranger = new Cluster([{ host: '127.0.0.1', port }], { clusterRetryStrategy: () => null })
    stranger.on('error', () => undefined)
    await assert.rejects(stranger.get('by-cluster'))
    stranger.disconnect()
    await ended(it(), await change(it(), uid, { authentication_redis_pass: 'other' }))
    await assert.rejects(clientOf(t, port, { password: 'secret' }).ping(), /WRONGPASS/)
  })

  test('a cluster client follows a resharding and a failover', async (t) => {
    const { uid, endpoints } = await speaking({ replication: true })
    const [{ port }] = endpoints
    const plain = clientOf(t, port)
    await fill(plain, KEYS)
    await inStep(it(), uid)
    // It asks again every 100 ms; on a busy machine the new map may take it longer than the 16 times that it does by itself.
    const patience = { slotsRefreshInterval: 500, maxRedirections: 100 }
    const ioredis = new Cluster([{ host: '127.0.0.1', port }], patience)
    ioredis.on('error', () => undefined)
    t.after(() => ioredis.disconnect())
    const nodeRedis = createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] })
    nodeRedis.on('error', () => undefined)
    await nodeRedis.connect()
    t.after(() => nodeRedis.destroy())
    let isOver = false
    t.after(() => {
      isOver = true
    })
    /** Resolves to the number of counters. */
    const count = async (name: string, client: { incr(key: string): Promise<number> }) => {
      let counted = 0
      for (; !isOver; counted++)
        assert.equal(await client.incr(`${name}:${counted % 50}`), Math.floor(counted / 50) + 1)
      return Math.min(counted, 50)
    }
    const counting = Promise.all([count('ioredis', ioredis), count('node-redis', nodeRedis)])
    for (const shards_count of [4, 2]) await ended(it(), await change(it(), uid, { shards_count }))
    isOver = true
    const [some, others] = await counting
    await check(plain, KEYS, 'key', some + others)
    await inStep(it(), uid)
    const [primary] = await primariesOf(it(), uid)
    killNow(await pidOf(it(), primary?.uid ?? 0))
    for (let key = 0; key < KEYS; key += 10)
      for (const client of [ioredis, nodeRedis])
        await until('the key', async () => (await client.get(`key:${key}`)) === valueFor(`key:${key}`))
  })

  test('the endpoint tells of the whole cluster, and of nothing else', async (t) => {
    const { uid, endpoints } = await speaking()
    const client = clientOf(t, endpoints[0].port)
    const slots = await client.cluster('SLOTS')
    assert.equal(slots.length, 3)
    assert.match(await client.cluster('NODES' as never), /myself/)
    assert.match(await client.cluster('INFO'), /cluster_state:ok/)
    assert.equal(await client.cluster('KEYSLOT', 'a'), 15_495)
    assert.equal(((await said(client, 'SHARDS')) as unknown[]).length, 3)
    for (const word of ['MYID', 'FORGET', 'RESET', 'COUNTKEYSINSLOT'])
      await assert.rejects(said(client, word), /concerns one shard/)
    assert.equal(await client.readonly(), 'OK')
    await ended(it(), await change(it(), uid, { oss_cluster: false }))
    await until('the proxy to know', async () => {
      const answer = await client.cluster('INFO').catch(String)
      return /cluster support disabled/.test(answer)
    })
  })

  test('what would let clients in wrongly, or not at all, is refused', async () => {
    const cases: [body: object, field: string][] = [
      [{ oss_cluster: true }, 'oss_cluster'],
      [{ oss_cluster: true, sharding: true, tls_mode: 'enabled' }, 'oss_cluster'],
      [
        { sharding: true, oss_cluster_api_preferred_endpoint_type: 'hostname' },
        'oss_cluster_api_preferred_endpoint_type',
      ],
    ]
    for (const [body, field] of cases) {
      const { status, json, text } = await it().api.post('/v1/bdbs', { name: 'no', memory_size: 10_000_000, ...body })
      assert.equal(json.error_code, 'invalid_oss_cluster_configuration', text)
      assert.ok(json.description.includes(field) && status >= 400, text)
    }
  })
})

const said = (client: Redis, word: string) => client.call('CLUSTER', word)
