/**
 * POST of a database until the first PONG on its port, beside spawning redis-server by hand until its first PONG. In
 * turns, each on a fresh port.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance } from '../test/support/instance.ts'
import type { BenchRow } from './row.ts'
import { median, round } from './statistics.ts'

const RUNS = 40
const RETRY_MS = 1

export async function benchCreation(instance: Instance): Promise<BenchRow> {
  const ours: number[] = []
  const byHand: number[] = []
  for (let run = 0; run < RUNS; run++) {
    byHand.push(await spawnByHand(instance.ports.shards.low + run))
    ours.push(await createThroughApi(instance, run))
  }
  const ratio = median(ours) / median(byHand)
  return {
    what: 'POST a database → first PONG',
    ours: `${round(median(ours))} ms`,
    beside: 'redis-server by hand → first PONG',
    theirs: `${round(median(byHand))} ms`,
    ratio: round(ratio),
    aim: '≤ 2',
    met: ratio <= 2,
    figures: { medianMs: median(ours), byHandMs: median(byHand), ratio },
  }
}

async function createThroughApi(instance: Instance, run: number): Promise<number> {
  // The port is chosen by us so that the first PONG can be looked for before the reply is there.
  const port = instance.ports.databases.high - run
  const started = performance.now()
  const reply = instance.api.post('/v1/bdbs', { name: `bench-${run}`, memory_size: 10_000_000, port })
  await firstPong(port)
  const took = performance.now() - started
  const { status, json, text } = await reply
  if (status !== 200) throw new Error(`the create was answered with ${text}`)
  await instance.active(json.uid)
  await instance.api.delete(`/v1/bdbs/${json.uid}`)
  await instance.gone(json.uid)
  return took
}

async function spawnByHand(port: number): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const started = performance.now()
  const child = spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder], {
    stdio: 'ignore',
  })
  await firstPong(port)
  const took = performance.now() - started
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGKILL')
  await ended
  await rm(folder, { recursive: true, force: true })
  return took
}

async function firstPong(port: number): Promise<void> {
  while (!(await pong(port))) await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
}

function pong(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.write('PING\r\n'))
    socket.on('data', (data) => {
      socket.destroy()
      resolve(data.toString().startsWith('+PONG'))
    })
  })
}
