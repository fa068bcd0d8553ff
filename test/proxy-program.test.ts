import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import type { TLSSocket } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { programFile, readyPrograms } from '../launcher/programs.mjs'
import { makeAuthority } from './support/certificates.ts'
import { type CleanUps, killNow } from './support/instance.ts'
import { freePort } from './support/ports.ts'
import { plain, RawClient } from './support/proxy.ts'
import { type RedisCluster, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const COMPILE_CACHE = fileURLToPath(new URL('../.runtime/compile-cache', import.meta.url))

type Program = {
  readonly child: ChildProcess
  readonly port: number
  readonly path: string
  readonly words: () => string
}

/** All processes that serve from this file: predecessors, successors, but not workers, which end with them. */
async function proxiesOf(path: string): Promise<number[]> {
  const found: number[] = []
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    const words = (await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')).split('\0')
    if (words.includes(path)) found.push(Number(entry))
  }
  return found
}

async function workersOf({ child }: Program): Promise<number[]> {
  const text = await readFile(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8')
  return text.trim().split(' ').map(Number)
}

async function startProgram(t: CleanUps, cluster: RedisCluster, workers: number): Promise<Program> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-proxy-'))
  const path = join(folder, 'proxy.json')
  const port = await freePort()
  await writeConfig(path, cluster, [port])
  await readyPrograms()
  const args = [programFile('proxy'), '--config', path, '--workers', String(workers)]
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE }
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'], env })
  let words = ''
  const take = (text: Buffer) => {
    words += text
  }
  child.stdout?.on('data', take)
  child.stderr?.on('data', take)
  t.after(async () => {
    for (const pid of await proxiesOf(path)) killNow(pid, 'SIGTERM')
    await until('the proxy to be gone', async () => (await proxiesOf(path)).length === 0)
    await rm(folder, { recursive: true, force: true })
  })
  await until('the proxy to be ready', () => {
    if (child.exitCode !== null) throw new Error(words)
    return words.includes('ready')
  })
  return { child, port, path, words: () => words }
}

async function writeConfig(path: string, cluster: RedisCluster, ports: readonly number[], tls?: object): Promise<void> {
  const endpoints = ports.map((port, index) => ({
    databaseUid: index + 1,
    listen: { host: '127.0.0.1', port },
    shards: cluster.shards,
    isOpen: true,
    tls,
  }))
  await writeFile(path, JSON.stringify({ endpoints }), { mode: 0o600 })
}

for (const workers of [1, 2]) {
  test(`with ${workers} workers: a successor takes the doors over while clients come and go`, async (t) => {
    const cluster = await startCluster(t, 1)
    const program = await startProgram(t, cluster, workers)
    const old = RawClient.open(t, program.port)
    assert.equal(plain(await old.call('SET', 'a', '1')), 'OK')
    let isOver = false
    let served = 0
    const coming = (async () => {
      while (!isOver) {
        const client = new RawClient(program.port)
        assert.equal(plain(await client.call('INCR', 'visits')), ++served)
        client.socket.destroy()
      }
    })()
    // Said at once, not after the last deadline.
    let problem: Error | undefined
    coming.catch((error: Error) => {
      problem = error
    })
    const more = (count: number) => {
      const then = served
      return until(
        `${count} more to have come: ${problem?.message}`,
        () => problem !== undefined || served > then + count,
      )
    }
    await more(20)
    const before = await proxiesOf(program.path)
    program.child.kill('SIGUSR2')
    await until('a successor to be there', async () => (await proxiesOf(program.path)).length > before.length)
    await until('it to be ready', () => program.words().split('ready').length > 2)
    await more(50)
    assert.equal(plain(await old.call('GET', 'a')), '1')
    old.socket.destroy()
    await until('the predecessor to be gone', () => program.child.exitCode === 0)
    await more(20)
    isOver = true
    await coming
  })
}

test('those who were handed to a worker that hangs, and is killed, are served by another', async (t) => {
  const cluster = await startCluster(t, 1)
  const program = await startProgram(t, cluster, 2)
  const connected = RawClient.open(t, program.port)
  assert.equal(plain(await connected.call('PING')), 'PONG')
  const [hanging] = await workersOf(program)
  assert.ok(hanging)
  process.kill(hanging, 'SIGSTOP')
  t.after(() => killNow(hanging, 'SIGKILL'))
  const clients = Array.from({ length: 8 }, () => RawClient.open(t, program.port))
  const replies = clients.map((client) => client.call('PING').then(plain))
  let answered = 0
  for (const reply of replies) void reply.then(() => answered++)
  await until('the other worker to have served its half', () => answered >= clients.length / 2)
  process.kill(hanging, 'SIGKILL')
  // One may have been on its way to the worker when that was killed: its connection ends, and it may connect again.
  const lost = (await Promise.all(replies)).filter((reply) => reply !== 'PONG')
  assert.ok(lost.length <= 1, `${lost.length} lost`)
  assert.ok(lost.every((reply) => reply === null))
})

test('a new certificate in the file reaches the clients of all workers, and those of a successor', async (t) => {
  const cluster = await startCluster(t, 1)
  const program = await startProgram(t, cluster, 2)
  const authority = await makeAuthority('servers')
  const open = () => RawClient.open(t, program.port, { ca: authority.certificate })
  const use = async () => {
    const { certificate, key } = await authority.issue('endpoint')
    await writeConfig(program.path, cluster, [program.port], { certificate, key })
    const { serialNumber } = new X509Certificate(certificate)
    const shows = async (client: RawClient) =>
      plain(await client.call('PING')) === 'PONG' &&
      (client.socket as TLSSocket).getPeerCertificate().serialNumber === serialNumber
    await until('both workers to show it', async () => (await shows(open())) && (await shows(open())))
  }
  await use()
  const clients = [open(), open()]
  for (const client of clients) assert.equal(plain(await client.call('PING')), 'PONG')
  await use()
  program.child.kill('SIGUSR2')
  await until('the successor to be ready', () => program.words().split('ready').length > 2)
  const later = open()
  assert.equal(plain(await later.call('SET', 'a', '1')), 'OK')
  for (const client of clients) {
    assert.equal(plain(await client.call('GET', 'a')), '1')
    client.socket.destroy()
  }
})

test('it follows its file, and refuses one that others can read', async (t) => {
  const cluster = await startCluster(t, 1)
  const program = await startProgram(t, cluster, 1)
  const client = RawClient.open(t, program.port)
  await client.call('SET', 'a', '1')
  const second = await freePort()
  await writeConfig(program.path, cluster, [program.port, second])
  await until('the second port to be open', async () => {
    const other = new RawClient(second)
    const reply = plain(await other.call('GET', 'a'))
    other.socket.destroy()
    return reply === '1'
  })
  assert.equal(plain(await client.call('GET', 'a')), '1')
  await chmod(program.path, 0o644)
  program.child.kill('SIGHUP')
  await until('it to say so', () => program.words().includes('only its owner may read it'))
  assert.equal(plain(await client.call('GET', 'a')), '1')
})

test('the clients that people use take it for one server', async (t) => {
  const cluster = await startCluster(t, 3)
  const { port } = await startProgram(t, cluster, 2)
  const io = new Redis({ port, host: '127.0.0.1', lazyConnect: true })
  t.after(async () => io.disconnect())
  await io.connect()
  const pipeline = io.pipeline()
  for (let index = 0; index < 500; index++) pipeline.set(`io:${index}`, String(index))
  await pipeline.exec()
  const keys = Array.from({ length: 500 }, (_, index) => `io:${index}`)
  assert.deepEqual(
    await io.mget(keys),
    keys.map((_, index) => String(index)),
  )
  assert.deepEqual(await io.multi().set('{t}a', '1').incr('{t}a').exec(), [
    [null, 'OK'],
    [null, 2],
  ])
  const found: string[] = []
  for await (const page of io.scanStream({ match: 'io:*', count: 50 })) found.push(...page)
  assert.equal(new Set(found).size, 500)
  io.defineCommand('twice', { numberOfKeys: 1, lua: 'return redis.call("INCRBY", KEYS[1], 2)' })
  assert.equal(await (io as unknown as { twice(key: string): Promise<number> }).twice('n'), 2)

  for (const RESP of [2, 3] as const) {
    const node = createClient({ url: `redis://127.0.0.1:${port}`, RESP })
    node.on('error', () => undefined)
    await node.connect()
    t.after(async () => node.destroy())
    await node.hSet(`node:${RESP}`, { a: '1', b: '2' })
    assert.deepEqual({ ...(await node.hGetAll(`node:${RESP}`)) }, { a: '1', b: '2' })
    assert.equal(await node.exists(['io:1', 'io:2', 'none']), 2)
    const subscriber = node.duplicate()
    subscriber.on('error', () => undefined)
    await subscriber.connect()
    t.after(async () => subscriber.destroy())
    const heard: string[] = []
    await subscriber.subscribe('news', (message) => void heard.push(message))
    await node.publish('news', 'hello')
    await until('the message to be heard', () => heard.length === 1)
    const job = node.duplicate()
    job.on('error', () => undefined)
    await job.connect()
    t.after(async () => job.destroy())
    const waiting = job.blPop('jobs', 0)
    await node.rPush('jobs', 'one')
    assert.deepEqual({ ...(await waiting) }, { key: 'jobs', element: 'one' })
  }
  const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(port), 'DBSIZE'])
  assert.equal(Number(stdout), 504)
})
