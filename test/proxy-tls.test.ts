import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after, before, suite } from 'node:test'
import { type ConnectionOptions, connect as connectSecurely, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import type { EndpointConfig } from '#proxy/config.ts'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import type { ClientTls } from '#proxy/tls-config.ts'
import { type Authority, type Issued, makeAuthority } from './support/certificates.ts'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import type { CleanUps } from './support/instance.ts'
import { plain, RawClient, startProxy, type TestProxy } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const cleanUps = new CleanUpList()

suite('clients that speak TLS', () => {
  let cluster: RedisCluster
  let authority: Authority
  let own: Issued
  before(async () => {
    cluster = await startCluster(cleanUps)
    authority = await makeAuthority('servers')
    own = await authority.issue('endpoint')
  }, HOOK)
  after(() => cleanUps.run(), HOOK)

  const start = (t: CleanUps, tls: Partial<ClientTls> = {}, changes: Partial<EndpointConfig> = {}) =>
    startProxy(t, cluster, { tls: { ...own, minVersion: 'TLSv1.2', ...tls }, ...changes })
  const trusting = () => ({ ca: authority.certificate })
  const open = (t: CleanUps, { port }: TestProxy, more: ConnectionOptions = {}) =>
    RawClient.open(t, port, { ...trusting(), ...more })
  const serialOf = (client: RawClient) => (client.socket as TLSSocket).getPeerCertificate().serialNumber
  const reasonsOf = ({ troubles }: TestProxy) =>
    troubles.flatMap(({ message, detail }) =>
      message === 'a client was not let in' ? [(detail as { reason: string }).reason] : [],
    )
  const refused = async (client: RawClient) => {
    assert.equal(await client.call('PING'), null)
    assert.deepEqual(client.replies, [])
  }

  test('node-redis, ioredis and redis-cli work, with keys on all shards', async (t) => {
    const { port } = await start(t)
    const ca = [authority.certificate]
    const io = new Redis({ port, host: '127.0.0.1', tls: { ca }, lazyConnect: true })
    io.on('error', () => undefined)
    t.after(async () => io.disconnect())
    await io.connect()
    const pipeline = io.pipeline()
    const keys = Array.from({ length: 300 }, (_, index) => `tls:${index}`)
    for (const key of keys) pipeline.set(key, `of ${key}`)
    await pipeline.exec()
    assert.deepEqual(
      await io.mget(keys),
      keys.map((key) => `of ${key}`),
    )
    const node = createClient({ socket: { port, host: '127.0.0.1', tls: true, ca }, RESP: 3 })
    node.on('error', () => undefined)
    await node.connect()
    t.after(async () => node.destroy())
    assert.deepEqual(await node.mGet(['tls:1', 'none']), ['of tls:1', null])
    const subscriber = node.duplicate()
    subscriber.on('error', () => undefined)
    await subscriber.connect()
    t.after(async () => subscriber.destroy())
    const heard: string[] = []
    await subscriber.subscribe('news', (message) => void heard.push(message))
    await node.publish('news', 'hello')
    await until('the message to be heard', () => heard.length === 1)
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-tls-'))
    t.after(() => rm(folder, { recursive: true, force: true }))
    const path = join(folder, 'ca.pem')
    await writeFile(path, authority.certificate)
    const args = ['-p', String(port), '--tls', '--cacert', path, 'GET', 'tls:7']
    assert.equal((await promisify(execFile)('redis-cli', args)).stdout.trim(), 'of tls:7')
  })

  test('large values and long pipelines come back whole and in order', async (t) => {
    const client = open(t, await start(t))
    const big = Buffer.alloc(5 * 1024 * 1024, 'b')
    client.send('SET', 'big', big)
    for (let index = 0; index < 3_000; index++) {
      client.send('SET', `order:${index}`, String(index))
      client.send('GET', `order:${index}`)
    }
    client.send('GET', 'big')
    assert.equal(plain(await client.next()), 'OK')
    for (let index = 0; index < 3_000; index++) {
      assert.equal(plain(await client.next()), 'OK')
      assert.equal(plain(await client.next()), String(index))
    }
    assert.equal(plain(await client.next()), big.toString())
  })

  test('a client that has said all it wants hears all its answers before the end', async (t) => {
    const client = open(t, await start(t))
    await client.call('SET', 'last', 'word')
    for (let index = 0; index < 500; index++) client.send('GET', 'last')
    client.socket.end()
    for (let index = 0; index < 500; index++) assert.equal(plain(await client.next()), 'word')
    await client.closed()
  })

  test('versions and ciphers are those of the settings', async (t) => {
    const strict = await start(t, { minVersion: 'TLSv1.3' })
    const client = open(t, strict)
    assert.equal(plain(await client.call('PING')), 'PONG')
    assert.equal((client.socket as TLSSocket).getProtocol(), 'TLSv1.3')
    await refused(open(t, strict, { maxVersion: 'TLSv1.2' }))
    const chosen = await start(t, {
      ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384',
      cipherSuites: 'TLS_CHACHA20_POLY1305_SHA256',
    })
    const [old, current] = [open(t, chosen, { maxVersion: 'TLSv1.2' }), open(t, chosen)]
    assert.equal(plain(await old.call('PING')), 'PONG')
    assert.equal((old.socket as TLSSocket).getCipher().name, 'ECDHE-ECDSA-AES256-GCM-SHA384')
    assert.equal(plain(await current.call('PING')), 'PONG')
    assert.equal((current.socket as TLSSocket).getCipher().name, 'TLS_CHACHA20_POLY1305_SHA256')
    await refused(open(t, chosen, { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256' }))
  })

  test('only clients with a valid certificate of a trusted authority come in, also when they come again', async (t) => {
    const people = await makeAuthority('people')
    const [good, expired] = [await people.issue('app'), await people.issue('app', -1)]
    const stranger = await (await makeAuthority('people')).issue('app')
    const proxy = await start(t, {
      clients: { trusted: [people.certificate], validation: 'disabled', subjects: [] },
    })
    const as = ({ certificate: cert, key }: Issued) => ({ cert, key })
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      assert.equal(plain(await open(t, proxy, { ...as(good), maxVersion }).call('PING')), 'PONG')
      await refused(open(t, proxy, { maxVersion }))
      await refused(open(t, proxy, { ...as(stranger), maxVersion }))
      await refused(open(t, proxy, { ...as(expired), maxVersion }))
    }
    const first = open(t, proxy, as(good))
    let session: Buffer | undefined
    first.socket.on('session', (given: Buffer) => {
      session = given
    })
    await first.call('PING')
    await until('a session to come again with', () => session !== undefined)
    const again = open(t, proxy, { ...as(good), session })
    assert.equal(plain(await again.call('PING')), 'PONG')
    assert.equal((again.socket as TLSSocket).isSessionReused(), true)
    assert.ok(reasonsOf(proxy).length > 0)
  })

  test('a single certificate is trusted for itself alone, and its subject is not compared', async (t) => {
    const people = await makeAuthority('people')
    const [chosen, other] = [await people.issue('chosen'), await people.issue('chosen')]
    const proxy = await start(t, {
      clients: { trusted: [chosen.certificate], validation: 'full_subject', subjects: [{ CN: 'nobody' }] },
    })
    assert.equal(plain(await open(t, proxy, { cert: chosen.certificate, key: chosen.key }).call('PING')), 'PONG')
    await refused(open(t, proxy, { cert: other.certificate, key: other.key }))
  })

  for (const validation of ['san_cn', 'full_subject'] as const)
    test(`${validation}: a wrong subject is closed with a line that says so`, async (t) => {
      const people = await makeAuthority('people')
      const [good, bad] = [await people.issue('app'), await people.issue('other')]
      const subjects = [{ CN: 'somebody' }, { CN: 'app' }]
      const proxy = await start(t, { clients: { trusted: [people.certificate], validation, subjects } })
      assert.equal(plain(await open(t, proxy, { cert: good.certificate, key: good.key }).call('PING')), 'PONG')
      await refused(open(t, proxy, { cert: bad.certificate, key: bad.key }))
      assert.deepEqual(reasonsOf(proxy), ['its subject is not authorized: CN=other'])
    })

  test('a new certificate, other settings and no TLS at all count for those who come then', async (t) => {
    const proxy = await start(t)
    const { server, config } = proxy
    const inside = open(t, proxy)
    assert.equal(plain(await inside.call('SET', 'rotated', '1')), 'OK')
    const next = await authority.issue('endpoint')
    const tls: ClientTls = { ...next, minVersion: 'TLSv1.2' }
    await server.apply({ endpoints: [{ ...config, tls }] })
    const after = open(t, proxy)
    assert.equal(plain(await after.call('INCR', 'rotated')), 2)
    assert.notEqual(serialOf(after), serialOf(inside))
    const people = await makeAuthority('people')
    const clients = { trusted: [people.certificate], validation: 'disabled', subjects: [] } as const
    await server.apply({ endpoints: [{ ...config, tls: { ...tls, clients } }] })
    await refused(open(t, proxy))
    const { tls: _gone, ...without } = config
    await server.apply({ endpoints: [without] })
    assert.equal(plain(await RawClient.open(t, proxy.port).call('INCR', 'rotated')), 3)
    await server.apply({ endpoints: [{ ...config, tls: { ...tls, key: own.key } }] })
    await refused(RawClient.open(t, proxy.port))
    await server.apply({ endpoints: [config] })
    for (const client of [inside, after, open(t, proxy)]) assert.ok(plain(await client.call('INCR', 'rotated')))
    const troubles = JSON.stringify(proxy.troubles)
    assert.match(troubles, /the TLS settings of an endpoint cannot be used/)
    assert.doesNotMatch(troubles, /PRIVATE/)
  })

  test('noise, plain commands and half a handshake end that client and no other', async (t) => {
    const proxy = await start(t)
    const good = open(t, proxy)
    const hello = await helloOf()
    const broken = Buffer.from(hello)
    broken.fill(0xff, 20)
    for (const bytes of [Buffer.from('PING\r\n'), Buffer.alloc(70_000, 7), broken, Buffer.alloc(0)]) {
      const bad = RawClient.open(t, proxy.port)
      bad.socket.end(bytes)
      await bad.closed()
      assert.equal(plain(await good.call('PING')), 'PONG')
    }
    const reset = RawClient.open(t, proxy.port)
    reset.socket.write(hello, () => reset.socket.resetAndDestroy())
    await reset.closed()
    await until('all but one to be gone', () => proxy.server.clientCount === 1)
    assert.equal(plain(await good.call('PING')), 'PONG')
  })

  test('who never ends a handshake is shown out, however busy they look', { timeout: 60_000 }, async (t) => {
    const proxy = await start(t)
    const hello = await helloOf()
    const [silent, slow] = [RawClient.open(t, proxy.port), RawClient.open(t, proxy.port)]
    let sent = 0
    const drip = setInterval(() => slow.socket.write(hello.subarray(sent, ++sent)), 500)
    t.after(async () => clearInterval(drip))
    const good = open(t, proxy)
    await Promise.all([silent.closed(), slow.closed()])
    assert.ok(sent < hello.length, 'it was ended, and did not end by itself')
    assert.equal(plain(await good.call('PING')), 'PONG')
    assert.equal(proxy.server.clientCount, 1)
  })

  test('two hundred come at once, and the limit counts those in a handshake', async (t) => {
    const proxy = await start(t, {}, { limits: { ...DEFAULT_LIMITS, maxConnections: 200 } })
    const clients = Array.from({ length: 200 }, () => open(t, proxy))
    const answers = await Promise.all(clients.map((client, index) => client.call('INCRBY', 'crowd', index % 2)))
    assert.equal(Math.max(...answers.map((answer) => Number(plain(answer)))), 100)
    await refused(open(t, proxy))
    clients[0]?.socket.destroy()
    await until('one to be gone', () => proxy.server.clientCount === 199)
    assert.equal(plain(await open(t, proxy).call('PING')), 'PONG')
  })

  /** The first flight of a real client. */
  async function helloOf(): Promise<Buffer> {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as { port: number }
    const client = connectSecurely({ port, host: '127.0.0.1' })
    client.on('error', () => undefined)
    const bytes = await new Promise<Buffer>((resolve) =>
      server.once('connection', (socket) => socket.on('error', () => undefined).once('data', resolve)),
    )
    client.destroy()
    server.close()
    return bytes
  }
})
