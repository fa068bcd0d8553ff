/**
 * A new configuration is taken over when everybody who serves clients knows of it: shards and workers that hang, that die
 * and that are slow are made up here, since real ones cannot be told when.
 */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { EndpointConfig } from '#proxy/config.ts'
import { Crew } from '#proxy/crew.ts'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import { RespParser } from '#resp/parser.ts'
import type { CleanUps } from './support/instance.ts'
import { freePort } from './support/ports.ts'
import { plain, RawClient, startProxy, type Trouble } from './support/proxy.ts'
import { RedisCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

/** A worker that says of what it was told, and of each new slot map only after a while. */
const WORKER = `
import { appendFileSync } from 'node:fs'
const say = (line) => appendFileSync(process.env.WORKER_LOG, line + '\\n')
say('pid ' + process.pid)
process.on('message', ({ kind, round, config }) => {
  if (kind === 'count') process.send({ round, counts: [] })
  if (kind === 'serve')
    setTimeout(() => {
      say('serves ' + config.endpoints.map(({ isMoving }) => isMoving))
      process.send({ round, counts: [] })
    }, 1200)
})
process.on('disconnect', () => process.exit(0))
`

async function startCrew(t: CleanUps) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-crew-'))
  const [program, log] = [join(folder, 'worker.mjs'), join(folder, 'log')]
  await writeFile(program, WORKER)
  await writeFile(log, '')
  process.env.WORKER_LOG = log
  const troubles: Trouble[] = []
  const onTrouble = (message: string, detail: object) => void troubles.push({ message, detail })
  const crew = new Crew({ program, size: 1, onTrouble })
  t.after(async () => {
    crew.close()
    await rm(folder, { recursive: true, force: true })
  })
  const said = async () => (await readFile(log, 'utf8')).trim().split('\n')
  const pids = async () => (await said()).flatMap((line) => (line.startsWith('pid ') ? [Number(line.slice(4))] : []))
  return { crew, troubles, said, pids }
}

async function listening(t: CleanUps, server: Server): Promise<number> {
  const port = await freePort()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  t.after(async () => void server.close())
  return port
}

function endpointAt(port: number, changes: Partial<EndpointConfig> = {}): EndpointConfig {
  return {
    databaseUid: 1,
    listen: { host: '127.0.0.1', port },
    shards: [],
    isOpen: true,
    speaksCluster: false,
    isMoving: false,
    accountsEpoch: 0,
    limits: DEFAULT_LIMITS,
    ...changes,
  }
}

test('a move of slots ends when the workers know of it, however often they are counted meanwhile', async (t) => {
  const { crew, said } = await startCrew(t)
  const port = await freePort()
  await crew.apply({ endpoints: [endpointAt(port, { isMoving: true })] })
  await until('the worker to serve', async () => (await said()).includes('serves true'))
  const applied = crew.apply({ endpoints: [endpointAt(port)] })
  const counting = setInterval(() => void crew.counts([1]), 20)
  await applied
  clearInterval(counting)
  assert.ok((await said()).includes('serves false'))
})

test('and so it does when the port of another database is in use', async (t) => {
  const { crew, said } = await startCrew(t)
  const port = await freePort()
  const busy = await listening(t, createServer())
  await crew.apply({ endpoints: [endpointAt(port, { isMoving: true })] })
  await until('the worker to serve', async () => (await said()).includes('serves true'))
  const both = [endpointAt(port), endpointAt(busy, { databaseUid: 2 })]
  await assert.rejects(crew.apply({ endpoints: both }), /EADDRINUSE/)
  assert.ok((await said()).includes('serves false,false'))
})

test('a worker that is dead and not known to be ends nobody else, and is replaced', async (t) => {
  const { crew, troubles, pids } = await startCrew(t)
  const port = await freePort()
  await crew.apply({ endpoints: [endpointAt(port)] })
  await until('the worker to be there', async () => (await pids()).length === 1)
  const [pid = 0] = await pids()
  process.kill(pid, 'SIGKILL')
  // It dies, and this process cannot hear of it yet.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300)
  await crew.apply({ endpoints: [endpointAt(port)] })
  await crew.counts([1])
  await until('another to be there', async () => (await pids()).length === 2)
  assert.ok(troubles.some(({ message }) => message.includes('is replaced')))
})

/** A shard that has all slots, tells so after `pauseMs`, and may not answer anything else. */
async function startShard(t: CleanUps, pauseMs: number, answersAll: boolean) {
  const told = { at: 0 }
  const server = createServer((socket) => {
    const parser = new RespParser()
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      for (const request of parser.push(Buffer.from(chunk))) {
        const [name] = plain(request) as string[]
        if (name === 'CLUSTER')
          setTimeout(() => {
            told.at = performance.now()
            socket.write(`*1\r\n*3\r\n:0\r\n:16383\r\n*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`)
          }, pauseMs)
        else if (answersAll) socket.write('*0\r\n')
      }
    })
  })
  const port: number = await listening(t, server)
  const shards: EndpointConfig['shards'] = [{ host: '127.0.0.1', port, slots: [[0, 16_383]], epoch: 0 }]
  return { shards, told }
}

test('a move of slots ends in time when a shard tells its slots and hangs then', async (t) => {
  const { shards } = await startShard(t, 0, false)
  const { server, config } = await startProxy(t, new RedisCluster([]), { shards, isMoving: true })
  const began = performance.now()
  await server.apply({ endpoints: [{ ...config, isMoving: false }] })
  assert.ok(performance.now() - began < 6_000)
})

test('a port that is in use keeps nobody from waiting for the slots of another database', async (t) => {
  const { shards, told } = await startShard(t, 400, true)
  const busy = await listening(t, createServer())
  const { server, config } = await startProxy(t, new RedisCluster([]), { shards, isMoving: true })
  await until('the first look at the slots', () => told.at > 0)
  const began = performance.now()
  const other = { ...config, databaseUid: 2, listen: { host: '127.0.0.1', port: busy } }
  await assert.rejects(server.apply({ endpoints: [{ ...config, isMoving: false }, other] }), /EADDRINUSE/)
  assert.ok(told.at > began)
  assert.match(server.problems.get(2) ?? '', /EADDRINUSE/)
  const client = RawClient.open(t, config.listen.port)
  assert.equal(plain(await client.call('PING')), 'PONG')
})
