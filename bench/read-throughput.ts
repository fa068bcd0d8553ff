/**
 * GET of one database, authenticated, authorised and over TLS, beside a bare node:https server that sends the same
 * bytes with the same certificate. The load comes from wrk, in turns, so that both see the same machine.
 */
import { execFile, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Instance, PASSWORD, USER } from '../test/support/instance.ts'
import type { BenchRow } from './row.ts'
import { median, round } from './statistics.ts'

const ROUNDS = 5
const SECONDS = 3
const CONNECTIONS = 16
const run = promisify(execFile)

export async function benchReads(instance: Instance): Promise<BenchRow> {
  const { uid } = await instance.create({ name: 'bench-reads' })
  const ours = `https://127.0.0.1:${instance.ports.api}/v1/bdbs/${uid}`
  const { text } = await instance.api.get(`/v1/bdbs/${uid}`)
  const bare = await startBareServer(instance, text)
  try {
    const theirs = `https://127.0.0.1:${bare.port}/`
    const rates: { ours: number[]; theirs: number[] } = { ours: [], theirs: [] }
    await wrk(ours, 1)
    await wrk(theirs, 1)
    for (let round = 0; round < ROUNDS; round++) {
      rates.ours.push(await wrk(ours, SECONDS))
      rates.theirs.push(await wrk(theirs, SECONDS))
    }
    const [mine, other] = [median(rates.ours), median(rates.theirs)]
    const ratio = median(rates.ours.map((rate, index) => rate / (rates.theirs[index] ?? Number.NaN)))
    return {
      what: `GET a database (${Buffer.byteLength(text)} bytes)`,
      ours: `${Math.round(mine)} /s`,
      beside: 'a bare node:https server, same bytes',
      theirs: `${Math.round(other)} /s`,
      ratio: round(ratio),
      aim: '≥ 0.8',
      met: ratio >= 0.8,
      figures: { requestsPerSecond: mine, barePerSecond: other, ratio },
    }
  } finally {
    bare.stop()
  }
}

async function wrk(url: string, seconds: number): Promise<number> {
  const authorization = `authorization: Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  const args = ['-t', '1', '-c', String(CONNECTIONS), '-d', `${seconds}s`, '-H', authorization, url]
  const { stdout } = await run('wrk', args)
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk met errors: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}

async function startBareServer(instance: Instance, body: string): Promise<{ port: number; stop: () => void }> {
  const tls = join(instance.dataDir, 'tls')
  const pem = await readFile(join(tls, 'api.pem'), 'utf8')
  const [key, cert] = [pem, pem]
  const port = instance.ports.shards.high
  const program = fileURLToPath(new URL('./bare-server.ts', import.meta.url))
  const child = spawn(process.execPath, [program], { stdio: ['pipe', 'pipe', 'inherit'] })
  child.stdin.end(JSON.stringify({ key, cert, body, port }))
  await new Promise((resolve) => child.stdout.once('data', resolve))
  return { port, stop: () => void child.kill() }
}
