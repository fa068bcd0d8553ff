import assert from 'node:assert/strict'
import test, { after, before, suite } from 'node:test'
import type { EndpointConfig } from '#proxy/config.ts'
import type { ShardTls } from '#proxy/tls-config.ts'
import { type Authority, type Issued, makeAuthority } from './support/certificates.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import type { CleanUps } from './support/instance.ts'
import { plain, RawClient, startProxy, type TestProxy } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const cleanUps = new CleanUpList()

suite('shards that speak TLS, and ask for a certificate', () => {
  let cluster: RedisCluster
  let authority: Authority
  let shard: Issued
  let own: Issued
  before(async () => {
    authority = await makeAuthority('shards')
    shard = await authority.issue('shard')
    own = await authority.issue('proxy')
    const { certificate, key } = shard
    cluster = await startCluster(cleanUps, 3, {
      certificate,
      key,
      trusted: authority.certificate,
      asksClients: true,
    })
  }, HOOK)
  after(() => cleanUps.run(), HOOK)

  const start = (t: CleanUps, shardsTls: Partial<ShardTls>, changes: Partial<EndpointConfig> = {}) =>
    startProxy(t, cluster, {
      shardsTls: { trusted: shard.certificate, isPinned: true, own, ...shardsTls },
      ...changes,
    })
  const keys = ['a', 'b', 'c', 'd', 'e', 'f']

  async function works({ port }: TestProxy, t: CleanUps): Promise<void> {
    const client = RawClient.open(t, port)
    assert.equal(plain(await client.call('MSET', ...keys.flatMap((key) => [key, key]))), 'OK')
    assert.deepEqual(plain(await client.call('MGET', ...keys)), keys)
  }
  async function fails({ port }: TestProxy, t: CleanUps, why: RegExp): Promise<void> {
    const client = RawClient.open(t, port)
    assert.match(String(plain(await client.call('GET', 'a'))), why)
    client.socket.destroy()
  }

  test('one that is pinned, one that is signed: shared, exclusive and own connections', async (t) => {
    for (const settings of [
      { isPinned: true, trusted: shard.certificate },
      { isPinned: false, trusted: authority.certificate },
    ]) {
      const proxy = await start(t, settings)
      await works(proxy, t)
      const [waiting, client] = [RawClient.open(t, proxy.port), RawClient.open(t, proxy.port)]
      waiting.send('BLPOP', '{job}s', '0')
      const big = Buffer.alloc(3 * 1024 * 1024, 'x')
      assert.equal(plain(await client.call('SET', '{job}big', big)), 'OK')
      assert.equal(plain(await client.call('GET', '{job}big')), big.toString())
      await client.call('MULTI')
      client.send('RPUSH', '{job}s', 'one')
      client.send('GET', 'a')
      assert.deepEqual(
        [plain(await client.next()), String(plain(await client.next())).slice(0, 16)],
        ['QUEUED', 'error: CROSSSLOT'],
      )
      await client.call('DISCARD')
      await client.call('RPUSH', '{job}s', 'one')
      assert.deepEqual(plain(await waiting.next()), ['{job}s', 'one'])
      for (let index = 0; index < 2_000; index++) client.send('INCR', `{job}n`)
      for (let index = 0; index < 2_000; index++) await client.next()
      assert.equal(plain(await client.call('GETDEL', '{job}n')), '2000')
      assert.deepEqual(plain(await client.call('SUBSCRIBE', 'news')), ['subscribe', 'news', 1])
    }
  })

  test('another certificate than the one that is pinned is refused, though the same authority signed it', async (t) => {
    const other = await authority.issue('shard')
    const proxy = await start(t, { trusted: other.certificate })
    await fails(proxy, t, /CLUSTERDOWN .*a certificate that is not trusted/)
    // As soon as the configuration knows the right one as well, it serves.
    const shardsTls = { isPinned: true, own, trusted: `${other.certificate}\n${shard.certificate}` }
    await proxy.server.apply({ endpoints: [{ ...proxy.config, shardsTls }] })
    await until('the shards to be reached', async () => {
      const client = RawClient.open(t, proxy.port)
      return plain(await client.call('SET', 'a', 'a')) === 'OK'
    })
    await works(proxy, t)
  })

  test('a stranger’s certificate is refused, and so is one that is for another host', async (t) => {
    const stranger = await makeAuthority('shards')
    await fails(await start(t, { isPinned: false, trusted: stranger.certificate }), t, /CLUSTERDOWN shard unavailable/)
    const shards = cluster.shards.map((one) => ({ ...one, host: 'localhost' }))
    const elsewhere = await start(t, { isPinned: false, trusted: authority.certificate }, { shards })
    await fails(elsewhere, t, /CLUSTERDOWN .*ERR_TLS_CERT_ALTNAME_INVALID/)
  })

  test('nothing goes out in plain text when the settings cannot be used', async (t) => {
    const proxy = await start(t, { trusted: 'nonsense' })
    await fails(proxy, t, /CLUSTERDOWN .*TLS settings for shards cannot be used/)
    assert.match(String(proxy.troubles[0]?.message), /TLS settings for the shards of an endpoint cannot be used/)
  })

  test('a pinned certificate counts even after it has run out', async (t) => {
    const old = await authority.issue('old', -1)
    const { certificate, key } = old
    const cluster = await startCluster(t, 1, { certificate, key, trusted: authority.certificate })
    const shardsTls = { isPinned: true, trusted: certificate }
    await works(await startProxy(t, cluster, { shardsTls }), t)
    const checked = await startProxy(t, cluster, { shardsTls: { isPinned: false, trusted: authority.certificate } })
    await fails(checked, t, /CLUSTERDOWN .*CERT_HAS_EXPIRED/)
  })
})
