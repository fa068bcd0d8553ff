/**
 * The endpoint of an unsharded database beside a bare redis-server, by redis-benchmark: nothing of ours is between.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance } from '../test/support/instance.ts'
import { freePort } from '../test/support/ports.ts'
import { callOnce } from '../test/support/redis-cluster.ts'
import { until } from '../test/support/wait.ts'
import { compare, inWords, type Pipeline, type Servers } from './redis-benchmark.ts'
import type { BenchRow } from './row.ts'
import { round } from './statistics.ts'

const AIM = 0.98
/** Two bare servers differ by a twentieth from one turn to the next. */
const TURNS = 16
const PIPELINES: readonly Pipeline[] = [1, 16]

export async function benchEndpoint(instance: Instance): Promise<readonly BenchRow[]> {
  const rows: BenchRow[] = []
  for (const pipeline of PIPELINES) rows.push(await row(() => startBoth(instance), pipeline))
  return rows
}

async function startBoth(instance: Instance): Promise<Servers> {
  const { uid, endpoints } = await instance.create({ name: 'bench-endpoint', memory_size: 1_000_000_000 })
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const bare = await freePort()
  const args = ['--port', String(bare), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  // In a session of its own, as ours and as every daemon: the kernel shares out a busy machine among sessions.
  const child = spawn('redis-server', args, { stdio: 'ignore', detached: true })
  const kill = () => child.kill('SIGKILL')
  process.once('exit', kill)
  await until('redis-server', async () => (await callOnce(bare, ['PING'])).kind !== 'error')
  const stop = async () => {
    process.off('exit', kill)
    kill()
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await rm(folder, { recursive: true, force: true })
    await instance.api.delete(`/v1/bdbs/${uid}`)
    await until('the deletion', async () => (await instance.api.get(`/v1/bdbs/${uid}`)).status === 404)
  }
  return { servers: { ours: { port: endpoints[0].port }, bare: { port: bare } }, stop }
}

async function row(start: () => Promise<Servers>, pipeline: Pipeline): Promise<BenchRow> {
  const compared = await compare(start, { pipeline }, TURNS)
  const [ours, bare] = [compared.figure('ours'), compared.figure('bare')]
  const ratio = compared.ratio('ours', 'bare')
  return {
    what: `SET and GET at an unsharded endpoint, P=${pipeline}`,
    ours: inWords(ours),
    beside: 'a bare redis-server',
    theirs: inWords(bare),
    ratio: round(ratio, 3),
    aim: `≥ ${AIM}`,
    met: ratio >= AIM,
    figures: { requestsPerSecond: ours.rate, barePerSecond: bare.rate, p99Ms: ours.p99, bareP99Ms: bare.p99, ratio },
  }
}
