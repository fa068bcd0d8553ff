import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import test from 'node:test'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import { hashSlot } from '#resp/hash-slot.ts'
import { linesOf } from './support/client-list.ts'
import { plain, RawClient, startProxy } from './support/proxy.ts'
import { type ClusterNode, type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const ownerOf = (cluster: RedisCluster, key: string): ClusterNode => {
  const slot = hashSlot(key)
  const node = cluster.nodes.find(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last))
  if (!node) throw new Error(`nobody has ${key}`)
  return node
}
/** A key of each shard. */
const keysOf = (cluster: RedisCluster) =>
  cluster.nodes.map((node) => {
    for (let index = 0; ; index++) if (ownerOf(cluster, `k${index}`) === node) return `k${index}`
  })

async function idOf(node: ClusterNode): Promise<string> {
  return String(plain(await node.call('CLUSTER', 'MYID')))
}

async function moveSlot(cluster: RedisCluster, slot: number, to: ClusterNode): Promise<void> {
  const id = await idOf(to)
  const other = cluster.nodes.find((node) => node !== to) ?? to
  // Only who imports a slot gets a new epoch with it: without one, a word of the old owner that is still under way to
  // the others takes the slot back.
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(other))
  await to.call('CLUSTER', 'SETSLOT', slot, 'NODE', id)
  for (const node of cluster.nodes) await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', id)
}

test('a shard that is away fails its own slots only, and is found again when it is back', async (t) => {
  const cluster = await startCluster(t)
  const { port } = await startProxy(t, cluster)
  const [lost, ...others] = keysOf(cluster)
  assert.ok(lost)
  const client = RawClient.open(t, port)
  for (const key of [lost, ...others]) assert.equal(plain(await client.call('SET', key, '1')), 'OK')
  await ownerOf(cluster, lost).kill()
  const waiting = RawClient.open(t, port)
  const failed = waiting.call('GET', lost)
  for (const key of others) assert.equal(plain(await client.call('GET', key)), '1')
  assert.match(String(plain(await failed)), /^error: CLUSTERDOWN /)
  assert.match(String(plain(await client.call('MGET', lost, ...others))), /^error: CLUSTERDOWN /)
  await ownerOf(cluster, lost).restart()
  await until('the shard to be used again', async () => plain(await client.call('SET', lost, '2')) === 'OK')
})

test('what was sent to a shard that dies is never sent again', async (t) => {
  const cluster = await startCluster(t)
  const { port } = await startProxy(t, cluster)
  const client = RawClient.open(t, port)
  await client.call('SET', 'counter', '1')
  const owner = ownerOf(cluster, 'counter')
  owner.signal('SIGSTOP')
  client.send('INCR', 'counter')
  // It has been written once a later request on another shard has been carried out in the same tick.
  const other = keysOf(cluster).find((key) => ownerOf(cluster, key) !== owner) ?? ''
  const second = RawClient.open(t, port)
  await second.call('SET', other, '1')
  await second.call('SET', other, '2')
  await owner.restart()
  assert.match(String(plain(await client.next())), /lost after the command was sent/)
  await until('the shard to be used again', async () => plain(await client.call('GET', 'counter')) === null)
})

test('a slot whose old owner is gone is found at its new one, however eagerly it is asked for', async (t) => {
  const cluster = await startCluster(t)
  const { port } = await startProxy(t, cluster)
  const client = RawClient.open(t, port)
  const key = '{moving}a'
  const from = ownerOf(cluster, key)
  const to = cluster.nodes.find((node) => node !== from) ?? from
  assert.equal(plain(await client.call('GET', key)), null)
  await moveSlot(cluster, hashSlot(key), to)
  await from.kill()
  assert.equal(plain(await client.call('SET', key, 'here')), 'OK')
})

test('a slot that moves is followed: asked for, moved, and while half of it is here and half there', async (t) => {
  const cluster = await startCluster(t)
  const { port } = await startProxy(t, cluster)
  const client = RawClient.open(t, port)
  const key = '{moving}a'
  const slot = hashSlot(key)
  const from = ownerOf(cluster, key)
  const to = cluster.nodes.find((node) => node !== from) ?? from
  await client.call('MSET', key, 'a', '{moving}b', 'b')
  await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from))
  await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to))
  assert.equal(plain(await from.call('MIGRATE', '127.0.0.1', to.port, key, 0, 5000)), 'OK')
  assert.equal(plain(await client.call('GET', key)), 'a')
  assert.equal(plain(await client.call('GET', '{moving}b')), 'b')
  assert.equal(plain(await client.call('SET', '{moving}new', 'n')), 'OK')
  const both = client.call('MGET', key, '{moving}b')
  assert.equal(plain(await from.call('MIGRATE', '127.0.0.1', to.port, '{moving}b', 0, 5000)), 'OK')
  assert.deepEqual(plain(await both), ['a', 'b'])
  await moveSlot(cluster, slot, to)
  assert.deepEqual(plain(await client.call('MGET', key, '{moving}b', '{moving}new')), ['a', 'b', 'n'])
  for (let index = 0; index < 200; index++) client.send('SET', key, String(index))
  await moveSlot(cluster, slot, to)
  for (let index = 0; index < 200; index++) assert.equal(plain(await client.next()), 'OK')
  assert.equal(plain(await client.call('GET', key)), '199')
})

test('users are the engine’s: it verifies them, and its rules decide', async (t) => {
  const cluster = await startCluster(t)
  for (const node of cluster.nodes) {
    await node.call('ACL', 'SETUSER', 'control', 'on', '>control-password', 'allcommands', 'allkeys', 'allchannels')
    await node.call('ACL', 'SETUSER', 'reader', 'on', '>secret', '~*', '+@read', '+hello', '+auth')
    await callAs(node, 'ACL', 'SETUSER', 'default', 'off')
  }
  const { port } = await startProxy(t, cluster, {
    isOpen: false,
    control: { username: 'control', password: 'control-password' },
  })
  const client = RawClient.open(t, port)
  assert.match(String(plain(await client.call('GET', 'a'))), /^error: NOAUTH/)
  assert.match(String(plain(await client.call('PING'))), /^error: NOAUTH/)
  assert.match(String(plain(await client.call('AUTH', 'reader', 'wrong'))), /^error: WRONGPASS/)
  assert.match(String(plain(await client.call('GET', 'a'))), /^error: NOAUTH/)
  assert.equal(plain(await client.call('AUTH', 'reader', 'secret')), 'OK')
  assert.equal(plain(await client.call('GET', 'a')), null)
  assert.match(String(plain(await client.call('SET', 'a', '1'))), /^error: NOPERM/)
  assert.match(String(plain(await client.call('MSET', 'a', '1', 'b', '2'))), /^error: NOPERM/)
  const three = RawClient.open(t, port)
  assert.equal((await three.call('HELLO', '3', 'AUTH', 'control', 'control-password'))?.kind, 'map')
  assert.equal(plain(await three.call('SET', 'a', '1')), 'OK')
  // A pipeline behind AUTH is already the user's.
  const eager = RawClient.open(t, port)
  eager.send('AUTH', 'reader', 'secret')
  eager.send('GET', 'a')
  assert.deepEqual([plain(await eager.next()), plain(await eager.next())], ['OK', '1'])
  const stranger = RawClient.open(t, port)
  stranger.socket.write('*11\r\n')
  assert.match(String(plain(await stranger.next())), /unauthenticated multibulk length/)
  await stranger.closed()
})

const callAs = (node: ClusterNode, ...words: string[]) => node.call(...words)

test('a client that does not read is closed, and nobody else waits for it', async (t) => {
  const cluster = await startCluster(t)
  const { port, server } = await startProxy(t, cluster, {
    limits: { ...DEFAULT_LIMITS, maxOutputBytes: 8 * 1024 * 1024 },
  })
  const [slow, other] = [RawClient.open(t, port), RawClient.open(t, port)]
  await other.call('SET', 'big', Buffer.alloc(4 * 1024 * 1024))
  slow.socket.pause()
  for (let index = 0; index < 50; index++) slow.send('GET', 'big')
  await until('the slow one to be closed', async () => {
    assert.equal(plain(await other.call('STRLEN', 'big')), 4 * 1024 * 1024)
    return server.clientCount === 1
  })
})

test('when all clients together need too much, those that need most go, unless they asked not to', async (t) => {
  const cluster = await startCluster(t)
  const { port, server, config, troubles } = await startProxy(t, cluster)
  const [other, spared, large, larger] = [0, 1, 2, 3].map(() => RawClient.open(t, port))
  assert.ok(other && spared && large && larger)
  await other.call('SET', 'big', Buffer.alloc(4 * 1024 * 1024))
  assert.equal(plain(await spared.call('CLIENT', 'NO-EVICT', 'ON')), 'OK')
  // Each is owed a few values, less what the kernel keeps for it.
  for (const [client, values] of [
    [spared, 8],
    [large, 4],
    [larger, 8],
  ] as const) {
    client.socket.pause()
    for (let asked = 0; asked < values; asked++) client.send('GET', 'big')
  }
  const owed = async () => (await clientList(other)).reduce((sum, { omem }) => sum + Number(omem), 0)
  let before = -1
  await until('them to be owed all that they asked for', async () => {
    const now = await owed()
    if (now > 40 * 1024 * 1024 && now === before) return true
    before = now
    return false
  })
  await server.apply({ endpoints: [config], clientMemoryBytes: before - 1024 * 1024 })
  await until('one to be closed', () => server.clientCount === 3)
  assert.match(JSON.stringify(troubles), /all clients together need more memory/)
  await server.apply({ endpoints: [config], clientMemoryBytes: 1024 * 1024 })
  await until('the next to be closed, and the one that is small', () => server.clientCount === 1)
  spared.socket.resume()
  assert.equal(plain(await spared.next())?.toString().length, 4 * 1024 * 1024)
  larger.socket.resume()
  await larger.closed()
})

const clientList = async (client: RawClient) => linesOf(plain(await client.call('CLIENT', 'LIST')))

test('limits: clients, pipelines, and requests that come in pieces', async (t) => {
  const cluster = await startCluster(t, 1)
  const { port } = await startProxy(t, cluster, {
    limits: { maxConnections: 2, maxClientPipeline: 10, maxPartialRequestBytes: 1024 * 1024, maxOutputBytes: 1e8 },
  })
  const [client, second] = [RawClient.open(t, port), RawClient.open(t, port)]
  assert.equal(plain(await client.call('PING')), 'PONG')
  assert.equal(plain(await second.call('PING')), 'PONG')
  const third = RawClient.open(t, port)
  assert.equal(plain(await third.next()), 'error: ERR max number of clients reached')
  await third.closed()
  for (let index = 0; index < 1_000; index++) {
    client.send('ECHO', String(index))
    client.send('INCR', 'n')
  }
  for (let index = 0; index < 1_000; index++) {
    assert.equal(plain(await client.next()), String(index))
    assert.equal(plain(await client.next()), index + 1)
  }
  second.send('MSET', 'a', Buffer.alloc(3 * 1024 * 1024), 'b', '1')
  assert.match(String(plain(await second.next())), /Protocol error: too big request/)
})

test('a change of the configuration drops nobody, and a new port is opened beside the old', async (t) => {
  const cluster = await startCluster(t)
  const { port, server, config } = await startProxy(t, cluster)
  const client = RawClient.open(t, port)
  await client.call('SET', 'a', '1')
  await server.apply({ endpoints: [{ ...config, accountsEpoch: 1, limits: { ...config.limits, maxConnections: 5 } }] })
  assert.equal(plain(await client.call('GET', 'a')), '1')
  // A map that is wrong costs redirections, and is mended.
  const wrong = cluster.shards.map(({ slots }, index) => ({
    ...(cluster.shards[(index + 1) % 3] ?? { host: '', port: 0, epoch: 0 }),
    slots,
  }))
  await server.apply({ endpoints: [{ ...config, shards: wrong }] })
  for (let index = 0; index < 50; index++) assert.equal(plain(await client.call('SET', `w${index}`, '1')), 'OK')
  await server.apply({ endpoints: [] })
  await client.closed()
})

test('noise of any kind ends that client and no other', async (t) => {
  const cluster = await startCluster(t, 1)
  const { port } = await startProxy(t, cluster)
  const good = RawClient.open(t, port)
  let seed = createHash('sha256').update('noise').digest()
  for (let round = 0; round < 60; round++) {
    const bad = RawClient.open(t, port)
    seed = createHash('sha256').update(seed).digest()
    bad.socket.write(
      Buffer.concat([
        Buffer.from(['*3\r\n$3\r\nSET\r\n$', '', '*-5\r\n', '*2\r\n$3\r\nGET\r\n'][round % 4] ?? ''),
        seed,
      ]),
    )
    bad.socket.end()
    assert.equal(plain(await good.call('SET', 'still', 'here')), 'OK')
  }
})
