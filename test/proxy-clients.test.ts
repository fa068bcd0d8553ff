/** The clients of an endpoint are told of, named and let go as by one server, whichever worker of the proxy has them. */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { Redis } from 'ioredis'
import { linesOf } from './support/client-list.ts'
import type { Instance } from './support/instance.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const WORKERS = 3
const CLIENTS = 2 * WORKERS

withInstance('clients of a proxy of several workers', {}, (it) => {
  test('each sees all of them, under numbers of their own', async (t) => {
    const { clients } = await everybody(t, it())
    const [first, second] = clients
    assert.ok(first && second)
    assert.equal(await first.client('NO-EVICT', 'ON'), 'OK')
    const ids = await Promise.all(clients.map((client) => client.client('ID')))
    assert.equal(new Set(ids).size, CLIENTS)
    for (const client of clients) {
      const seen = linesOf(await client.client('LIST'))
      assert.deepEqual(
        seen.map(({ id }) => Number(id)),
        [...ids].sort((a, b) => a - b),
      )
      assert.equal(seen.find(({ name }) => name === 'client-0')?.flags, 'e')
    }
    assert.deepEqual(
      linesOf(await second.call('CLIENT', 'LIST', 'ID', String(ids[0]), String(ids[5]))).map(({ name }) => name),
      ['client-0', 'client-5'],
    )
    await assert.rejects(second.call('CLIENT', 'LIST', 'ID', 'x'), /Invalid client ID/)
    await assert.rejects(second.call('CLIENT', 'LIST', 'TYPE', 'x'), /Unknown client type/)
  })

  test('each can let any other go, by whatever there is to name it', async (t) => {
    const { clients, port } = await everybody(t, it())
    const [killer, ...others] = clients
    assert.ok(killer)
    const kill = (...words: string[]) => killer.call('CLIENT', 'KILL', ...words)
    const lineOf = async (name: string) => linesOf(await killer.client('LIST')).find((line) => line.name === name)
    const gone = (client: Redis | undefined) => until('the client to be gone', () => client?.status === 'end')
    const left = async () => linesOf(await killer.client('LIST')).length

    assert.equal(await kill('ID', (await lineOf('client-1'))?.id ?? ''), 1)
    await gone(others[0])
    assert.equal(await kill((await lineOf('client-2'))?.addr ?? ''), 'OK')
    await gone(others[1])
    assert.equal(await kill('ADDR', (await lineOf('client-3'))?.addr ?? ''), 1)
    await gone(others[2])
    await assert.rejects(kill('127.0.0.1:1'), /No such client/)
    await others[3]?.subscribe('news')
    assert.equal((await lineOf('client-4'))?.flags, 'P')
    assert.equal(linesOf(await killer.call('CLIENT', 'LIST', 'TYPE', 'pubsub')).length, 1)
    assert.equal(await kill('TYPE', 'pubsub'), 1)
    await gone(others[3])
    assert.equal(await left(), 2)
    for (const none of [
      ['USER', 'nobody'],
      ['MAXAGE', '1000'],
      ['TYPE', 'replica'],
      ['ID', (await lineOf('client-5'))?.id ?? '', 'USER', 'nobody'],
      ['LADDR', '127.0.0.1:1'],
    ])
      assert.equal(await kill(...none), 0, none.join(' '))
    for (const wrong of [['ID', 'x'], ['ID', '0'], ['TYPE', 'x'], ['SKIPME', 'x'], ['MAXAGE', '0'], ['X', 'y'], ['ID']])
      await assert.rejects(kill(...wrong), /ERR/, wrong.join(' '))
    assert.equal(await kill('LADDR', `127.0.0.1:${port}`, 'USER', 'default'), 1)
    await gone(others[4])
    assert.equal(await kill('SKIPME', 'no'), 1)
    await gone(killer)
  })

  test('one that waits is woken by any other', async (t) => {
    const { clients } = await everybody(t, it())
    const [waker, ...others] = clients
    assert.ok(waker)
    for (const [index, client] of others.entries()) {
      const id = await client.client('ID')
      const popped = client.blpop(`queue:${index}`, 0)
      await until('it to be woken', async () => (await waker.call('CLIENT', 'UNBLOCK', String(id))) === 1)
      assert.equal(await popped, null)
    }
  })

  test('no number comes again when a worker has ended', async (t) => {
    const { clients, port } = await everybody(t, it())
    const [, client] = clients
    assert.ok(client)
    const highest = Math.max(...(await Promise.all(clients.map((one) => one.client('ID')))))
    const before = await workersOf(it())
    const [killed] = before
    assert.ok(killed)
    process.kill(killed, 'SIGKILL')
    await until('its clients to be gone', () => clients.some(({ status }) => status === 'end'))
    await until('another to serve in its place', async () => {
      const now = await workersOf(it())
      return now.length === WORKERS && now.some((pid) => !before.includes(pid))
    })
    const newcomers = await Promise.all(
      Array.from({ length: 20 }, async () => {
        const fresh = await connected(t, port)
        return await fresh.client('ID')
      }),
    )
    assert.equal(new Set(newcomers).size, newcomers.length)
    assert.ok(newcomers.every((id) => id > highest))
  })
})

/** Two at each worker: they are dealt out in turn. */
async function everybody(t: TestContext, instance: Instance): Promise<{ clients: Redis[]; port: number }> {
  const { json } = await instance.api.get('/v1/proxies/1')
  if (json.threads !== WORKERS) {
    const { status, text } = await instance.api.put('/v1/proxies/1', { proxy: { threads: WORKERS } })
    assert.equal(status, 200, text)
  }
  const { endpoints } = await instance.create({ sharding: true, shards_count: 2, memory_size: 50_000_000 })
  const [{ port }] = endpoints
  const clients: Redis[] = []
  for (let index = 0; index < CLIENTS; index++) {
    const client = await connected(t, port)
    await client.client('SETNAME', `client-${index}`)
    clients.push(client)
  }
  return { clients, port }
}

async function connected(t: TestContext, port: number): Promise<Redis> {
  const client = new Redis({ port, host: '127.0.0.1', retryStrategy: null, disableClientInfo: true })
  client.on('error', () => undefined)
  t.after(() => client.disconnect())
  await client.ping()
  return client
}

async function workersOf(instance: Instance): Promise<number[]> {
  const workers: number[] = []
  for (const pid of await instance.proxies()) {
    const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
    if (words.split('\0').includes('--worker')) workers.push(pid)
  }
  return workers
}
