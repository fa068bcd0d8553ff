/**
 * The discovery service as clients use it: their Sentinel modes follow a database through whatever becomes of it, and
 * nobody who connects can take much.
 */
import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { Redis } from 'ioredis'
import { createSentinel } from 'redis'
import { type CleanUps, type Instance, startInstance } from './support/instance.ts'
import { freePort } from './support/ports.ts'
import { startPython } from './support/python.ts'
import { openPlain } from './support/raw.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

type Following = { count(): Promise<number> }

/** Clients that find a database by its name and count in it, each with patience of its own. */
const CLIENTS: Readonly<Record<string, (t: CleanUps, port: number, name: string) => Promise<Following>>> = {
  ioredis: async (t, port, name) => {
    const client = new Redis({
      sentinels: [{ host: '127.0.0.1', port }],
      name,
      failoverDetector: true,
      sentinelRetryStrategy: () => 20,
      retryStrategy: () => 20,
      maxRetriesPerRequest: null,
    })
    client.on('error', () => undefined)
    t.after(async () => client.disconnect())
    return { count: async () => Number(await client.incr('count')) }
  },
  'node-redis': async (t, port, name) => {
    const client = createSentinel({
      name,
      sentinelRootNodes: [{ host: '127.0.0.1', port }],
      nodeClientOptions: { socket: { reconnectStrategy: false } },
    })
    client.on('error', () => undefined)
    await client.connect()
    t.after(async () => client.destroy())
    return { count: () => until('a number', async () => Number(await client.incr('count'))) }
  },
  'redis-py': async (t, port, name) => {
    const program = startPython(t, 'sentinel.py', [String(port)])
    const count = async () => {
      const answer: unknown = await program.ask(name)
      if (typeof answer === 'object' && answer !== null && 'count' in answer) return Number(answer.count)
      throw new Error(JSON.stringify(answer))
    }
    return { count }
  },
}

withInstance('discovery', {}, (it) => {
  for (const [title, follow] of Object.entries(CLIENTS)) {
    test(`${title} follows a database through a failover and to another port`, async (t) => {
      const name = `followed-by-${title}`
      const { uid, endpoints } = await it().create({ name, replication: true, memory_size: 40_000_000 })
      await inStep(it(), uid)
      const following = await follow({ after: (cleanUp) => t.after(cleanUp) }, it().ports.discovery, name)
      assert.equal(await following.count(), 1)

      const primary = await primaryOf(it(), uid)
      process.kill(await pidOf(it(), primary), 'SIGKILL')
      assert.ok((await following.count()) >= 2)
      await inStep(it(), uid)
      assert.notEqual(await primaryOf(it(), uid), primary)

      const port = freeEndpoint(it())
      const before = await following.count()
      const changed = await it().api.put(`/v1/bdbs/${uid}`, { port })
      assert.equal(changed.status, 200, changed.text)
      await it().active(uid)
      assert.notEqual(port, endpoints[0].port)
      // One that was sent and not answered may count twice.
      assert.ok((await following.count()) > before)
      assert.deepEqual(await addressOf(it(), name), ['127.0.0.1', String(port)])
    })
  }

  test('a name leads nowhere before its database serves, when it has another name, and when it is deleted', async (t) => {
    const client = sentinelOf(it(), t)
    const news: string[] = []
    const listening = sentinelOf(it(), t)
    listening.on('pmessage', (_pattern, channel, text) => news.push(`${channel} ${text}`))
    await listening.psubscribe('[-+]*n[ih]tor', '+switch-mast?r')
    assert.equal(await client.call('sentinel', 'get-master-addr-by-name', 'first'), null)
    await assert.rejects(client.call('sentinel', 'master', 'first'), /No such master with that name/)
    const { uid, endpoints } = await it().create({ name: 'first' })
    const { port } = endpoints[0]
    assert.deepEqual(await addressOf(it(), 'first'), ['127.0.0.1', String(port)])
    assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { name: 'second' })).status, 200)
    assert.equal(await addressOf(it(), 'first'), null)
    assert.deepEqual(await addressOf(it(), 'second@internal'), ['127.0.0.1', String(port)])
    const younger = await it().create({ name: 'second' })
    assert.deepEqual(await addressOf(it(), 'second'), ['127.0.0.1', String(port)])
    await it().api.delete(`/v1/bdbs/${younger.uid}`)
    await it().gone(younger.uid)
    assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
    assert.equal(await addressOf(it(), 'second'), null)
    await until('all the news', () => news.length >= 8)
    const at = `127.0.0.1 ${port}`
    const told = (mark: string, name: string, more = '') => [
      `${mark}monitor master ${name}@internal ${at}${more}`,
      `${mark}monitor master ${name} ${at}${more}`,
    ]
    assert.deepEqual(news, [
      ...told('+', 'first', ' quorum 1'),
      ...told('-', 'first'),
      ...told('+', 'second', ' quorum 1'),
      ...told('-', 'second'),
    ])
  })

  test('says that a name leads to another port when that has come true, and nothing when a replica takes over', async (t) => {
    const { uid, endpoints } = await it().create({ name: 'moving', replication: true, memory_size: 40_000_000 })
    await inStep(it(), uid)
    const listening = sentinelOf(it(), t)
    const news: string[] = []
    listening.on('message', (channel, text) => news.push(`${channel} ${text}`))
    await listening.subscribe('+switch-master')
    process.kill(await pidOf(it(), await primaryOf(it(), uid)), 'SIGKILL')
    await inStep(it(), uid)
    const port = freeEndpoint(it())
    await it().api.put(`/v1/bdbs/${uid}`, { port })
    await until('the news', () => news.length >= 2)
    const moved = `127.0.0.1 ${endpoints[0].port} 127.0.0.1 ${port}`
    assert.deepEqual(news, [`+switch-master moving@internal ${moved}`, `+switch-master moving ${moved}`])
    const client = new Redis({ port, host: '127.0.0.1', retryStrategy: null })
    t.after(() => client.disconnect())
    assert.equal(await client.ping(), 'PONG')
  })

  test('answers as a Sentinel does, in RESP2 and in RESP3', async (t) => {
    const { endpoints } = await it().create({ name: 'told' })
    const client = sentinelOf(it(), t)
    const port = String(endpoints[0].port)
    const flat = await client.call('sentinel', 'MASTER', 'told')
    assert.ok(Array.isArray(flat))
    assert.deepEqual(flat.slice(0, 8), ['name', 'told', 'ip', '127.0.0.1', 'port', port, 'flags', 'master'])
    const all = await client.call('sentinel', 'masters')
    assert.ok(Array.isArray(all))
    const names = all.map((master: string[]) => master[1])
    assert.ok(names.indexOf('told@internal') === names.indexOf('told') - 1)
    for (const subcommand of ['replicas', 'slaves', 'sentinels'])
      assert.deepEqual(await client.call('sentinel', subcommand, 'told'), [])
    await assert.rejects(client.call('sentinel', 'replicas', 'unheard-of'), /No such master/)
    assert.match(String(await client.call('sentinel', 'ckquorum', 'told')), /^OK 1 usable/)
    assert.match(String(await client.call('sentinel', 'myid')), /^[0-9a-f]{40}$/)
    assert.deepEqual([await client.ping(), await client.echo('x')], ['PONG', 'x'])
    assert.deepEqual(await client.role(), ['sentinel', names])
    assert.match(await client.info(), new RegExp(`master\\d+:name=told,status=ok,address=127.0.0.1:${port},`))
    assert.equal(await client.call('AUTH', 'default', 'anything'), 'OK')
    await assert.rejects(client.call('AUTH', 'somebody', 'x'), /WRONGPASS/)
    for (const [command, ...args] of [
      ['GET', 'key'],
      ['SHUTDOWN'],
      ['SENTINEL', 'failover', 'told'],
      ['SENTINEL', 'monitor', 'x', '127.0.0.1', '1', '1'],
      ['SENTINEL', 'nonsense'],
      ['SENTINEL', 'master'],
      ['PUBLISH', '+switch-master', 'x'],
      ['HELLO', '4'],
      ['CLIENT', 'KILL', 'x'],
      ['DEBUG', 'SEGFAULT'],
      ['CONFIG', 'SET', 'x', 'y'],
    ] as const)
      await assert.rejects(client.call(command, ...args), /^ReplyError: (ERR|NOPROTO)/, command)
    const raw = await openPlain(it().ports.discovery)
    raw.socket.write('*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*3\r\n$8\r\nSENTINEL\r\n$6\r\nmaster\r\n$4\r\ntold\r\n')
    raw.socket.write('*3\r\n$8\r\nSENTINEL\r\n$23\r\nget-master-addr-by-name\r\n$1\r\nx\r\n')
    await until('three answers', () => raw.received().endsWith('\r\n_\r\n'))
    assert.match(raw.received(), /^%6\r\n/)
    assert.match(raw.received(), /\r\n%9\r\n\$4\r\nname\r\n\$4\r\ntold\r\n/)
    raw.socket.destroy()
  })

  test('speaks TLS with whoever begins with it, as far as the cluster wants it', async (t) => {
    await it().create({ name: 'encrypted' })
    const port = it().ports.discovery
    const secure = () => connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
    const set = async (settings: object) => {
      const { status, text } = await it().api.put('/v1/cluster', settings)
      assert.equal(status, 200, text)
    }
    const answers = (over: 'tls' | 'plain') =>
      new Promise<string>((resolve) => {
        const client = new Redis({
          ...{ host: '127.0.0.1', port, retryStrategy: null, lazyConnect: true, enableReadyCheck: false },
          ...(over === 'tls' ? { tls: { rejectUnauthorized: false } } : {}),
        })
        client.on('error', () => undefined)
        client.ping().then(resolve, (error: Error) => resolve(error.message))
        t.after(() => client.disconnect())
      })
    assert.deepEqual([await answers('tls'), await answers('plain')], ['PONG', 'PONG'])
    await set({ sentinel_tls_mode: 'required', min_sentinel_TLS_version: '1.3' })
    assert.equal(await answers('tls'), 'PONG')
    assert.notEqual(await answers('plain'), 'PONG')
    const old = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
    await assert.rejects(new Promise((resolve, reject) => old.on('secureConnect', resolve).on('error', reject)))
    const suite = 'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384'
    await set({ min_sentinel_TLS_version: '1.2', sentinel_cipher_suites: [suite] })
    const chosen = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, maxVersion: 'TLSv1.2' })
    await new Promise((resolve, reject) => chosen.on('secureConnect', resolve).on('error', reject))
    assert.equal(chosen.getCipher().standardName, suite)
    chosen.destroy()
    await set({ sentinel_tls_mode: 'disabled' })
    const refused = secure()
    await assert.rejects(new Promise((resolve, reject) => refused.on('secureConnect', resolve).on('error', reject)))
    assert.equal(await answers('plain'), 'PONG')
    const wrong = await it().api.put('/v1/cluster', { sentinel_cipher_suites: ['nonsense'] })
    assert.equal(wrong.status, 400)
    await set({ sentinel_tls_mode: 'allowed', sentinel_cipher_suites: [] })
  })

  test('stays calm whatever is sent', async () => {
    const { discovery } = it().ports
    const hostile = [
      'POST / HTTP/1.1\r\nHost: x\r\n\r\nSENTINEL masters\r\n',
      '*1000000000\r\n',
      '*2\r\n$1000000000\r\n',
      '*1\r\n*1\r\n*1\r\n$4\r\nPING\r\n',
      '*-5\r\n',
      '*1\r\n:5\r\n',
      '*x\r\n',
      `${'x'.repeat(100_000)}`,
      `*300\r\n${'$1\r\nx\r\n'.repeat(300)}`,
      `*1\r\n$5000\r\n${'x'.repeat(5_000)}\r\n`,
      '*0\r\n|1\r\n$1\r\nx\r\n$1\r\nx\r\n*1\r\n$4\r\nPING\r\n',
      'QUIT\r\n',
    ]
    for (const text of hostile) {
      const raw = await openPlain(discovery)
      raw.socket.write(text)
      let isClosed = false
      void raw.closed.then(() => {
        isClosed = true
      })
      await until(`${JSON.stringify(text.slice(0, 40))} to be shown the door`, () => isClosed)
      assert.doesNotMatch(raw.received(), /name/, text.slice(0, 40))
    }
    const greedy = await openPlain(discovery)
    greedy.socket.pause()
    greedy.socket.write('SENTINEL masters\r\n'.repeat(200_000))
    const many = await Promise.all(Array.from({ length: 200 }, () => openPlain(discovery)))
    for (const { socket } of many) socket.write('*1\r\n$4\r\nPI')
    const client = new Redis({ host: '127.0.0.1', port: discovery, retryStrategy: null, enableReadyCheck: false })
    assert.equal(await client.ping(), 'PONG')
    const names = Array.from({ length: 300 }, (_, index) => `c${index}`)
    for (const channel of names.slice(0, 256)) await client.subscribe(channel)
    await assert.rejects(client.subscribe('one-more'), /256 subscriptions/)
    client.disconnect()
    for (const { socket } of [greedy, ...many]) socket.destroy()
  })
})

test('a port that is taken is said, and had as soon as it is free', async (t) => {
  const port = await freePort()
  const other = createServer().listen(port, '127.0.0.1')
  t.after(() => other.close())
  await new Promise((resolve) => other.once('listening', resolve))
  const instance = await startInstance(t, { args: ['--discovery-port', String(port)] })
  assert.match(instance.output, new RegExp(`Discovery +none yet: port ${port} is in use by another program`))
  await new Promise((resolve) => other.close(resolve))
  await instance.create({ name: 'there' })
  const client = new Redis({ host: '127.0.0.1', port, enableReadyCheck: false, maxRetriesPerRequest: null })
  client.on('error', () => undefined)
  t.after(() => client.disconnect())
  assert.ok(await client.call('sentinel', 'get-master-addr-by-name', 'there'))
})

type SeenShard = { uid: string; role: string; status: string; sync: { status: string } }

async function shards(instance: Instance, uid: number): Promise<SeenShard[]> {
  return (await instance.api.get(`/v1/bdbs/${uid}/shards`)).json
}

async function primaryOf(instance: Instance, uid: number): Promise<number> {
  const primary = (await shards(instance, uid)).find(({ role, status }) => role === 'master' && status === 'active')
  return Number(primary?.uid)
}

async function pidOf(instance: Instance, shardUid: number): Promise<number> {
  const engine = (await instance.engines()).find((one) => one.shardUid === shardUid)
  assert.ok(engine, `shard ${shardUid} has no process`)
  return engine.pid
}

async function inStep(instance: Instance, uid: number): Promise<void> {
  await until('a primary and a replica in step', async () => {
    const all = await shards(instance, uid)
    const roles = all.map(({ role, status, sync }) => `${role} ${status} ${sync.status}`).sort()
    return roles.join() === 'master active idle,slave active idle'
  })
}

/** Of the range of endpoints, from its end: databases get theirs from the beginning. */
let drawn = 0
function freeEndpoint(instance: Instance): number {
  return instance.ports.databases.high - drawn++
}

function sentinelOf(instance: Instance, t: { after(cleanUp: () => void): void }): Redis {
  const client = new Redis({ host: '127.0.0.1', port: instance.ports.discovery, enableReadyCheck: false })
  t.after(() => client.disconnect())
  return client
}

/** As Sentinel tells it, or null. */
async function addressOf(instance: Instance, name: string): Promise<unknown> {
  const client = new Redis({ host: '127.0.0.1', port: instance.ports.discovery, enableReadyCheck: false })
  try {
    return await client.call('sentinel', 'get-master-addr-by-name', name)
  } finally {
    client.disconnect()
  }
}
