/**
 * A primary is killed: from the kill until a write is accepted again, at the same port, beside Sentinel on the same
 * engine (down-after 1,000 ms, one Sentinel, which is its fastest form), until the replica accepts a write.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Instance } from '../test/support/instance.ts'
import { until } from '../test/support/wait.ts'
import type { BenchRow } from './row.ts'
import { median, round } from './statistics.ts'

const KILLS = 100
const SENTINEL_KILLS = 5
const RETRY_MS = 1

export async function benchFailover(instance: Instance): Promise<BenchRow> {
  const ours: number[] = []
  const { uid, endpoints } = await instance.create({ name: 'killed', replication: true, memory_size: 50_000_000 })
  const [{ port }] = endpoints
  for (let kill = 0; kill < KILLS; kill++) {
    const primary = await inStep(instance, uid)
    await written(port, `before-${kill}`)
    const engine = (await instance.engines()).find(({ shardUid }) => shardUid === primary)
    if (!engine) throw new Error(`shard ${primary} has no process`)
    const started = performance.now()
    process.kill(engine.pid, 'SIGKILL')
    await written(port, `after-${kill}`)
    ours.push(performance.now() - started)
  }
  const theirs = await sentinelOutages(instance.ports.shards.low)
  const ratio = median(theirs) / median(ours)
  const worst = Math.max(...ours)
  return {
    what: `kill -9 of a primary, ${KILLS} times → next write`,
    ours: `median ${round(median(ours))} ms, worst ${round(worst)} ms`,
    beside: `Sentinel, down-after 1,000 ms, ${SENTINEL_KILLS} times`,
    theirs: `median ${round(median(theirs))} ms`,
    ratio: round(ratio),
    aim: 'median ≤ 100 ms, worst ≤ 250 ms, ≥ 10 ×',
    met: median(ours) <= 100 && worst <= 250 && ratio >= 10,
    figures: { medianMs: median(ours), worstMs: worst, sentinelMedianMs: median(theirs), ratio },
  }
}

type Seen = { readonly role: string; readonly status: string; readonly sync: { readonly status: string } }

/** The uid of the primary, once its replica is sent every write. */
async function inStep({ api }: Instance, uid: number): Promise<number> {
  return await until('a replica in step', async () => {
    const { json: shards } = await api.get(`/v1/bdbs/${uid}/shards`)
    const primary = shards.find(({ role, status }: Seen) => role === 'master' && status === 'active')
    const replica = shards.find(({ role, sync }: Seen) => role === 'slave' && sync.status === 'idle')
    return primary && replica ? Number(primary.uid) : false
  })
}

/** Resolves when the port takes a write; tries again at once when it does not. */
async function written(port: number, key: string): Promise<void> {
  while (!(await says(port, `SET ${key} x\r\n`)).startsWith('+OK')) await new Promise((go) => setTimeout(go, RETRY_MS))
}

/** The first answer to an inline command; empty when there is none. */
function says(port: number, command: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(command))
    const end = (text: string) => {
      socket.destroy()
      resolve(text)
    }
    socket.on('data', (chunk) => end(chunk.toString()))
    socket.on('error', () => end(''))
    socket.on('close', () => resolve(''))
  })
}

async function sentinelOutages(firstPort: number): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-bench-'))
  const [one, other, sentinel] = [firstPort, firstPort + 1, firstPort + 2]
  const running = new Map<number, ChildProcess>()
  const start = (port: number, ...args: string[]) => {
    const child = spawn('redis-server', args, { cwd: folder, stdio: 'ignore' })
    running.set(port, child)
  }
  const engine = (port: number, ...more: string[]) =>
    start(port, '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--repl-diskless-sync-delay', '0', ...more)
  try {
    engine(one)
    engine(other, '--replicaof', `127.0.0.1 ${one}`)
    const config = join(folder, 'sentinel.conf')
    const lines = [
      `port ${sentinel}`,
      'bind 127.0.0.1',
      `sentinel monitor it 127.0.0.1 ${one} 1`,
      'sentinel down-after-milliseconds it 1000',
      'sentinel failover-timeout it 2000',
    ]
    await writeFile(config, `${lines.join('\n')}\n`)
    start(sentinel, config, '--sentinel')
    const outages: number[] = []
    let [primary, replica] = [one, other]
    for (let kill = 0; kill < SENTINEL_KILLS; kill++) {
      await until('the replica to be known', async () => {
        const about = await says(sentinel, 'SENTINEL MASTER it\r\n')
        const link = await says(replica, 'INFO replication\r\n')
        return (
          about.includes(`\r\n${primary}\r\n`) &&
          /num-slaves\r\n\$1\r\n1/.test(about) &&
          link.includes('master_link_status:up')
        )
      })
      const started = performance.now()
      running.get(primary)?.kill('SIGKILL')
      await written(replica, `kill-${kill}`)
      outages.push(performance.now() - started)
      engine(primary, '--replicaof', `127.0.0.1 ${replica}`)
      ;[primary, replica] = [replica, primary]
    }
    return outages
  } finally {
    for (const child of running.values()) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  }
}
