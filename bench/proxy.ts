/**
 * The proxy beside nutcracker (twemproxy) and HAProxy in TCP mode, each before one and the same shard, in turns in one
 * run; and the memory of ten thousand idle clients. `node bench/proxy.ts [rounds]`; it says what is missing.
 *
 * A shard is a Redis Cluster of one node: what our proxy is for, and a bare server for the others.
 */
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { freePort } from '../test/support/ports.ts'
import { callOnce, startCluster } from '../test/support/redis-cluster.ts'
import { until } from '../test/support/wait.ts'
import { median, round } from './statistics.ts'

const run = promisify(execFile)
const COMPILE_CACHE = fileURLToPath(new URL('../.runtime/compile-cache', import.meta.url))
const CLIENTS = 50
const IDLE_CLIENTS = 10_000
/** Long enough for a figure, short enough for many turns: the machine's mood changes by the second. */
const REQUESTS: Readonly<Record<number, number>> = { 1: 60_000, 16: 600_000 }
/** Of the programs, by the port they listen on. */
const pids = new Map<number, number>()
const rounds = Number(process.argv[2] ?? 7)

const cleanUps: (() => Promise<void>)[] = []
const context = { after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) }
const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
context.after(() => rm(folder, { recursive: true, force: true }))

try {
  for (const program of ['nutcracker', 'haproxy', 'redis-benchmark'])
    await run('which', [program]).catch(() => {
      throw new Error(`${program} is missing: apt-get install nutcracker haproxy redis-tools`)
    })
  const cluster = await startCluster(context, 1)
  const three = await startCluster(context, 3)
  const shard = cluster.node(0).port
  const ports = {
    'holdfast proxy': await startOurs(cluster.shards),
    nutcracker: await startNutcracker(shard),
    'haproxy tcp': await startHaproxy(shard),
    'no proxy': shard,
    'holdfast, 3 shards': await startOurs(three.shards),
  }
  for (const pipeline of [1, 16]) console.table(await compare(ports, pipeline))
  console.table([await idleMemory(await startOurs(cluster.shards))])
} finally {
  for (const cleanUp of cleanUps.reverse()) await cleanUp()
}

type Figure = { rate: number; p50: number; p99: number }

async function compare(ports: Readonly<Record<string, number>>, pipeline: number) {
  const figures = new Map<string, Figure[]>(Object.keys(ports).map((name) => [name, []]))
  for (let turn = 0; turn < rounds; turn++) {
    for (const [name, port] of Object.entries(ports)) {
      figures.get(name)?.push(await measure(port, pipeline, 'set'), await measure(port, pipeline, 'get'))
    }
  }
  return [...figures].map(([name, all]) => ({
    what: `${name}, P=${pipeline}, ${CLIENTS} clients`,
    'requests/s': Math.round(median(all.map(({ rate }) => rate))),
    'p50 ms': round(median(all.map(({ p50 }) => p50)), 3),
    'p99 ms': round(median(all.map(({ p99 }) => p99)), 3),
  }))
}

/** A row of redis-benchmark: test, rps, average, minimum, p50, p95, p99, maximum. */
async function measure(port: number, pipeline: number, command: string): Promise<Figure> {
  const { stdout } = await run('redis-benchmark', [
    ...['-p', String(port), '-c', String(CLIENTS), '-P', String(pipeline), '-n', String(REQUESTS[pipeline])],
    ...['-r', '100000', '-t', command, '--csv'],
  ])
  const cells = (stdout.trim().split('\n').at(-1) ?? '').replaceAll('"', '').split(',').map(Number)
  return { rate: cells[1] ?? 0, p50: cells[4] ?? 0, p99: cells[6] ?? 0 }
}

async function startOurs(shards: unknown): Promise<number> {
  const port = await freePort()
  const path = join(folder, `proxy-${port}.json`)
  const endpoint = { databaseUid: 1, listen: { host: '127.0.0.1', port }, shards, isOpen: true }
  await writeFile(path, JSON.stringify({ endpoints: [endpoint] }), { mode: 0o600 })
  const main = fileURLToPath(new URL('../src/main/proxy.ts', import.meta.url))
  await start(process.execPath, [main, '--config', path, '--workers', '1'], port)
  return port
}

async function startNutcracker(shard: number): Promise<number> {
  const [port, statistics] = [await freePort(), await freePort()]
  const path = join(folder, 'nutcracker.yml')
  await writeFile(
    path,
    `pool:\n  listen: 127.0.0.1:${port}\n  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  servers:\n   - 127.0.0.1:${shard}:1\n`,
  )
  await start('nutcracker', ['-c', path, '-s', String(statistics)], port)
  return port
}

async function startHaproxy(shard: number): Promise<number> {
  const port = await freePort()
  const path = join(folder, 'haproxy.cfg')
  const times = 'timeout client 1h\n  timeout server 1h\n  timeout connect 5s'
  await writeFile(
    path,
    `defaults\n  mode tcp\n  ${times}\nlisten pool\n  bind 127.0.0.1:${port}\n  server shard 127.0.0.1:${shard}\n`,
  )
  await start('haproxy', ['-f', path, '-db'], port)
  return port
}

async function start(program: string, args: readonly string[], port: number): Promise<void> {
  // As the launcher does: without it every start would compile everything anew, and keep the compiler in memory.
  const env = { ...process.env, NODE_COMPILE_CACHE: COMPILE_CACHE }
  const child = spawn(program, args, { stdio: 'ignore', env })
  context.after(async () => {
    const ended = new Promise((resolve) => child.once('exit', resolve))
    if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGTERM')) return
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
    child.kill('SIGKILL')
  })
  await until(`${program} on ${port}`, async () => (await callOnce(port, ['GET', 'x'])).kind !== 'error')
  pids.set(port, child.pid ?? 0)
}

async function idleMemory(port: number) {
  const main = pids.get(port) ?? 0
  const before = await residentBytes(main)
  const sockets: Socket[] = []
  for (let index = 0; index < IDLE_CLIENTS; index += 250) {
    await Promise.all(
      Array.from({ length: 250 }, async () => {
        const socket = connect({ port, host: '127.0.0.1' })
        sockets.push(socket)
        const answered = new Promise((resolve, reject) => {
          socket.once('data', resolve)
          socket.once('error', reject)
        })
        socket.write('PING\r\n')
        await answered
      }),
    )
  }
  const after = await residentBytes(main)
  for (const socket of sockets) socket.destroy()
  const megabytes = (bytes: number) => Math.round(bytes / 1e6)
  return {
    what: `${IDLE_CLIENTS} idle clients`,
    'before, MB': megabytes(before),
    'with them, MB': megabytes(after),
    aim: '≤ 200 MB',
  }
}

/** Of a process and its children. */
async function residentBytes(pid: number): Promise<number> {
  const kilobytes = async (one: number) =>
    Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${one}/status`, 'utf8'))?.[1] ?? 0) * 1024
  const children = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '')).trim().split(/\s+/)
  const all = await Promise.all([pid, ...children.filter((child) => child !== '').map(Number)].map(kilobytes))
  return all.reduce((sum, bytes) => sum + bytes, 0)
}
