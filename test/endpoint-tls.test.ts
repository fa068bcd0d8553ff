/**
 * TLS where the proxy serves the endpoint: its certificate, whom it lets in, and changes while clients are connected.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls'
import { type Authority, type Issued, makeAuthority } from './support/certificates.ts'
import { killNow } from './support/instance.ts'
import { plain, RawClient } from './support/proxy.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

withInstance('TLS at an endpoint of the proxy', {}, (it) => {
  let people: Authority
  before(async () => {
    people = await makeAuthority('people')
  })

  const put = async (path: string, body: object) => {
    const { status, json, text } = await it().api.put(path, body)
    assert.equal(status, 200, text)
    return json
  }
  const change = async (uid: number, body: object) => {
    await put(`/v1/bdbs/${uid}`, body)
    await it().active(uid)
  }
  const create = async (body: object): Promise<{ uid: number; port: number }> => {
    const { uid, endpoints } = await it().create({ name: 'secured', ...body })
    return { uid, port: endpoints[0].port }
  }
  const sharded = (body: object = {}) => create({ sharding: true, shards_count: 2, ...body })
  const mutual = () => ({
    tls_mode: 'enabled',
    authentication_ssl_client_certs: [{ client_cert: people.certificate }],
  })
  const onlyApp = { client_cert_subject_validation_type: 'full_subject', authorized_subjects: [{ CN: 'app' }] }
  const open = (t: TestContext, port: number, more: ConnectionOptions = {}) =>
    RawClient.open(t, port, { rejectUnauthorized: false, ...more })
  const as = ({ certificate: cert, key }: Issued) => ({ cert, key })
  const ping = async (client: RawClient) => plain(await client.call('PING'))
  const shown = (port: number, options: ConnectionOptions = {}) =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, ...options }, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
        socket.destroy()
      })
      socket.on('error', reject)
    })

  test('tls_mode of a sharded database is switched while it serves, and drops nobody', async (t) => {
    const { uid, port } = await sharded({ enforce_client_authentication: 'disabled' })
    const pids = (await it().engines()).map(({ pid }) => pid)
    const inTheClear = RawClient.open(t, port)
    assert.equal(plain(await inTheClear.call('SET', 'k', '1')), 'OK')
    await change(uid, { tls_mode: 'enabled' })
    const secured = open(t, port)
    assert.equal(plain(await secured.call('INCR', 'k')), 2)
    assert.equal(await ping(RawClient.open(t, port)), null)
    assert.equal((await it().api.get(`/v1/bdbs/${uid}/availability`)).status, 200)
    await change(uid, { ssl: false })
    assert.equal(await ping(RawClient.open(t, port)), 'PONG')
    assert.equal(plain(await inTheClear.call('INCR', 'k')), 3)
    assert.equal(plain(await secured.call('INCR', 'k')), 4)
    assert.deepEqual(
      (await it().engines()).map(({ pid }) => pid),
      pids,
    )
  })

  test('its certificate, its versions and its ciphers are changed while clients are connected', async (t) => {
    const { uid, port } = await sharded({ tls_mode: 'enabled', enforce_client_authentication: 'disabled' })
    const client = open(t, port)
    assert.equal(await ping(client), 'PONG')
    const first = await shown(port)
    assert.equal((await it().api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })).status, 200)
    await until('another certificate', async () => (await shown(port)) !== first)
    const { json: cluster } = await it().api.get('/v1/cluster')
    assert.equal(new X509Certificate(cluster.proxy_certificate).fingerprint256, await shown(port))
    const own = await people.issue('one database')
    const path = `/v1/bdbs/${uid}/certificates`
    assert.equal((await it().api.post(path, { cert: own.certificate, private_key: own.key })).status, 200)
    await until('its own certificate', () =>
      shown(port, { ca: people.certificate, rejectUnauthorized: true }).catch(() => false),
    )
    await put('/v1/cluster', { min_data_TLS_version: '1.3' })
    await until('TLS 1.2 to be refused', () =>
      shown(port, { maxVersion: 'TLSv1.2' }).then(
        () => false,
        () => true,
      ),
    )
    await put('/v1/cluster', { min_data_TLS_version: '1.2', data_cipher_list: 'ECDHE-ECDSA-AES256-GCM-SHA384' })
    await until('the chosen cipher', async () => {
      const other = open(t, port, { maxVersion: 'TLSv1.2' })
      await ping(other)
      return (other.socket as TLSSocket).getCipher()?.name === 'ECDHE-ECDSA-AES256-GCM-SHA384'
    })
    await put('/v1/cluster', { data_cipher_list: '' })
    assert.equal(await ping(client), 'PONG')
  })

  for (const sharding of [true, false])
    for (const validation of ['disabled', 'san_cn', 'full_subject', 'authorized_names'] as const)
      test(`who comes in is decided by their certificate: ${validation}, sharded ${sharding}`, async (t) => {
        const rule =
          validation === 'authorized_names'
            ? { authorized_names: ['app'] }
            : { client_cert_subject_validation_type: validation, authorized_subjects: [{ CN: 'app' }] }
        const { uid, port } = await create({ sharding, ...mutual(), ...rule })
        const stranger = await makeAuthority('people')
        assert.equal(await ping(open(t, port, as(await people.issue('app')))), 'PONG')
        const other = await ping(open(t, port, as(await people.issue('other'))))
        assert.equal(other, validation === 'disabled' ? 'PONG' : null)
        for (const wrong of [await stranger.issue('app'), await people.issue('app', -1)])
          assert.equal(await ping(open(t, port, as(wrong))), null)
        assert.equal(await ping(open(t, port)), null)
        assert.equal(await ping(RawClient.open(t, port)), null)
        assert.equal((await it().api.get(`/v1/bdbs/${uid}/availability`)).status, 200)
        assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
        await it().gone(uid)
      })

  test('bytes that are handed on arrive, however many, and whoever has said all still hears the answers', async (t) => {
    const { port } = await create({
      ...mutual(),
      ...onlyApp,
      memory_size: 100_000_000,
      authentication_redis_pass: 'secret',
    })
    const options = as(await people.issue('app'))
    const client = open(t, port, options)
    assert.match(String(plain(await client.call('GET', 'k'))), /NOAUTH/)
    assert.match(String(plain(await client.call('AUTH', 'wrong'))), /WRONGPASS/)
    assert.equal(plain(await client.call('AUTH', 'secret')), 'OK')
    const big = Buffer.alloc(5 * 1024 * 1024, 'b')
    client.send('SET', 'big', big)
    for (let index = 0; index < 3_000; index++) client.send('RPUSH', 'list', String(index))
    client.send('GET', 'big')
    client.send('LRANGE', 'list', '0', '-1')
    assert.equal(plain(await client.next()), 'OK')
    for (let index = 0; index < 3_000; index++) assert.equal(plain(await client.next()), index + 1)
    assert.equal(plain(await client.next()), big.toString())
    assert.equal((plain(await client.next()) as string[]).length, 3_000)
    const blocked = open(t, port, options)
    await blocked.call('AUTH', 'secret')
    blocked.send('BLPOP', 'none', '0')
    await client.call('RPUSH', 'none', 'at last')
    assert.deepEqual(plain(await blocked.next()), ['none', 'at last'])
    const gone = open(t, port, options)
    await gone.call('AUTH', 'secret')
    gone.socket.destroy()
    await until('the engine to see it go', async () => {
      const list = String(plain(await client.call('CLIENT', 'LIST')))
      return list.split('user=default').length === 3
    })
  })

  test('comparing subjects is switched while it serves, and the data stays', async (t) => {
    const { uid, port } = await create(mutual())
    const [app, other] = [as(await people.issue('app')), as(await people.issue('other'))]
    const inside = open(t, port, other)
    assert.equal(plain(await inside.call('SET', 'k', '1')), 'OK')
    const pids = (await it().engines()).map(({ pid }) => pid)
    await change(uid, onlyApp)
    assert.equal(plain(await open(t, port, app).call('INCR', 'k')), 2)
    assert.equal(await ping(open(t, port, other)), null)
    assert.equal(plain(await inside.call('INCR', 'k')), 3)
    await change(uid, { client_cert_subject_validation_type: 'disabled' })
    assert.equal(plain(await open(t, port, other).call('INCR', 'k')), 4)
    assert.deepEqual(
      (await it().engines()).map(({ pid }) => pid),
      pids,
    )
    await change(uid, { ...onlyApp, sharding: true })
    await change(uid, { shards_count: 2 })
    assert.equal(plain(await open(t, port, app).call('INCR', 'k')), 5)
    assert.equal(await ping(open(t, port, other)), null)
  })

  test('whoever takes over from a primary is found behind the same endpoint', async (t) => {
    const { uid, port } = await create({ ...mutual(), ...onlyApp, replication: true })
    const options = as(await people.issue('app'))
    const client = open(t, port, options)
    assert.equal(plain(await client.call('SET', 'k', 'v')), 'OK')
    assert.equal(plain(await client.call('WAIT', '1', '5000')), 1)
    const shards = (await it().api.get(`/v1/bdbs/${uid}/shards`)).json as { role: string; uid: string }[]
    const primary = Number(shards.find(({ role }) => role === 'master')?.uid)
    const engine = (await it().engines()).find(({ shardUid }) => shardUid === primary)
    assert.ok(engine)
    killNow(engine.pid)
    await client.closed()
    // It waits at the proxy until the successor is there.
    assert.equal(plain(await open(t, port, options).call('GET', 'k')), 'v')
  })

  test('the proxy is started again with its keys, which lie nowhere in the clear', async (t) => {
    const { uid, port } = await sharded({ tls_mode: 'enabled', enforce_client_authentication: 'disabled' })
    const proxies = await it().proxies()
    assert.ok(proxies.length > 0)
    for (const pid of proxies) {
      assert.doesNotMatch(await readFile(`/proc/${pid}/cmdline`, 'latin1'), /PRIVATE|[0-9a-f]{64}/)
      killNow(pid)
    }
    await until('another proxy to be there', async () => {
      const now = await it().proxies()
      return now.length > 0 && !now.some((pid) => proxies.includes(pid))
    })
    await until('it to serve again', async () => (await ping(open(t, port))) === 'PONG')
    await it().kill()
    assert.equal(await ping(open(t, port)), 'PONG')
    await it().start()
    assert.equal(await ping(open(t, port)), 'PONG')
    await it().active(uid)
    const all = await readdir(it().dataDir, { recursive: true, withFileTypes: true })
    for (const entry of all.filter((one) => one.isFile())) {
      const text = await readFile(join(entry.parentPath, entry.name), 'latin1').catch(() => '')
      assert.doesNotMatch(text, /-----BEGIN (EC |RSA )?PRIVATE KEY-----/, entry.name)
    }
  })

  test('subjects that nobody could have are refused by name', async () => {
    const authentication_ssl_client_certs = [{ client_cert: people.certificate }]
    const cases: [body: object, field: string][] = [
      [{ client_cert_subject_validation_type: 'san_cn' }, 'authorized_subjects'],
      [{ client_cert_subject_validation_type: 'some' }, 'client_cert_subject_validation_type'],
      [
        { client_cert_subject_validation_type: 'san_cn', authorized_subjects: [{ CN: '' }] },
        'authorized_subjects[0].CN',
      ],
    ]
    for (const [body, field] of cases) {
      const base = { name: 'refused', memory_size: 10_000_000, sharding: true, tls_mode: 'enabled' }
      const reply = await it().api.post('/v1/bdbs', { ...base, authentication_ssl_client_certs, ...body })
      assert.ok(reply.status === 400 || reply.status === 406, reply.text)
      assert.equal(reply.json.field, field, reply.text)
    }
  })
})
