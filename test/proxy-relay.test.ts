/**
 * An endpoint that hands bytes on unread, in front of a process that does not behave: made up here.
 */
import assert from 'node:assert/strict'
import { createServer, type Socket } from 'node:net'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { makeAuthority } from './support/certificates.ts'
import type { CleanUps } from './support/instance.ts'
import { freePort } from './support/ports.ts'
import { plain, RawClient, startProxy } from './support/proxy.ts'
import { RedisCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

async function startProcess(t: CleanUps, serve: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    t.after(async () => void socket.destroy())
    serve(socket)
  })
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.after(async () => void server.close())
  return { host: '127.0.0.1', port }
}

test('bytes go both ways, and the client goes when the process does', async (t) => {
  const relay = await startProcess(t, (socket) => socket.once('data', () => socket.end('+hello\r\n')))
  const { port } = await startProxy(t, new RedisCluster([]), { relay })
  const client = RawClient.open(t, port)
  assert.equal(plain(await client.call('PING')), 'hello')
  await client.closed()
})

test('a process that takes a connection and never finishes the handshake keeps nobody waiting for ever', async (t) => {
  const relay = await startProcess(t, (socket) => socket.resume())
  const { certificate } = await makeAuthority('shards')
  const shardsTls = { trusted: certificate, isPinned: true }
  const { port, server } = await startProxy(t, new RedisCluster([]), { relay, shardsTls })
  const client = RawClient.open(t, port)
  await until('the client to be let go', () => client.isClosed)
  assert.equal(server.clientCount, 0)
})

test('a client that does not read what was said last is let go after a while', async (t) => {
  const said = Buffer.alloc(64 * 1024 * 1024, '+')
  let hasBegun = false
  const relay = await startProcess(t, (socket) => {
    hasBegun = true
    socket.write(said)
  })
  const { port, server } = await startProxy(t, new RedisCluster([]), { relay })
  const client = RawClient.open(t, port)
  client.socket.pause()
  await until('the process to speak', () => hasBegun)
  await delay(300)
  await server.apply({ endpoints: [] })
  const began = performance.now()
  // Whoever begins to write hears that nobody listens.
  await until('the connection to be reset', () => {
    client.socket.write('x')
    return client.isClosed
  })
  assert.ok(performance.now() - began > 2_000)
})
