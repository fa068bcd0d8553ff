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
import { compare, figureOf, inWords, type Pipeline } from './redis-benchmark.ts'
import type { BenchRow } from './row.ts'
import { round } from './statistics.ts'

const AIM = 0.98
const PIPELINES: readonly Pipeline[] = [1, 16]

export async function benchEndpoint(instance: Instance): Promise<readonly BenchRow[]> {
  const database = await instance.create({ name: 'bench-endpoint', memory_size: 1_000_000_000 })
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const bare = await freePort()
  const args = ['--port', String(bare), '--bind', '127.0.0.1', '--save', '', '--dir', folder]
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  try {
    await until('redis-server', async () => (await callOnce(bare, ['PING'])).kind !== 'error')
    const rows: BenchRow[] = []
    for (const pipeline of PIPELINES) rows.push(await row({ ours: database.endpoints[0].port, bare }, pipeline))
    return rows
  } finally {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
    await rm(folder, { recursive: true, force: true })
  }
}

async function row(ports: { readonly ours: number; readonly bare: number }, pipeline: Pipeline): Promise<BenchRow> {
  const figures = await compare(ports, { pipeline })
  const [ours, bare] = [figureOf(figures, 'ours'), figureOf(figures, 'bare')]
  const ratio = ours.rate / bare.rate
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
