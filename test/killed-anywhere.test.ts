/**
 * kill -9 of the control plane at fifty random moments of a mixed load of creates, updates and deletes, half of them on
 * each store. Afterwards documents, processes, ports and folders must tell the same story, and nothing that was answered
 * with success is lost.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createClient } from 'redis'
import { type Instance, STORES, startInstance } from './support/instance.ts'
import { until } from './support/wait.ts'

const KILLS = 50 / STORES.length
const WORKERS = 4
/** How long the load runs between two kills, at most. */
const LONGEST_MS = 120

for (const store of STORES) {
  test(`killed at ${KILLS} random moments, it always comes back to what was promised (${store})`, async (t) => {
    const seed = Number(process.env.HOLDFAST_TEST_SEED ?? Date.now() % 1_000_000)
    t.diagnostic(`seed ${seed}: repeat with HOLDFAST_TEST_SEED=${seed}`)
    const random = randomFrom(seed)
    const instance = await startInstance(t, { store })
    const promised = new Map<number, Promised>()
    for (let kill = 0; kill < KILLS; kill++) {
      const load = new AbortController()
      const workers = Array.from({ length: WORKERS }, () => work(instance, promised, random, load.signal))
      await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_MS))
      await instance.kill()
      load.abort()
      await Promise.all(workers)
      await instance.start()
    }
    await settled(instance)
    await compare(instance, promised)
  })
}

/** What a success has promised of a database; `doubtful` fields were asked for without an answer. */
type Promised = { memory: Set<number>; isDeleted: boolean; mayBeDeleted: boolean }

async function work(
  instance: Instance,
  promised: Map<number, Promised>,
  random: () => number,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    const known = [...promised].filter(([, { isDeleted, mayBeDeleted }]) => !isDeleted && !mayBeDeleted)
    const [uid, state] = known[Math.floor(random() * known.length)] ?? []
    const dice = random()
    const memory = 1_000_000 + Math.floor(random() * 1_000_000)
    try {
      if (uid === undefined || !state || dice < 0.4) {
        const { status, json } = await instance.api.post('/v1/bdbs', { name: 'any', memory_size: memory })
        if (status === 200) promised.set(json.uid, { memory: new Set([memory]), isDeleted: false, mayBeDeleted: false })
      } else if (dice < 0.75) {
        state.memory.add(memory)
        const { status } = await instance.api.put(`/v1/bdbs/${uid}`, { memory_size: memory })
        if (status === 200) state.memory = new Set([memory])
        else state.memory.delete(memory)
      } else {
        state.mayBeDeleted = true
        const { status } = await instance.api.delete(`/v1/bdbs/${uid}`)
        if (status === 200) state.isDeleted = true
        else state.mayBeDeleted = false
      }
    } catch {
      // No answer: it may or may not have happened, which the sets above allow for.
      return
    }
  }
}

async function settled(instance: Instance): Promise<void> {
  await until(
    'nothing to be under way',
    async () => {
      const { json: databases } = await instance.api.get('/v1/bdbs?fields=status')
      const { json: actions } = await instance.api.get('/v2/actions')
      return (
        databases.every(({ status }: { status: string }) => status === 'active') &&
        actions.every(({ status }: { status: string }) => status !== 'running' && status !== 'queued')
      )
    },
    60_000,
  )
}

async function compare(instance: Instance, promised: ReadonlyMap<number, Promised>): Promise<void> {
  const { json: databases } = await instance.api.get('/v1/bdbs')
  const byUid = new Map<number, Record<string, unknown>>(databases.map((one: { uid: number }) => [one.uid, one]))
  for (const [uid, { memory, isDeleted, mayBeDeleted }] of promised) {
    const database = byUid.get(uid)
    if (isDeleted) assert.equal(database, undefined, `database ${uid} was deleted, and is there`)
    else if (!mayBeDeleted) assert.ok(database, `database ${uid} was promised, and is gone`)
    // Two workers may have changed the same database at once; then either may have won.
    if (database)
      assert.ok(
        memory.size > 1 || memory.has(Number(database.memory_size)),
        `database ${uid} has ${database.memory_size}`,
      )
  }
  const shards = databases
    .flatMap((database: { shard_list: number[] }) => database.shard_list)
    .sort((a: number, b: number) => a - b)
  assert.deepEqual(await instance.folders(), shards, 'folders')
  const engines = await instance.engines()
  assert.deepEqual(
    engines.map(({ shardUid }) => shardUid).sort((a, b) => a - b),
    shards,
    'processes',
  )
  for (const database of databases) {
    const { port } = database.endpoints[0]
    const client = createClient({ url: `redis://127.0.0.1:${port}`, socket: { reconnectStrategy: false } })
    await client.connect()
    const { maxmemory } = await client.configGet('maxmemory')
    assert.equal(Number(maxmemory), database.memory_size, `the process of database ${database.uid}`)
    await client.close()
  }
}

/** Mulberry32: small, and the same everywhere for one seed. */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
