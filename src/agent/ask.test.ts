import assert from 'node:assert/strict'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { EngineRefusal } from '#plan/agent.ts'
import { ask, Client, makeBench, makeSpec, seen, start, stop } from './testing.ts'

test('a command answers as JSON can hold it, and an error is a refusal', async (t) => {
  const bench = await makeBench(t)
  const { agent } = bench
  await start(agent, await makeSpec(1))
  assert.equal(await agent.command(1, ['SET', 'k', 'v'], 1000), true)
  assert.equal(await agent.command(1, ['GET', 'k'], 1000), 'v')
  assert.equal(await agent.command(1, ['GET', 'none'], 1000), null)
  assert.equal(await agent.command(1, ['INCR', 'n'], 1000), 1)
  assert.deepEqual(await agent.command(1, ['MGET', 'k', 'none'], 1000), ['v', null])
  await assert.rejects(
    agent.command(1, ['NONSENSE'], 1000),
    (error) => error instanceof EngineRefusal && /^ERR unknown command/.test(error.message),
  )
  await assert.rejects(agent.command(1, ['LPUSH', 'k', 'x'], 1000), /^EngineRefusal: WRONGTYPE/)
})

test('a command that blocks, subscribes or selects disturbs nobody', async (t) => {
  const bench = await makeBench(t)
  const { agent } = bench
  await start(agent, await makeSpec(1))
  await assert.rejects(agent.command(1, ['BLPOP', 'list', '0'], 50), { kind: 'timeout' })
  await agent.command(1, ['SUBSCRIBE', 'channel'], 1000)
  await agent.command(1, ['SELECT', '3'], 1000)
  await agent.command(1, ['SET', 'k', 'v'], 1000)
  assert.match((await agent.info(1, 1000))?.db0 ?? '', /keys=1/)
  await stop(agent, 1)
  await assert.rejects(agent.command(1, ['PING'], 1000), { name: 'StepFailed', kind: 'missing' })
  assert.equal(await agent.info(1, 1000), null)
  await assert.rejects(agent.command(9, ['PING'], 1000), { name: 'StepFailed', kind: 'missing' })
})

test('the endpoint answers only if it is ours that answers', async (t) => {
  const bench = await makeBench(t)
  const { agent } = bench
  const shut = [{ name: 'default', enabled: false, passwordHashes: null, rules: [] }]
  const [open, closed] = [await makeSpec(1), await makeSpec(2, { users: shut })]
  await Promise.all([start(agent, open), start(agent, closed)])
  using bystander = new Client(open.listen.port)
  assert.ok(Number(await agent.pingEndpoint(1, 1000)) < 1000)
  assert.notEqual(await agent.pingEndpoint(2, 1000), null)
  assert.equal(await bystander.call('PING'), 'PONG')
  // The shard lives, but not on this port any more: somebody else answers there.
  await agent.command(1, ['CONFIG', 'SET', 'port', '0'], 1000)
  assert.equal(await agent.pingEndpoint(1, 1000), null)
  const stranger = createServer((socket) => socket.end('+PONG\r\n')).listen(open.listen.port, '127.0.0.1')
  t.after(() => stranger.close())
  assert.equal(await ask(open.listen.port, 'PING'), 'PONG')
  assert.equal(await agent.pingEndpoint(1, 1000), null)
  await stop(agent, 2)
  await seen(agent, 2, 'stopped')
  assert.equal(await agent.pingEndpoint(2, 1000), null)
  assert.equal(await agent.pingEndpoint(9, 1000), null)
})

test('busy ports are those that cannot be listened on', async (t) => {
  const bench = await makeBench(t)
  const [spec, free] = await Promise.all([makeSpec(1), makeSpec(2)])
  await start(bench.agent, spec)
  const everywhere = createServer().listen(0, '0.0.0.0')
  await new Promise((resolve) => everywhere.once('listening', resolve))
  t.after(() => everywhere.close())
  const address = everywhere.address()
  assert.ok(address && typeof address === 'object')
  const ports = [spec.listen.port, free.listen.port, address.port]
  assert.deepEqual(await bench.agent.busyPorts('127.0.0.1', ports), [spec.listen.port, address.port])
  await assert.rejects(bench.agent.busyPorts('192.0.2.1', [1234]), /nobody can listen/)
})

test('the host tells what it is', async (t) => {
  const { agent, dataDir } = await makeBench(t)
  const { host } = agent
  assert.ok(host.cores > 0 && host.totalMemoryBytes > 0 && host.bootedAt < Date.now())
  assert.equal(host.persistentPath, dataDir)
  const loopback = host.addresses.find(({ address }) => address === '127.0.0.1')
  assert.deepEqual(loopback, { address: '127.0.0.1', format: 'ipv4', interface: 'lo', private: true })
  const readings = await agent.readings()
  assert.ok(readings.freeMemoryBytes > 0 && readings.persistentStorageFreeBytes <= readings.persistentStorageBytes)
})
