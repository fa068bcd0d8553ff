import assert from 'node:assert/strict'
import test, { after, before, suite } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import { KNOWN_COMMANDS } from '#proxy/command-table.ts'
import { encodeCommand } from '#resp/encode.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { plain, RawClient, startProxy, type TestProxy } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'

const cleanUps = new CleanUpList()
const RUNS = 150
/** Of the tests' own shards; they would stop serving, or answer nobody for long. */
const LEFT_OUT = new Set(['config', 'debug', 'acl', 'module', 'save', 'bgsave', 'bgrewriteaof', 'script', 'function'])
let cluster: RedisCluster
let proxy: TestProxy

const names = KNOWN_COMMANDS.map(({ name }) => name).filter((name) => !LEFT_OUT.has(name))
const key = fc.constantFrom('a', 'b', '{t}1', '{t}2', '', '{}', '\r\n')
const word = fc.oneof(
  { weight: 4, arbitrary: key },
  {
    weight: 4,
    arbitrary: fc.constantFrom('0', '1', '-1', '0.01', '9223372036854775807', '99999999999999999999', '+inf'),
  },
  {
    weight: 2,
    arbitrary: fc.constantFrom('get', 'streams', 'count', 'block', 'on', 'off', 'skip', 'id', '*', '$', '3', '2'),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)) },
)
const request = fc
  .tuple(
    fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...names) }, { weight: 1, arbitrary: fc.string() }),
    fc.array(word, { maxLength: 6 }),
  )
  .filter(([name, words]) => !waitsForLong(name, words))
  .map(([name, words]) => encodeCommand([name, ...words]))

/** Blocking for ever is what it was asked for; it is not what is tested here. */
function waitsForLong(name: string, words: readonly (string | Buffer)[]): boolean {
  if (name === 'wait' || name === 'waitaof' || name === 'quit' || name === 'client') return true
  const mayWait = /^(b[lrz]|xread)/.test(name)
  return mayWait && words.some((one) => one.toString() !== '0.01' && Number(one) >= 0)
}

suite('whatever a client sends, the proxy goes on', () => {
  before(async () => {
    cluster = await startCluster(cleanUps)
    proxy = await startProxy(cleanUps, cluster)
  }, HOOK)
  after(() => cleanUps.run(), HOOK)

  test('any commands, cut anywhere, are all answered, and RESET brings back a client as new', async (t) => {
    const property = fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat(4_000), { maxLength: 4 }),
      async (requests, cuts) => {
        const client = RawClient.open(t, proxy.port)
        const bytes = Buffer.concat([...requests, encodeCommand(['RESET']), encodeCommand(['ECHO', 'the end'])])
        let from = 0
        for (const cut of cuts.sort((a, b) => a - b)) {
          client.socket.write(bytes.subarray(from, cut))
          from = Math.max(from, cut)
          await new Promise((resolve) => setImmediate(resolve))
        }
        client.socket.write(bytes.subarray(from))
        for (let last: unknown; last !== 'the end'; ) {
          const reply = await client.next()
          assert.ok(reply, 'the connection ended')
          last = plain(reply)
        }
        assert.equal(plain(await client.call('ECHO', 'still here')), 'still here')
        client.socket.destroy()
      },
    )
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true, timeout: 8_000 })
  })

  test('bytes that make no sense end their own client, and no other', async (t) => {
    const witness = RawClient.open(t, proxy.port)
    const property = fc.asyncProperty(
      fc.array(request, { minLength: 1, maxLength: 5 }),
      fc.array(fc.tuple(fc.nat(500), fc.nat(255)), { minLength: 1, maxLength: 5 }),
      async (requests, changes) => {
        const bytes = Buffer.concat(requests)
        for (const [at, byte] of changes) bytes[at % bytes.length] = byte
        const client = RawClient.open(t, proxy.port)
        client.socket.end(bytes)
        const over = new AbortController()
        // What it asks for may be to wait for ever: it goes then, as clients do.
        await Promise.race([client.closed(), delay(50, undefined, { signal: over.signal })])
        over.abort()
        client.socket.destroy()
        assert.equal(plain(await witness.call('ECHO', 'here')), 'here')
      },
    )
    await fc.assert(property, { numRuns: RUNS, endOnFailure: true, timeout: 8_000 })
  })

  test('100,000 requests in one go are answered in order, whatever they are for', async (t) => {
    const client = RawClient.open(t, proxy.port)
    const count = 100_000
    const parts: Buffer[] = []
    for (let index = 0; index < count; index++) {
      if (index % 100 === 0) parts.push(encodeCommand(['ECHO', String(index)]))
      else if (index % 100 === 1) parts.push(encodeCommand(['EXISTS', `many:${index}`, `many:${index + 1}`, 'none']))
      else parts.push(encodeCommand(['SET', `many:${index % 1_000}`, String(index), 'GET']))
    }
    client.socket.write(Buffer.concat(parts))
    for (let index = 0; index < count; index++) {
      const value = plain(await client.next())
      if (index % 100 === 0) assert.equal(value, String(index))
      else if (index % 100 === 1) assert.equal(typeof value, 'number')
      else assert.equal(value, index < 1_000 ? null : String(index - 1_000))
    }
  })

  test('the protocol may change in the middle of a pipeline', async (t) => {
    const client = RawClient.open(t, proxy.port)
    await client.call('HSET', 'switch', 'field', 'value')
    const rounds = 50
    for (let round = 0; round < rounds; round++) {
      client.send('HELLO', '3')
      client.send('HGETALL', 'switch')
      client.send('HELLO', '2')
      client.send('HGETALL', 'switch')
    }
    for (let round = 0; round < rounds; round++) {
      const kinds = []
      for (let index = 0; index < 4; index++) kinds.push((await client.next())?.kind)
      assert.deepEqual(kinds, ['map', 'map', 'array', 'array'])
    }
  })

  test('an array of 200,000 words is one request, and one of too many is refused before it comes', async (t) => {
    const client = RawClient.open(t, proxy.port)
    const pairs = Array.from({ length: 100_000 }, (_, index) => [`big:${index}`, 'v']).flat()
    client.socket.write(encodeCommand(['MSET', ...pairs]))
    assert.equal(plain(await client.next()), 'OK')
    client.socket.write(encodeCommand(['EXISTS', ...pairs.filter((_, index) => index % 2 === 0)]))
    assert.equal(plain(await client.next()), 100_000)
    client.socket.write('*1048577\r\n')
    assert.equal(plain(await client.next()), 'error: ERR Protocol error: invalid multibulk length')
    await client.closed()
  })

  test('an array of a negative length is nothing, as the engine has it', async (t) => {
    const client = RawClient.open(t, proxy.port)
    client.socket.write('*-10\r\n*0\r\n*-1\r\nPING\r\n')
    assert.equal(plain(await client.next()), 'PONG')
  })

  test('thousands of subscriptions of one client are confirmed, heard and given up', async (t) => {
    const client = RawClient.open(t, proxy.port)
    const publisher = RawClient.open(t, proxy.port)
    const channels = Array.from({ length: 5_000 }, (_, index) => `channel:${index}`)
    client.send('SUBSCRIBE', ...channels)
    for (const [index, channel] of channels.entries())
      assert.deepEqual(plain(await client.next()), ['subscribe', channel, index + 1])
    assert.equal(plain(await publisher.call('PUBLISH', 'channel:4999', 'last')), 1)
    assert.deepEqual(plain(await client.next()), ['message', 'channel:4999', 'last'])
    client.send('UNSUBSCRIBE')
    for (const _ of channels) assert.equal((plain(await client.next()) as unknown[])[0], 'unsubscribe')
    assert.equal(plain(await client.call('ECHO', 'free')), 'free')
  })

  test('a thousand kills in one go take a connection per shard, not a thousand', async (t) => {
    const received = async () => {
      const infos = await Promise.all(cluster.nodes.map((node) => node.call('INFO', 'stats')))
      const counts = infos.map((info) => Number(/total_connections_received:(\d+)/.exec(String(plain(info)))?.[1]))
      return counts.reduce((sum, count) => sum + count, 0)
    }
    const client = RawClient.open(t, proxy.port)
    const before = await received()
    for (let index = 0; index < 1_000; index++) client.send('SCRIPT', 'KILL')
    for (let index = 0; index < 1_000; index++) assert.match(String(plain(await client.next())), /^error: NOTBUSY/)
    assert.ok((await received()) - before < 20)
  })

  test('the names that one client subscribes to are bounded, and what is refused leaves nothing', async (t) => {
    const client = RawClient.open(t, proxy.port)
    const name = (index: number) => Buffer.alloc(1024 * 1024, `${index}:`)
    for (let index = 0; index < 15; index++) {
      const [word, , count] = plain(await client.call('SUBSCRIBE', name(index))) as unknown[]
      assert.deepEqual([word, count], ['subscribe', index + 1])
    }
    assert.match(
      String(plain(await client.call('SUBSCRIBE', name(15)))),
      /^error: ERR .*use another connection for more/,
    )
    assert.equal((plain(await client.call('SUBSCRIBE', name(3))) as unknown[])[2], 15)
    assert.equal((plain(await client.call('UNSUBSCRIBE', name(4))) as unknown[])[2], 14)
    assert.equal((plain(await client.call('SUBSCRIBE', name(15))) as unknown[])[2], 15)
    client.socket.destroy()
    const refused = RawClient.open(t, proxy.port)
    assert.match(String(plain(await refused.call('SUBSCRIBE'))), /wrong number of arguments/)
    assert.match(String(plain(await refused.call('SSUBSCRIBE', 'a', 'b'))), /CROSSSLOT/)
    proxy.server.endIdleClients()
    await refused.closed()
  })
})
