import assert from 'node:assert/strict'
import test, { after, before, suite } from 'node:test'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { plain, RawClient, startProxy, type TestProxy } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const cleanUps = new CleanUpList()
let cluster: RedisCluster
let proxy: TestProxy

suite('through the proxy, three shards are one server', () => {
  before(async () => {
    cluster = await startCluster(cleanUps)
    proxy = await startProxy(cleanUps, cluster)
  }, HOOK)
  after(() => cleanUps.run(), HOOK)
  const open = (t: { after(cleanUp: () => Promise<void>): void }) => RawClient.open(t, proxy.port)

  test('a value comes back, whichever shard has it', async (t) => {
    const client = open(t)
    for (let index = 0; index < 100; index++) {
      assert.equal(plain(await client.call('SET', `key:${index}`, `value ${index}`)), 'OK')
      assert.equal(plain(await client.call('GET', `key:${index}`)), `value ${index}`)
    }
    const counts = await Promise.all(cluster.nodes.map((node) => node.call('DBSIZE')))
    assert.ok(counts.map(plain).every((count) => Number(count) > 0))
  })

  test('answers come in the order of the requests, from all shards and from the proxy itself', async (t) => {
    const client = open(t)
    const expected: unknown[] = []
    for (let index = 0; index < 2_000; index++) {
      client.send('SET', `order:${index}`, String(index))
      client.send('PING', String(index))
      client.send('GET', `order:${index}`)
      client.send('MGET', `order:${index}`, `order:${index - 1}`)
      expected.push('OK', String(index), String(index), [String(index), index === 0 ? null : String(index - 1)])
    }
    for (const value of expected) assert.deepEqual(plain(await client.next()), value)
  })

  test('keys of several slots are split, and the replies joined', async (t) => {
    const client = open(t)
    const keys = Array.from({ length: 50 }, (_, index) => `split:${index}`)
    assert.equal(plain(await client.call('MSET', ...keys.flatMap((key) => [key, `of ${key}`]))), 'OK')
    assert.deepEqual(plain(await client.call('MGET', ...keys, 'split:none')), [...keys.map((key) => `of ${key}`), null])
    assert.equal(plain(await client.call('EXISTS', ...keys, 'split:none')), 50)
    assert.equal(plain(await client.call('TOUCH', ...keys)), 50)
    assert.equal(plain(await client.call('UNLINK', ...keys.slice(0, 20))), 20)
    assert.equal(plain(await client.call('DEL', ...keys)), 30)
    assert.match(String(plain(await client.call('MSETNX', 'a', '1', 'b', '2'))), /^error: CROSSSLOT/)
    assert.match(String(plain(await client.call('MSET', 'a'))), /^error: ERR wrong number of arguments for 'mset'/)
  })

  test('commands about the whole database see the keys of all shards', async (t) => {
    const client = open(t)
    assert.equal(plain(await client.call('FLUSHALL')), 'OK')
    const keys = Array.from({ length: 300 }, (_, index) => `whole:${index}`)
    await client.call('MSET', ...keys.flatMap((key) => [key, '1']))
    assert.equal(plain(await client.call('DBSIZE')), 300)
    assert.deepEqual((plain(await client.call('KEYS', 'whole:*')) as string[]).sort(), [...keys].sort())
    assert.ok(keys.includes(String(plain(await client.call('RANDOMKEY')))))
    const seen = new Set<string>()
    let cursor = '0'
    do {
      const [next, page] = plain(await client.call('SCAN', cursor, 'COUNT', 20)) as [string, string[]]
      for (const key of page) seen.add(key)
      cursor = next
    } while (cursor !== '0')
    assert.deepEqual([...seen].sort(), [...keys].sort())
    const info = String(plain(await client.call('INFO')))
    assert.match(info, /redis_mode:standalone/)
    assert.match(info, /db0:keys=300,/)
    assert.equal(plain(await client.call('FLUSHDB')), 'OK')
    assert.equal(plain(await client.call('DBSIZE')), 0)
  })

  test('typed lines are understood, and nonsense is answered as the engine answers it', async (t) => {
    const client = open(t)
    client.socket.write('SET typed "a b"\r\nGET typed\r\n\r\nPING\r\n')
    assert.deepEqual(
      [plain(await client.next()), plain(await client.next()), plain(await client.next())],
      ['OK', 'a b', 'PONG'],
    )
    assert.match(String(plain(await client.call('NOSUCH', 'x'))), /^error: ERR unknown command 'NOSUCH'/)
    client.socket.write('*1\r\n:3\r\n')
    assert.equal(plain(await client.next()), "error: ERR Protocol error: expected '$', got ':'")
    await client.closed()
  })

  test('a value of many megabytes goes through in both directions, and others do not wait for it', async (t) => {
    const [client, other] = [open(t), open(t)]
    const value = Buffer.alloc(20 * 1024 * 1024, 'x')
    client.send('SET', 'large', value)
    assert.equal(plain(await other.call('PING')), 'PONG')
    assert.equal(plain(await client.next()), 'OK')
    const reply = await client.call('GET', 'large')
    assert.ok(reply?.kind === 'bulk' && reply.bytes.equals(value))
    assert.equal(plain(await client.call('STRLEN', 'large')), value.length)
    assert.equal(plain(await client.call('DEL', 'large')), 1)
  })

  test('a transaction is the engine’s own, in one slot', async (t) => {
    const client = open(t)
    for (const words of [['MULTI'], ['PING'], ['SET', '{tx}a', '1'], ['INCR', '{tx}a']]) client.send(...words)
    client.send('EXEC')
    client.send('GET', '{tx}a')
    const replies: unknown[] = []
    for (let index = 0; index < 6; index++) replies.push(plain(await client.next()))
    assert.deepEqual(replies, ['OK', 'QUEUED', 'QUEUED', 'QUEUED', ['PONG', 'OK', 2], '2'])

    await client.call('MULTI')
    await client.call('SET', '{tx}a', '5')
    assert.match(String(plain(await client.call('SET', '{other}b', '5'))), /CROSSSLOT/)
    assert.match(String(plain(await client.call('EXEC'))), /EXECABORT/)
    assert.equal(plain(await client.call('GET', '{tx}a')), '2')

    const other = open(t)
    assert.equal(plain(await client.call('WATCH', '{tx}a')), 'OK')
    assert.equal(plain(await client.call('GET', '{tx}a')), '2')
    await other.call('SET', '{tx}a', 'theirs')
    await client.call('MULTI')
    await client.call('SET', '{tx}a', 'ours')
    assert.equal(plain(await client.call('EXEC')), null)
    assert.equal(plain(await client.call('GET', '{tx}a')), 'theirs')

    assert.match(String(plain(await client.call('EXEC'))), /EXEC without MULTI/)
    await client.call('MULTI')
    assert.equal(plain(await client.call('DISCARD')), 'OK')
    assert.equal(plain(await client.call('PING')), 'PONG')
  })

  test('who blocks, blocks alone; who goes, waits no more', async (t) => {
    const [waiting, gone, other] = [open(t), open(t), open(t)]
    waiting.send('BLPOP', 'queue', '0')
    gone.send('BLPOP', 'queue:2', '0')
    const blocked = async () => {
      const infos = await Promise.all(cluster.nodes.map((node) => node.call('INFO', 'clients')))
      return infos.reduce((sum, info) => sum + Number(/blocked_clients:(\d+)/.exec(String(plain(info)))?.[1]), 0)
    }
    await until('two to be blocked', async () => (await blocked()) === 2)
    assert.equal(plain(await other.call('SET', 'queue:3', '1')), 'OK')
    gone.socket.destroy()
    await until('one to be blocked', async () => (await blocked()) === 1)
    assert.equal(plain(await other.call('RPUSH', 'queue', 'job')), 1)
    assert.deepEqual(plain(await waiting.next()), ['queue', 'job'])
    const id = Number(plain(await waiting.call('CLIENT', 'ID')))
    waiting.send('BLPOP', 'queue', '0')
    await until('one to be blocked', async () => (await blocked()) === 1)
    assert.equal(plain(await other.call('CLIENT', 'UNBLOCK', id)), 1)
    assert.equal(plain(await waiting.next()), null)
  })

  test('messages reach subscribers in both protocols', async (t) => {
    const [old, current, other] = [open(t), open(t), open(t)]
    assert.deepEqual(plain(await old.call('SUBSCRIBE', 'news')), ['subscribe', 'news', 1])
    assert.match(String(plain(await old.call('GET', 'x'))), /only \(P\|S\)SUBSCRIBE/)
    await current.call('HELLO', '3')
    assert.deepEqual(plain(await current.call('PSUBSCRIBE', 'n*')), ['psubscribe', 'n*', 1])
    assert.equal(plain(await other.call('PUBLISH', 'news', 'hello')), 2)
    assert.deepEqual(plain(await old.next()), ['message', 'news', 'hello'])
    assert.deepEqual(plain(await current.next()), ['pmessage', 'n*', 'news', 'hello'])
    assert.equal(plain(await current.call('SET', 'while:subscribed', '1')), 'OK')
    assert.deepEqual(plain(await old.call('UNSUBSCRIBE', 'news')), ['unsubscribe', 'news', 0])
    assert.equal(plain(await old.call('GET', 'while:subscribed')), '1')
    assert.deepEqual(plain(await old.call('SSUBSCRIBE', 'shard:news')), ['ssubscribe', 'shard:news', 1])
    assert.equal(plain(await other.call('SPUBLISH', 'shard:news', 'local')), 1)
    assert.deepEqual(plain(await old.next()), ['smessage', 'shard:news', 'local'])
  })

  test('a request that is too large to be kept is counted like any other', async (t) => {
    const client = open(t)
    const sets = () => proxy.server.counts([1])[0]?.[1].set ?? 0
    const before = sets()
    assert.equal(plain(await client.call('SET', 'large', Buffer.alloc(4 * 1024 * 1024))), 'OK')
    assert.equal(sets(), before + 1)
  })

  test('a client that keeps values itself hears when they change', async (t) => {
    const [client, other] = [open(t), open(t)]
    assert.match(String(plain(await client.call('CLIENT', 'TRACKING', 'ON'))), /RESP3/)
    await client.call('HELLO', '3')
    assert.equal(plain(await client.call('CLIENT', 'TRACKING', 'ON')), 'OK')
    await client.call('GET', 'tracked')
    await other.call('SET', 'tracked', '1')
    assert.deepEqual(plain(await client.next()), ['invalidate', ['tracked']])
    assert.equal(plain(await client.call('CLIENT', 'TRACKING', 'OFF')), 'OK')
  })

  test('a script runs on every shard, also on one that does not know it', async (t) => {
    const client = open(t)
    const script = 'return {KEYS[1], ARGV[1]}'
    const sha = String(plain(await client.call('SCRIPT', 'LOAD', script)))
    await cluster.node(1).call('SCRIPT', 'FLUSH')
    for (const key of ['a', 'b', 'c', 'd'])
      assert.deepEqual(plain(await client.call('EVALSHA', sha, '1', key, 'x')), [key, 'x'])
    assert.equal(plain(await client.call('EVAL', 'return 1', '0')), 1)
    assert.match(String(plain(await client.call('EVALSHA', 'f'.repeat(40), '1', 'a'))), /NOSCRIPT/)
  })

  test('CLIENT speaks of the clients of the endpoint', async (t) => {
    const [client, other] = [open(t), open(t)]
    assert.equal(plain(await client.call('CLIENT', 'SETNAME', 'me')), 'OK')
    assert.equal(plain(await client.call('CLIENT', 'GETNAME')), 'me')
    const id = plain(await other.call('CLIENT', 'ID'))
    assert.match(String(plain(await client.call('CLIENT', 'LIST'))), /name=me/)
    assert.equal(plain(await client.call('CLIENT', 'KILL', 'ID', String(id))), 1)
    await other.closed()
    client.send('CLIENT', 'REPLY', 'SKIP')
    client.send('SET', 'unheard', '1')
    assert.equal(plain(await client.call('GET', 'unheard')), '1')
    assert.equal(plain(await client.call('SELECT', '0')), 'OK')
    assert.match(String(plain(await client.call('SELECT', '1'))), /out of range/)
    assert.match(String(plain(await client.call('CLUSTER', 'INFO'))), /cluster support disabled/)
    assert.equal(plain(await client.call('WAIT', '0', '10')), 0)
    assert.equal(plain(await client.call('RESET')), 'RESET')
    assert.equal(plain(await client.call('QUIT')), 'OK')
    await client.closed()
  })

  test('HELLO chooses the protocol, and the shards answer in it', async (t) => {
    const client = open(t)
    const greeting = (await client.call('HELLO', '3', 'SETNAME', 'three')) as { kind: string }
    assert.equal(greeting.kind, 'map')
    await client.call('HSET', 'hash', 'field', 'value')
    assert.equal((await client.call('HGETALL', 'hash'))?.kind, 'map')
    await client.call('HELLO', '2')
    assert.equal((await client.call('HGETALL', 'hash'))?.kind, 'array')
    assert.match(String(plain(await client.call('HELLO', '4'))), /NOPROTO/)
  })
})
