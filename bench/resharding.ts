/**
 * 1 → 2 → 4 → 3 shards with a million keys, while clients ask 20,000 times a second through the proxy: what they see, and
 * how many keys move in a second, beside `redis-cli --cluster reshard` between two bare engines. Afterwards every key is
 * compared. `node bench/resharding.ts [keys]` prints it alone.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { hashSlot } from '#resp/hash-slot.ts'
import { type Instance, startInstance } from '../test/support/instance.ts'
import { startCluster } from '../test/support/redis-cluster.ts'
import { change, check, ended, fill, valueFor } from '../test/support/sharded.ts'
import type { BenchRow } from './row.ts'
import { median, quantile, round } from './statistics.ts'

const run = promisify(execFile)
const KEYS = 1_000_000
const OPERATIONS_PER_SECOND = 20_000
const TICK_MS = 5
const QUIET_MS = 5_000
const COUNTERS = 1_000
const THEIR_KEYS = 60_000
const THEIR_SLOTS = 2_000
const RESHARDING_MS = 300_000

export async function benchResharding(instance: Instance, keys = KEYS): Promise<BenchRow> {
  const { uid, endpoints } = await instance.create({
    ...{ name: 'resharded', sharding: true, shards_count: 1, memory_size: 1_000_000_000 },
  })
  const options = { port: endpoints[0].port, host: '127.0.0.1', retryStrategy: null, maxRetriesPerRequest: 0 }
  const client = new Redis({ ...options, enableAutoPipelining: true })
  const plain = new Redis(options)
  await fill(plain, keys)
  const load = new PacedLoad(client, keys)
  await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
  const quiet = load.takeLatencies()
  const began = performance.now()
  const steps: string[] = []
  let firstMs = 0
  for (const shards_count of [2, 4, 3]) {
    const since = performance.now()
    await ended(instance, await change(instance, uid, { shards_count }), 'completed', RESHARDING_MS)
    const tookMs = performance.now() - since
    firstMs ||= tookMs
    steps.push(`${shards_count}: ${round(tookMs / 1000)} s`)
  }
  const tookMs = performance.now() - began
  const busy = load.takeLatencies()
  const counters = await load.end()
  await check(plain, keys, 'key', counters)
  client.disconnect()
  plain.disconnect()
  const ours = keys / 2 / (firstMs / 1000)
  const theirs = await theirKeysPerSecond()
  const rate = (1000 * busy.length) / tookMs
  return {
    what: `1 → 2 → 4 → 3 shards, ${keys} keys, ${OPERATIONS_PER_SECOND} operations/s`,
    ours: `${steps.join(', ')}; ${Math.round(rate)} operations/s, median ${round(median(busy))} ms, p99 ${round(p99(busy))} ms (${round(p99(quiet))} ms before); no error, every key right`,
    beside: 'redis-cli --cluster reshard, without a load',
    theirs: `${Math.round(theirs)} keys/s; ours ${Math.round(ours)}`,
    ratio: round(ours / theirs),
    aim: 'no error, no key lost',
    met: true,
    figures: { tookMs, operationsPerSecond: rate, p99Ms: p99(busy), quietP99Ms: p99(quiet), ours, theirs },
  }
}

/** Reads, writes and counts at a fixed pace, whatever the answers take; the first that is wrong ends it. */
class PacedLoad {
  readonly #client: Redis
  readonly #keys: number
  readonly #counts = new Map<string, number>()
  readonly #timer: NodeJS.Timeout
  readonly #open = new Set<Promise<void>>()
  readonly #began = performance.now()
  #latencies: number[] = []
  #asked = 0
  #failure: unknown

  constructor(client: Redis, keys: number) {
    this.#client = client
    this.#keys = keys
    this.#timer = setInterval(() => this.#tick(), TICK_MS)
  }

  takeLatencies(): number[] {
    const taken = this.#latencies
    this.#latencies = []
    return taken
  }

  /** How many counters there are. Rejects with the first error, or when a count is not right. */
  async end(): Promise<number> {
    clearInterval(this.#timer)
    await Promise.all(this.#open)
    if (this.#failure) throw this.#failure
    for (const [name, count] of this.#counts) {
      const found = await this.#client.get(name)
      if (found !== String(count)) throw new Error(`${name} is ${found}, and was counted up ${count} times`)
    }
    return this.#counts.size
  }

  #tick(): void {
    const due = Math.floor(((performance.now() - this.#began) / 1000) * OPERATIONS_PER_SECOND)
    for (; this.#asked < due; this.#asked++) {
      const asked = this.#ask(this.#asked).catch((error) => {
        this.#failure ??= error
      })
      this.#open.add(asked)
      void asked.finally(() => this.#open.delete(asked))
    }
  }

  async #ask(number: number): Promise<void> {
    const since = performance.now()
    const key = `key:${Math.floor(Math.random() * this.#keys)}`
    if (number % 10 === 0) {
      const counter = `counter:${Math.floor(Math.random() * COUNTERS)}`
      this.#counts.set(counter, (this.#counts.get(counter) ?? 0) + 1)
      await this.#client.incr(counter)
    } else if (number % 2 === 0) {
      await this.#client.set(key, valueFor(key))
    } else {
      const value = await this.#client.get(key)
      if (value !== valueFor(key)) throw new Error(`${key} is ${value}`)
    }
    this.#latencies.push(performance.now() - since)
  }
}

/** From one bare engine to another. */
async function theirKeysPerSecond(): Promise<number> {
  const cleanUps: (() => Promise<void>)[] = []
  try {
    const cluster = await startCluster({ after: (cleanUp) => void cleanUps.push(cleanUp) })
    const [from, to] = [cluster.node(0), cluster.node(1)]
    const client = new Redis({ port: from.port, host: '127.0.0.1' })
    const slots = new Set(from.slots.flat())
    const [low = 0] = slots
    for (let made = 0; made < THEIR_KEYS; made += 1_000) await client.pipeline(theirKeys(low, made)).exec()
    const counts = await Promise.all(
      Array.from({ length: THEIR_SLOTS }, (_, index) => client.cluster('COUNTKEYSINSLOT', low + index)),
    )
    const moved = counts.reduce((sum, count) => sum + count, 0)
    const id = async (port: number) => {
      const one = new Redis({ port, host: '127.0.0.1' })
      const name = String(await one.call('CLUSTER', 'MYID'))
      one.disconnect()
      return name
    }
    const ids = ['--cluster-from', await id(from.port), '--cluster-to', await id(to.port)]
    const address = `127.0.0.1:${from.port}`
    const since = performance.now()
    const words = ['--cluster', 'reshard', address, ...ids, '--cluster-slots', String(THEIR_SLOTS), '--cluster-yes']
    await run('redis-cli', words, { maxBuffer: 64 * 1024 * 1024 })
    client.disconnect()
    return moved / ((performance.now() - since) / 1000)
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
}

/** By tags whose slots are known: all belong to the first shard. */
function theirKeys(low: number, from: number): [string, string, string][] {
  return Array.from({ length: 1_000 }, (_, index) => {
    const key = `{${tagOf(low + ((from + index) % THEIR_SLOTS))}}${from + index}`
    return ['set', key, valueFor(key)]
  })
}

const tags = new Map<number, string>()
let tried = 0

function tagOf(slot: number): string {
  while (!tags.has(slot)) {
    const tag = `t${tried++}`
    if (!tags.has(hashSlot(tag))) tags.set(hashSlot(tag), tag)
  }
  return tags.get(slot) ?? ''
}

function p99(latencies: readonly number[]): number {
  return quantile(latencies, 0.99)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const cleanUps: (() => Promise<void>)[] = []
  try {
    const instance = await startInstance({ after: (cleanUp) => void cleanUps.push(cleanUp) })
    process.stdout.write(
      `${JSON.stringify(await benchResharding(instance, Number(process.argv[2] ?? KEYS)), null, 2)}\n`,
    )
  } finally {
    for (const cleanUp of cleanUps) await cleanUp()
  }
  process.exit(0)
}
