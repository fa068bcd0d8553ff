/**
 * The proxy beside nutcracker (twemproxy) and HAProxy in TCP mode, each before one and the same shard, in turns; and the
 * memory of ten thousand idle clients.
 *
 * A shard is a Redis Cluster of one node: what our proxy is for, and a bare server for the others.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programFile, readyPrograms } from '../launcher/programs.mjs'
import { PROXY_FLAGS } from '../src/main/proxy-program.ts'
import type { CleanUps } from '../test/support/instance.ts'
import { freePort } from '../test/support/ports.ts'
import { callOnce, startCluster } from '../test/support/redis-cluster.ts'
import { until } from '../test/support/wait.ts'
import {
  type Comparison,
  compare,
  type Figure,
  inWords,
  type Load,
  type Server,
  type Servers,
} from './redis-benchmark.ts'
import type { BenchRow } from './row.ts'
import { round } from './statistics.ts'

const COMPILE_CACHE = fileURLToPath(new URL('../.runtime/compile-cache', import.meta.url))
/** One command at a time, ours and nutcracker are near each other. */
const SINGLE_TURNS = 8
const IDLE_CLIENTS = 10_000
const IDLE_MEGABYTES = 200
/** Beside the fifty of redis-benchmark: what proxies are put before engines for. */
const MANY_CLIENTS = [200, 1_000]
/** Debian has them in a folder that only root has on its PATH. */
const PATH = `${process.env.PATH}:/usr/sbin`

export async function benchProxy(): Promise<readonly BenchRow[]> {
  const cleanUps: (() => Promise<void>)[] = []
  const context: CleanUps = { after: (cleanUp) => void cleanUps.push(cleanUp) }
  try {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
    context.after(() => rm(folder, { recursive: true, force: true }))
    const programs = new Programs(folder)
    context.after(() => programs.stop())
    return await measureIn(programs, context)
  } finally {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  }
}

async function measureIn(programs: Programs, context: CleanUps): Promise<readonly BenchRow[]> {
  const one = await startCluster(context, 1)
  const three = await startCluster(context, 3)
  const shard = one.node(0).port
  const start = {
    ours: () => programs.startOurs(one.shards),
    nutcracker: () => programs.startNutcracker(shard),
    haproxy: () => programs.startHaproxy(shard),
    bare: async () => ({ port: shard }),
    oursOfThree: () => programs.startOurs(three.shards),
  }
  const single = await compare(() => programs.startAll(start), { pipeline: 1 }, SINGLE_TURNS)
  const isNutcrackerBetter = single.ratio('nutcracker', 'haproxy') > 1
  const better = isNutcrackerBetter
    ? { name: 'nutcracker', inWords: 'nutcracker (HAProxy is slower)' }
    : { name: 'haproxy', inWords: 'HAProxy in TCP mode (nutcracker is slower)' }
  const piped = await compare(() => programs.startAll(start), { pipeline: 16 })
  const rows = [rowOf({ pipeline: 1 }, single, better, 1), rowOf({ pipeline: 16 }, piped, NUTCRACKER, 2)]
  const { ours, nutcracker: theirs, bare } = start
  for (const clients of MANY_CLIENTS) {
    const load = { pipeline: 16, clients } as const
    const many = await compare(() => programs.startAll({ ours, nutcracker: theirs, bare }), load)
    rows.push(rowOf(load, many, NUTCRACKER, 2))
  }
  return [
    ...rows,
    cpuRow(piped.figure('ours'), piped.figure('nutcracker')),
    await idleRow(await programs.startOurs(one.shards)),
  ]
}

type Beside = { readonly name: string; readonly inWords: string }
const NUTCRACKER: Beside = { name: 'nutcracker', inWords: 'nutcracker' }

function rowOf({ pipeline, clients }: Load, compared: Comparison, beside: Beside, aim: number): BenchRow {
  const [ours, theirs] = [compared.figure('ours'), compared.figure(beside.name)]
  const ratio = compared.ratio('ours', beside.name)
  return {
    what: `SET and GET through the proxy, P=${pipeline}${clients === undefined ? '' : `, ${clients} clients`}`,
    ours: inWords(ours),
    beside: beside.inWords,
    theirs: inWords(theirs),
    ratio: round(ratio),
    aim: `≥ ${aim}, p99 not worse`,
    met: ratio >= aim && ours.p99 <= theirs.p99,
    figures: Object.fromEntries(
      compared.names.flatMap((name) => {
        const { rate, p50, p99 } = compared.figure(name)
        return [
          [`${name}PerSecond`, rate],
          [`${name}P50Ms`, p50],
          [`${name}P99Ms`, p99],
        ]
      }),
    ),
  }
}

/**
 * On a machine with few cores the client and the shard take most of them, and how fast everything is says little of the
 * proxy: what it takes of a core does.
 */
function cpuRow(ours: Figure, theirs: Figure): BenchRow {
  const ratio = theirs.cpuPerRequest / ours.cpuPerRequest
  return {
    what: 'Requests per second of processor time that the proxy takes, P=16',
    ours: `${round(ours.cpuPerRequest)} us each`,
    beside: 'nutcracker',
    theirs: `${round(theirs.cpuPerRequest)} us each`,
    ratio: round(ratio),
    aim: '≥ 2',
    met: ratio >= 2,
    figures: { oursMicroseconds: ours.cpuPerRequest, nutcrackerMicroseconds: theirs.cpuPerRequest },
  }
}

/** What the bench has started and not yet ended. */
class Programs {
  readonly #folder: string
  /** What ends each, by its process id. */
  readonly #running = new Map<number, () => Promise<void>>()

  constructor(folder: string) {
    this.#folder = folder
  }

  async startAll(starts: Readonly<Record<string, () => Promise<Server>>>): Promise<Servers> {
    const running = new Map<string, Server>()
    for (const [name, start] of Object.entries(starts)) running.set(name, await start())
    const stop = async () => {
      for (const { pid } of running.values()) if (pid !== undefined) await this.#running.get(pid)?.()
    }
    return { servers: Object.fromEntries(running), stop }
  }

  async startOurs(shards: unknown): Promise<Required<Server>> {
    const port = await freePort()
    const path = join(this.#folder, `proxy-${port}.json`)
    const endpoint = { databaseUid: 1, listen: { host: '127.0.0.1', port }, shards, isOpen: true }
    await writeFile(path, JSON.stringify({ endpoints: [endpoint] }), { mode: 0o600 })
    await readyPrograms()
    return this.#start(
      process.execPath,
      [...PROXY_FLAGS, programFile('proxy'), '--config', path, '--workers', '1'],
      port,
    )
  }

  async startNutcracker(shard: number): Promise<Server> {
    const [port, statistics] = [await freePort(), await freePort()]
    const path = join(this.#folder, 'nutcracker.yml')
    await writeFile(
      path,
      `pool:\n  listen: 127.0.0.1:${port}\n  hash: fnv1a_64\n  distribution: ketama\n  redis: true\n  servers:\n   - 127.0.0.1:${shard}:1\n`,
    )
    return this.#start('nutcracker', ['-c', path, '-s', String(statistics)], port)
  }

  async startHaproxy(shard: number): Promise<Server> {
    const port = await freePort()
    const path = join(this.#folder, 'haproxy.cfg')
    const times = 'timeout client 1h\n  timeout server 1h\n  timeout connect 5s'
    await writeFile(
      path,
      `defaults\n  mode tcp\n  ${times}\nlisten pool\n  bind 127.0.0.1:${port}\n  server shard 127.0.0.1:${shard}\n`,
    )
    return this.#start('haproxy', ['-f', path, '-db'], port)
  }

  async #start(program: string, args: readonly string[], port: number): Promise<Required<Server>> {
    // As the launcher does: without it every start would compile everything anew, and keep the compiler in memory.
    const env = { ...process.env, PATH, NODE_COMPILE_CACHE: COMPILE_CACHE }
    const child = spawn(program, args, { stdio: 'ignore', env })
    const pid = child.pid ?? 0
    const ended = new Promise((resolve) => child.once('exit', resolve))
    const stop = async () => {
      this.#running.delete(pid)
      if (child.exitCode !== null || child.signalCode !== null || !child.kill('SIGTERM')) return
      await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000).unref())])
      child.kill('SIGKILL')
    }
    this.#running.set(pid, stop)
    await until(`${program} on ${port}`, async () => (await callOnce(port, ['GET', 'x'])).kind !== 'error')
    return { port, pid }
  }

  async stop(): Promise<void> {
    for (const stop of this.#running.values()) await stop()
  }
}

async function idleRow({ port, pid: main }: Required<Server>): Promise<BenchRow> {
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
  const megabytes = Math.round(after / 1e6)
  return {
    what: `Memory of the proxy with ${IDLE_CLIENTS} idle clients`,
    ours: `${megabytes} MB`,
    beside: 'without clients',
    theirs: `${Math.round(before / 1e6)} MB`,
    ratio: round(after / before),
    aim: `≤ ${IDLE_MEGABYTES} MB`,
    met: megabytes <= IDLE_MEGABYTES,
    figures: { bytes: after, bytesBefore: before, clients: IDLE_CLIENTS },
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
