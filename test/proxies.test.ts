/**
 * The proxies of the API: what they tell, what may be set, and that a successor takes over without turning a client away.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, cp, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { programFile, readyPrograms } from '../launcher/programs.mjs'
import { linesOf } from './support/client-list.ts'
import { killNow } from './support/instance.ts'
import { plain, RawClient } from './support/proxy.ts'
import { check, clientOf, fill } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const KEYS = 500
const VALUE_BYTES = 4_000_000

/** The program of the proxy, in a folder of its own, and not the same as ours. */
async function otherBuild(): Promise<string> {
  await readyPrograms()
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-build-'))
  await cp(dirname(programFile('proxy')), folder, { recursive: true })
  const program = join(folder, 'proxy.mjs')
  await appendFile(program, '\n// Another version.\n')
  return program
}

/** Clients that come, count one up and go, one after another, each of which has to be served. */
class Visitors {
  readonly #port: number
  readonly #name: string
  readonly #work: Promise<void>
  #served = 0
  #isOver = false

  constructor(port: number, name: string) {
    this.#port = port
    this.#name = name
    this.#work = this.#run()
    this.#work.catch(() => undefined)
  }

  /** Until so many more have been served. Rejects when one was not. */
  async more(count: number): Promise<void> {
    const wanted = this.#served + count
    await Promise.race([this.#work, until(`${count} more to be served`, () => this.#served >= wanted)])
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#work
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      const client = new RawClient(this.#port)
      assert.equal(plain(await client.call('INCR', this.#name)), this.#served + 1)
      this.#served++
      client.socket.destroy()
    }
  }
}

withInstance('proxies', {}, (it) => {
  const sharded = () => it().create({ sharding: true, shards_count: 2, memory_size: 400_000_000 })

  /** How many workers the proxies that take new clients have: a predecessor that leaves has no new ones. */
  async function workers(): Promise<number> {
    const lines = await Promise.all(
      (await it().proxies()).map((pid) => readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')),
    )
    return lines.filter((line) => line.split('\0').includes('--worker')).length
  }

  test('there is one per node, with its uid', async () => {
    const { status, json } = await it().api.get('/v1/proxies')
    assert.equal(status, 200)
    assert.equal(json.length, 1)
    assert.equal(json[0].uid, 1)
    assert.ok(json[0].threads >= 1)
    assert.deepEqual((await it().api.get('/v1/proxies/1')).json, json[0])
    const missing = await it().api.get('/v1/proxies/7')
    assert.equal(missing.status, 404)
    assert.equal(missing.json.error_code, 'proxy_not_found')
  })

  test('what cannot be set is refused by its name, and what is sent back as it was shown is not', async () => {
    const refusals: readonly (readonly [object, string, string])[] = [
      [{ threads: 2 }, 'unknown_field', 'threads'],
      [{ allow_restart: 'yes' }, 'invalid_field', 'allow_restart'],
      [{ proxy: { threads: 0 } }, 'invalid_field', 'threads'],
      [{ proxy: { threads: 257 } }, 'invalid_field', 'threads'],
      [{ proxy: { threds: 2 } }, 'unknown_field', 'threds'],
      [{ proxy: { dynamic_threads_scaling: true } }, 'unsupported_feature', 'dynamic_threads_scaling'],
      [{ proxy: { client_eviction: 'no' } }, 'invalid_field', 'client_eviction'],
      [{ proxy: { maxmemory_clients: 1 } }, 'invalid_field', 'maxmemory_clients'],
      [{ proxy: [] }, 'invalid_json', ''],
    ]
    for (const [body, code, field] of refusals) {
      for (const path of ['/v1/proxies', '/v1/proxies/1']) {
        const { json, text } = await it().api.put(path, body)
        assert.equal(json.error_code, code, text)
        assert.ok(text.includes(field), text)
      }
    }
    assert.equal((await it().api.put('/v1/proxies/7', { proxy: {} })).status, 404)
    const { json: shown } = await it().api.get('/v1/proxies/1')
    assert.equal((await it().api.put('/v1/proxies/1', { allow_restart: true, proxy: shown })).status, 200)
    assert.deepEqual((await it().api.get('/v1/proxies/1')).json, shown)
  })

  test('threads change while clients come and go, and nobody is turned away', async (t) => {
    const { uid, endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: 0, retryStrategy: null })
    await fill(client, KEYS)
    const visitors = new Visitors(endpoints[0].port, 'visits')
    await visitors.more(20)
    assert.equal(await workers(), 0)
    for (const [threads, expected] of [
      [2, 2],
      [3, 3],
      [1, 0],
    ] as const) {
      const { status, text } = await it().api.put('/v1/proxies', { allow_restart: true, proxy: { threads } })
      assert.equal(status, 200, text)
      assert.equal((await it().api.get('/v1/proxies/1')).json.threads, threads)
      await visitors.more(50)
      // Nobody is connected to the workers of a predecessor for long, except the client that came first.
      await until(`${expected} workers`, async () => (await workers()) === expected)
    }
    await visitors.end()
    await check(client, KEYS, 'key', 1)
    client.disconnect()
    await until('the predecessors to be gone', async () => (await it().proxies()).length === 1)
    await it().active(uid)
  })

  test('a smaller limit for the memory of all clients counts at once, until clients are not to be closed at all', async (t) => {
    const { endpoints } = await sharded()
    const client = clientOf(t, endpoints[0].port)
    await client.set('big', Buffer.alloc(VALUE_BYTES))
    const set = async (proxy: object) => {
      const { status, text } = await it().api.put('/v1/proxies/1', { proxy })
      assert.equal(status, 200, text)
    }
    const greedy = () => {
      const one = RawClient.open(t, endpoints[0].port)
      one.socket.pause()
      for (let asked = 0; asked < 4; asked++) one.send('GET', 'big')
      return one
    }
    const names = async () => linesOf(await client.client('LIST')).length
    await set({ client_eviction: false, maxmemory_clients: VALUE_BYTES })
    const patient = greedy()
    await until('it to be owed much', async () => (await owed(client)) > 2 * VALUE_BYTES)
    assert.equal(await names(), 2)
    await set({ client_eviction: true })
    await until('it to be closed', async () => (await names()) === 1)
    patient.socket.resume()
    await patient.closed()
    await set({ maxmemory_clients: 100 * VALUE_BYTES })
    greedy()
    await until('another to be owed as much', async () => (await owed(client)) > 2 * VALUE_BYTES)
    // It is looked at ten times a second.
    for (let look = 0; look < 10; look++) {
      await delay(50)
      assert.equal(await names(), 2)
    }
  })

  test('without allow_restart they change when the proxy starts next, and survive a kill', async () => {
    await sharded()
    const before = await it().proxies()
    assert.equal((await it().api.put('/v1/proxies/1', { proxy: { threads: 2 } })).status, 200)
    await it().kill()
    await it().start()
    assert.equal((await it().api.get('/v1/proxies/1')).json.threads, 2)
    assert.deepEqual(await it().proxies(), before)
    assert.equal((await it().api.put('/v1/proxies/1', { allow_restart: true })).status, 200)
    assert.equal(await workers(), 2)
    assert.equal((await it().api.put('/v1/proxies/1', { allow_restart: true, proxy: { threads: 1 } })).status, 200)
  })

  test('a control plane that finds a proxy of another build has a successor of its own take over', async (t) => {
    const { uid, endpoints } = await sharded()
    const program = await otherBuild()
    t.after(() => rm(dirname(program), { recursive: true }))
    await it().kill()
    for (const pid of await it().proxies()) killNow(pid)
    const cwd = join(it().dataDir, 'proxy')
    const args = [program, '--config', join(cwd, 'proxy.json'), '--control', 'control.sock']
    const old = spawn(process.execPath, args, { cwd, stdio: 'ignore' })
    const isOver = () => old.exitCode !== null || old.signalCode !== null
    const client = clientOf(t, endpoints[0].port, { maxRetriesPerRequest: null })
    await Promise.race([client.ping(), once(old, 'exit').then(() => assert.fail('it does not start'))])
    await fill(client, KEYS)
    const visitors = new Visitors(endpoints[0].port, 'visits')
    await visitors.more(20)
    await it().start()
    await it().active(uid)
    client.disconnect()
    await until('the proxy of the other build to be gone', isOver)
    await visitors.more(20)
    await visitors.end()
    assert.equal(old.exitCode, 0)
    const after = clientOf(t, endpoints[0].port)
    await check(after, KEYS, 'key', 1)
    // The next control plane finds its own.
    const proxies = await it().proxies()
    await it().kill()
    await it().start()
    await it().active(uid)
    assert.deepEqual(await it().proxies(), proxies)
  })
})

/** Bytes that all clients together have not read, as the proxy tells them. */
async function owed(client: Redis): Promise<number> {
  return linesOf(await client.client('LIST')).reduce((sum, { omem }) => sum + Number(omem), 0)
}
