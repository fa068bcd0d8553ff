// What Redis's own test suite has found through the proxy, each as a test of ours.
import assert from 'node:assert/strict'
import test, { after, before, suite } from 'node:test'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { plain, RawClient, startProxy, type TestProxy } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const cleanUps = new CleanUpList()
let cluster: RedisCluster
let proxy: TestProxy

suite('as the engine has it', () => {
  before(async () => {
    cluster = await startCluster(cleanUps)
    proxy = await startProxy(cleanUps, cluster)
  }, HOOK)
  after(() => cleanUps.run(), HOOK)

  test('a transaction that the engine refuses to begin carries nothing out', async (t) => {
    for (const node of cluster.nodes)
      await node.call('ACL', 'SETUSER', 'single', 'on', '>secret', '~*', '+@all', '-multi')
    const client = RawClient.open(t, proxy.port)
    assert.equal(plain(await client.call('AUTH', 'single', 'secret')), 'OK')
    client.send('MULTI')
    client.send('SET', 'refused', '1')
    client.send('SET', 'refused', '2')
    client.send('EXEC')
    assert.equal(plain(await client.next()), 'OK')
    assert.match(String(plain(await client.next())), /^error: NOPERM .*multi/)
    assert.match(String(plain(await client.next())), /^error: NOPERM .*multi/)
    assert.match(String(plain(await client.next())), /^error: EXECABORT /)
    assert.equal(plain(await client.call('GET', 'refused')), null)
    await client.call('WATCH', 'refused')
    assert.match(String(plain(await client.call('MULTI'))), /^error: NOPERM .*multi/)
    assert.equal(plain(await client.call('SET', 'refused', '3')), 'OK')
  })

  test('a script that runs for ever can be ended by a client of the same user', async (t) => {
    const [client, other] = [RawClient.open(t, proxy.port), RawClient.open(t, proxy.port)]
    for (const node of cluster.nodes) await node.call('CONFIG', 'SET', 'busy-reply-threshold', '10')
    client.send('EVAL', 'while true do end', '0')
    await until('the script to be ended', async () => plain(await other.call('SCRIPT', 'KILL')) === 'OK')
    assert.match(String(plain(await client.next())), /^error: ERR .*killed/i)
    assert.match(String(plain(await other.call('SCRIPT', 'KILL'))), /^error: NOTBUSY /)
  })

  test('RESET gives up what is watched, and the connection stays', async (t) => {
    const client = RawClient.open(t, proxy.port)
    assert.equal(plain(await client.call('WATCH', 'watched')), 'OK')
    assert.equal(plain(await client.call('RESET')), 'RESET')
    assert.equal(plain(await client.call('ECHO', 'still here')), 'still here')
    assert.match(String(plain(await client.call('EXEC'))), /^error: ERR EXEC without MULTI/)
  })

  test('DEBUG OBJECT tells of any key', async (t) => {
    const client = RawClient.open(t, proxy.port)
    for (const key of ['a', 'b', 'c', 'd']) {
      await client.call('SET', key, '1')
      assert.match(String(plain(await client.call('DEBUG', 'OBJECT', key))), /^Value at:/)
    }
  })
})
