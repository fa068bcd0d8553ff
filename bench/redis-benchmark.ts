/**
 * redis-benchmark against several servers in turns, SET and GET, so that a machine whose mood changes by the second is
 * equally unfair to all. What is quoted are medians.
 */
import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { promisify } from 'node:util'
import { median, round } from './statistics.ts'

const run = promisify(execFile)
const TURNS = 4
/** Long enough for a figure, short enough for many turns. */
const REQUESTS = { 1: 60_000, 16: 600_000 } as const

/** Requests that a client has under way at a time. */
export type Pipeline = keyof typeof REQUESTS
/** `clients`: how many ask at the same time; without a word as many as redis-benchmark takes by itself. */
export type Load = { readonly pipeline: Pipeline; readonly clients?: number }
const CLIENTS = 50
export type Figure = {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  /** Processor time that the server takes, microseconds; NaN: its process is not known. */
  readonly cpuPerRequest: number
}
/** The kernel counts in ticks, on every machine that engines run on. */
const TICK_US = 10_000

/** `pid`: of whom processor time is asked. */
export type Server = { readonly port: number; readonly pid?: number }
/** What listens, by its names. */
export type Servers = {
  readonly servers: Readonly<Record<string, Server>>
  readonly stop: () => Promise<void>
}

/**
 * `start`: for each turn anew. A process keeps the place in memory that it got, and one that is luckier is faster by a
 * twentieth all its life. Who is asked first changes with the turns. `turns`: more where less of a difference counts.
 */
export async function compare(start: () => Promise<Servers>, load: Load, turns = TURNS): Promise<Comparison> {
  const comparison = new Comparison()
  for (let turn = 0; turn < turns; turn++) {
    const { servers, stop } = await start()
    const named = Object.entries(servers)
    if (turn % 2 === 1) named.reverse()
    try {
      // A program that compiles itself as it runs is itself only then.
      for (const [, server] of named) await ask(server, load, 'set,get', REQUESTS[load.pipeline] / 4)
      for (const command of ['set', 'get'])
        for (const [name, server] of named) comparison.add(name, await measure(server, load, command))
    } finally {
      await stop()
    }
  }
  return comparison
}

export class Comparison {
  readonly #measured = new Map<string, Figure[]>()

  /** Each name is given a figure in each round. */
  add(name: string, figure: Figure): void {
    this.#measured.set(name, [...this.#of(name), figure])
  }

  get names(): readonly string[] {
    return [...this.#measured.keys()]
  }

  /** The median of each number by itself. */
  figure(name: string): Figure {
    const all = this.#of(name)
    if (all.length === 0) throw new Error(`${name} was not measured`)
    const middle = (what: keyof Figure) => median(all.map((figure) => figure[what]))
    return { rate: middle('rate'), p50: middle('p50'), p99: middle('p99'), cpuPerRequest: middle('cpuPerRequest') }
  }

  /** Of the rates, within each round: what the machine did in another round has no part in it. */
  ratio(name: string, other: string): number {
    const others = this.#of(other)
    return median(this.#of(name).map(({ rate }, round) => rate / (others[round]?.rate ?? Number.NaN)))
  }

  #of(name: string): readonly Figure[] {
    return this.#measured.get(name) ?? []
  }
}

export function inWords({ rate, p99 }: Figure): string {
  return `${Math.round(rate)} /s, p99 ${round(p99, 3)} ms`
}

async function measure(server: Server, load: Load, command: string): Promise<Figure> {
  const requests = REQUESTS[load.pipeline]
  const before = await cpuMicros(server.pid)
  const cells = await ask(server, load, command, requests)
  const [, rate = Number.NaN, , , p50 = Number.NaN, , p99 = Number.NaN] = cells
  return { rate, p50, p99, cpuPerRequest: ((await cpuMicros(server.pid)) - before) / requests }
}

/** Resolves to the last row that it prints: test, rps, average, minimum, p50, p95, p99, maximum. */
async function ask({ port }: Server, load: Load, commands: string, requests: number): Promise<readonly number[]> {
  const { pipeline, clients = CLIENTS } = load
  const { stdout } = await run('redis-benchmark', [
    ...['-p', String(port), '-c', String(clients), '-P', String(pipeline), '-n', String(requests)],
    ...['-r', '100000', '-t', commands, '--csv'],
  ])
  return (stdout.trim().split('\n').at(-1) ?? '').replaceAll('"', '').split(',').map(Number)
}

async function cpuMicros(pid: number | undefined): Promise<number> {
  if (pid === undefined) return Number.NaN
  const stat = await readFile(`/proc/${pid}/stat`, 'latin1')
  const [user, system] = stat
    .slice(stat.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 13)
  return (Number(user) + Number(system)) * TICK_US
}
