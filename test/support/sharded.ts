/**
 * What tests and benches of sharded databases have in common: keys whose values can be checked, shards as the API shows
 * them, and changes that are waited for.
 */
import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { CleanUps, Instance } from './instance.ts'
import { type SeenShard, shardsOf } from './replicas.ts'
import { until } from './wait.ts'

const AT_ONCE = 1_000

/** A client of the endpoint that reports every error to its caller; closed when the test ends. */
export function clientOf(t: CleanUps, port: number, options: Record<string, unknown> = {}): Redis {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: () => 5, ...options })
  client.on('error', () => undefined)
  t.after(async () => client.disconnect())
  return client
}

/** Anybody can say afterwards whether it is right, without having remembered it. */
export function valueFor(key: string): string {
  return `${key}=${hash('md5', key, 'hex')}`
}

export async function fill(client: Redis, count: number, prefix = 'key'): Promise<void> {
  for (let from = 0; from < count; from += AT_ONCE) {
    const keys = keysOf(prefix, from, Math.min(count, from + AT_ONCE))
    const words = keys.map((key) => ['set', key, valueFor(key)])
    for (const [error] of (await client.pipeline(words).exec()) ?? []) assert.equal(error, null)
  }
}

/** Every key is there once, with its own value, and `others` besides. */
export async function check(client: Redis, count: number, prefix = 'key', others = 0): Promise<void> {
  const wrong: string[] = []
  for (let from = 0; from < count; from += AT_ONCE) {
    const keys = keysOf(prefix, from, Math.min(count, from + AT_ONCE))
    const replies = (await client.pipeline(keys.map((key) => ['get', key])).exec()) ?? []
    for (const [index, key] of keys.entries()) {
      const [error, value] = replies[index] ?? []
      if (error || value !== valueFor(key)) wrong.push(`${key}: ${error?.message ?? value}`)
    }
  }
  assert.deepEqual(wrong.slice(0, 5), [], `${wrong.length} of ${count} keys are wrong`)
  assert.equal(await client.dbsize(), count + others)
}

function keysOf(prefix: string, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `${prefix}:${from + index}`)
}

export async function primariesOf(instance: Instance, uid: number): Promise<SeenShard[]> {
  return (await shardsOf(instance, uid)).filter(({ role }) => role === 'master')
}

/** Every shard serves, and every replica is sent every write. */
export async function inStep(instance: Instance, uid: number): Promise<void> {
  await until('every shard to be in step', async () =>
    (await shardsOf(instance, uid)).every(({ status, sync }) => `${status} ${sync.status}` === 'active idle'),
  )
}

/** Changes the database and returns the action that carries it out. */
export async function change({ api }: Instance, uid: number, body: object): Promise<string> {
  const { status, json, text } = await api.put(`/v1/bdbs/${uid}`, body)
  assert.equal(status, 200, text)
  return json.action_uid
}

/** Resolves when the action has come to this end. */
export async function ended({ api }: Instance, actionUid: string, wanted = 'completed', timeoutMs = 120_000) {
  return await until(
    `action ${actionUid} to be ${wanted}`,
    async () => {
      const { json } = await api.get(`/v1/actions/${actionUid}`)
      return json.status !== 'active' && json.status !== 'pending' && json
    },
    timeoutMs,
  ).then((json) => {
    assert.equal(json.status, wanted, JSON.stringify(json))
    return json
  })
}

/** How many slots each primary has, largest first. */
export function slotCounts(shards: readonly SeenShard[]): number[] {
  const countOf = (text: string) =>
    text.split(',').reduce((sum, range) => {
      const [first = 0, last = first] = range.split('-').map(Number)
      return range === '' ? sum : sum + last - first + 1
    }, 0)
  return shards.map(({ assigned_slots }) => countOf(assigned_slots)).sort((a, b) => b - a)
}

/** How many requests of a load are answered before the next ones go out, some 3,000 a second: shards need their share. */
const LOAD_AT_ONCE = 20
const LOAD_PAUSE_MS = 5
const COUNTERS = 500

/** Counts up many counters through one client, one by one and in pairs, and knows afterwards what each must be. */
export class Load {
  readonly #client: Redis
  readonly #counts = new Map<string, number>()
  readonly #work: Promise<void>
  #isOver = false

  constructor(client: Redis) {
    this.#client = client
    this.#work = this.#run()
    this.#work.catch(() => undefined)
  }

  /** Ends it; rejects with the first error that the client saw, or when a count is not right. How many keys it made. */
  async end(): Promise<number> {
    this.#isOver = true
    await this.#work
    return await this.count()
  }

  async count(): Promise<number> {
    const names = [...this.#counts.keys()]
    const values = await Promise.all(names.map((name) => this.#client.get(name)))
    const wrong = names.filter((name, index) => values[index] !== String(this.#counts.get(name)))
    assert.deepEqual(wrong, [])
    assert.ok(names.length > 0)
    return names.length
  }

  async #run(): Promise<void> {
    for (let round = 0; !this.#isOver; round++) {
      const names = Array.from({ length: LOAD_AT_ONCE }, (_, index) => `counter:${(round * 7 + index * 13) % COUNTERS}`)
      const distinct = [...new Set(names)]
      const replies = await Promise.all(distinct.map((name) => this.#client.incr(name)))
      for (const [index, name] of distinct.entries()) {
        const count = (this.#counts.get(name) ?? 0) + 1
        this.#counts.set(name, count)
        assert.equal(replies[index], count, name)
      }
      await delay(LOAD_PAUSE_MS)
    }
  }
}
