/**
 * The clients that applications use, on a database made through the API, with the password that it was given.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { before, test } from 'node:test'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { onEachStore } from './support/suite.ts'

const run = promisify(execFile)
const PASSWORD = 'pa"ss wörd\n#1'

onEachStore('clients', (it) => {
  let port = 0
  before(async () => {
    const database = await it().create({ name: 'clients', authentication_redis_pass: PASSWORD })
    port = database.endpoints[0].port
    assert.equal(database.authentication_redis_pass, PASSWORD)
  })

  test('redis-cli sets and gets with the password, and nothing without it', async () => {
    const cli = (...args: string[]) => run('redis-cli', ['-p', String(port), ...args])
    const options = { env: { ...process.env, REDISCLI_AUTH: PASSWORD } }
    assert.equal((await run('redis-cli', ['-p', String(port), 'set', 'k', 'v'], options)).stdout, 'OK\n')
    assert.equal((await run('redis-cli', ['-p', String(port), 'get', 'k'], options)).stdout, 'v\n')
    assert.match((await cli('get', 'k')).stdout, /NOAUTH/)
  })

  test('node-redis works, with RESP3 too', async () => {
    for (const RESP of [2, 3] as const) {
      const client = createClient({ url: `redis://127.0.0.1:${port}`, password: PASSWORD, RESP })
      await client.connect()
      await client.hSet(`h${RESP}`, { a: '1', b: '2' })
      assert.deepEqual({ ...(await client.hGetAll(`h${RESP}`)) }, { a: '1', b: '2' })
      await client.close()
    }
  })

  test('ioredis works, pipelines and transactions included', async () => {
    const client = new Redis({ port, host: '127.0.0.1', password: PASSWORD })
    const results = await client.multi().set('n', 1).incr('n').exec()
    assert.deepEqual(
      results?.map(([, value]) => value),
      ['OK', 2],
    )
    await client.quit()
  })

  test('an application cannot take the process out of the hands of the control plane', async () => {
    const client = new Redis({ port, host: '127.0.0.1', password: PASSWORD, retryStrategy: null })
    for (const [command, ...args] of [
      ['SHUTDOWN', 'NOSAVE'],
      ['CONFIG', 'SET', 'maxmemory', '0'],
      ['ACL', 'SETUSER', 'default', 'nopass'],
      ['REPLICAOF', '127.0.0.1', '1'],
      ['DEBUG', 'SEGFAULT'],
      ['ACL', 'LIST'],
    ] as const) {
      await assert.rejects(client.call(command, ...args), /NOPERM|ERR/, `${command} must be refused`)
    }
    assert.equal(await client.ping(), 'PONG')
    await client.quit()
  })

  test('a new password works at once, the old one until it is removed, and no client is dropped', async () => {
    const { json } = await it().api.get('/v1/bdbs?fields=uid')
    const uid = json[0].uid
    const steady = new Redis({ port, host: '127.0.0.1', password: PASSWORD, retryStrategy: null })
    await steady.ping()
    assert.equal((await it().api.post(`/v1/bdbs/${uid}/passwords`, { password: 'second' })).status, 200)
    await it().active(uid)
    for (const password of [PASSWORD, 'second']) await knock(port, password)
    assert.equal((await it().api.delete(`/v1/bdbs/${uid}/passwords`, { body: { password: PASSWORD } })).status, 200)
    await it().active(uid)
    await knock(port, 'second')
    await assert.rejects(knock(port, PASSWORD), /WRONGPASS/)
    assert.equal(await steady.ping(), 'PONG')
    await steady.quit()
    const last = await it().api.delete(`/v1/bdbs/${uid}/passwords`, { body: { password: 'second' } })
    assert.equal(last.status, 406)
    assert.equal((await it().api.put(`/v1/bdbs/${uid}/passwords`, { password: PASSWORD })).status, 200)
    await it().active(uid)
    await knock(port, PASSWORD)
    await assert.rejects(knock(port, 'second'), /WRONGPASS/)
  })
})

async function knock(port: number, password: string): Promise<void> {
  const client = createClient({ url: `redis://127.0.0.1:${port}`, password, socket: { reconnectStrategy: false } })
  client.on('error', () => undefined)
  await client.connect()
  await client.ping()
  await client.close()
}
