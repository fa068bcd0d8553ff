/**
 * GET of one database, authenticated, authorised and over TLS, beside a bare node:https server that sends the same
 * bytes with a certificate of the same kind. The load comes from wrk, over many connections and over few, in turns, a
 * second each. On a machine with neighbours a second
 * is often half as much: the best one of each is the one that shows the program, so these are compared; the medians stand
 * beside them.
 */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type Instance, PASSWORD, USER } from '../test/support/instance.ts'
import { type Answer, answerOf, startBareServer } from './bare.ts'
import type { BenchRow } from './row.ts'
import { median, round } from './statistics.ts'

/** A process keeps the place in memory that it got, for better or worse: each pair is a new pair of processes. */
const PAIRS = 5
const ROUNDS = 6
const SECONDS = 1
/** The first is the row's own figure. */
const CONNECTIONS = [64, 16] as const
const run = promisify(execFile)

export async function benchReads(instance: Instance): Promise<BenchRow> {
  const { uid } = await instance.create({ name: 'bench-reads' })
  const ours = `https://127.0.0.1:${instance.ports.api}/v1/bdbs/${uid}`
  const answer = answerOf(await instance.api.get(`/v1/bdbs/${uid}`))
  const all = CONNECTIONS.map((connections): Rates => ({ connections, ours: [], theirs: [] }))
  for (let pair = 0; pair < PAIRS; pair++) {
    if (pair > 0) {
      await instance.kill()
      await instance.start()
    }
    await measurePair(ours, answer, all)
  }
  const [many, few] = all.map(compared)
  if (!many || !few) throw new Error('nothing was measured')
  const ratio = Math.min(many.ratio, few.ratio)
  return {
    what: `GET a database (${Buffer.byteLength(answer.body)} bytes)`,
    ours: [many, few].map(inWords).join('; '),
    beside: 'a bare node:https server, same bytes',
    theirs: `${Math.round(many.theirs)} /s; ${Math.round(few.theirs)} /s`,
    ratio: round(ratio),
    aim: '≥ 0.8',
    met: ratio >= 0.8,
    figures: {
      requestsPerSecond: many.ours,
      barePerSecond: many.theirs,
      ratio: many.ratio,
      medianRatio: many.medianRatio,
      fewRequestsPerSecond: few.ours,
      fewBarePerSecond: few.theirs,
      fewRatio: few.ratio,
      fewMedianRatio: few.medianRatio,
    },
  }
}

type Rates = { readonly connections: number; readonly ours: number[]; readonly theirs: number[] }

function compared({ connections, ...rates }: Rates) {
  const [ours, theirs] = [Math.max(...rates.ours), Math.max(...rates.theirs)]
  return { connections, ours, theirs, ratio: ours / theirs, medianRatio: median(rates.ours) / median(rates.theirs) }
}

function inWords({ connections, ours, ratio, medianRatio }: ReturnType<typeof compared>): string {
  return `${Math.round(ours)} /s of ${connections} clients, ${round(ratio)} ×, by medians ${round(medianRatio)} ×`
}

async function measurePair(ours: string, answer: Answer, all: readonly Rates[]): Promise<void> {
  const bare = await startBareServer(answer)
  try {
    const theirs = `https://127.0.0.1:${bare.port}/`
    await wrk(ours, CONNECTIONS[0], 1)
    await wrk(theirs, CONNECTIONS[0], 1)
    for (let round = 0; round < ROUNDS; round++) {
      for (const rates of all) {
        rates.ours.push(await wrk(ours, rates.connections, SECONDS))
        rates.theirs.push(await wrk(theirs, rates.connections, SECONDS))
      }
    }
  } finally {
    bare.stop()
  }
}

async function wrk(url: string, connections: number, seconds: number): Promise<number> {
  const authorization = `authorization: Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}`
  const args = ['-t', '1', '-c', String(connections), '-d', `${seconds}s`, '-H', authorization, url]
  const { stdout } = await run('wrk', args)
  if (/Non-2xx/.test(stdout)) throw new Error(`wrk met errors: ${stdout}`)
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1])
}
