/** A command that is run on a sharded database through the API finds what a client of the endpoint finds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { makeAuthority } from './support/certificates.ts'
import { clientOf } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'

const KEYS = 60

for (const threads of [1, 2])
  withInstance(`commands on a sharded database, with a proxy of ${threads}`, {}, (it) => {
    const run = async (uid: number, command: string, ...args: string[]) =>
      (await it().api.post(`/v1/bdbs/${uid}/command`, { command, args })).json

    test('keys are looked for where they are, and what is asked of the whole is told of the whole', async (t) => {
      const { status, text } = await it().api.put('/v1/proxies', { allow_restart: true, proxy: { threads } })
      assert.equal(status, 200, text)
      const { uid, endpoints } = await it().create({ sharding: true, shards_count: 3, memory_size: 100_000_000 })
      const client = clientOf(t, endpoints[0].port)
      for (let key = 0; key < KEYS; key++) {
        assert.deepEqual(await run(uid, 'SET', `key:${key}`, String(key)), { response: true })
        assert.equal(await client.get(`key:${key}`), String(key))
        assert.deepEqual(await run(uid, 'GET', `key:${key}`), { response: String(key) })
      }
      assert.deepEqual(await run(uid, 'DBSIZE'), { response: KEYS })
      assert.equal((await run(uid, 'KEYS', 'key:*')).response.length, KEYS)
      assert.deepEqual(await run(uid, 'MGET', 'key:1', 'key:2', 'none'), { response: ['1', '2', null] })
      assert.match((await run(uid, 'LPUSH', 'key:1', 'x')).description, /WRONGTYPE/)
      assert.match((await run(uid, 'MSETNX', 'a', '1', 'b', '2')).description, /CROSSSLOT/)
      // Which applications may not.
      assert.deepEqual(await run(uid, 'CONFIG SET', 'slowlog-max-len', '77'), { response: true })
      assert.deepEqual((await run(uid, 'CONFIG GET', 'slowlog-max-len')).response, ['slowlog-max-len', '77'])
      assert.deepEqual(await run(uid, 'FLUSHALL'), { response: true })
      assert.equal(await client.dbsize(), 0)
    })

    test('neither passwords, nor certificates, nor a limit of connections keep it out', async () => {
      const { certificate } = await makeAuthority('clients')
      const { uid } = await it().create({
        ...{ sharding: true, shards_count: 2, memory_size: 100_000_000, max_connections: 1 },
        ...{ authentication_redis_pass: 'secret', tls_mode: 'enabled', enforce_client_authentication: 'enabled' },
        authentication_ssl_client_certs: [{ client_cert: certificate }],
      })
      assert.deepEqual(await run(uid, 'SET', 'k', 'v'), { response: true })
      assert.deepEqual(await run(uid, 'GET', 'k'), { response: 'v' })
      const { status } = await it().api.post(`/v1/bdbs/${uid}/actions/stop_traffic`)
      assert.equal(status, 200)
      await it().active(uid)
      assert.equal((await run(uid, 'GET', 'k')).error_code, 'bdb_unavailable')
    })
  })
