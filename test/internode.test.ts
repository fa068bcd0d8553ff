/**
 * What the processes of a database say to each other, and the proxy to them, is encrypted where somebody asks for it: over
 * every port of theirs, by the certificate that they alone have.
 */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { type Authority, makeAuthority } from './support/certificates.ts'
import { killNow } from './support/instance.ts'
import { plain, RawClient } from './support/proxy.ts'
import { pidOf, primariesOf } from './support/replicas.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

type Shard = { readonly uid: string; readonly role: 'master' | 'slave' }
type Ports = { readonly listen: number; readonly beside: number | null; readonly bus: number | null }

withInstance('encryption between processes', {}, (it) => {
  let people: Authority
  before(async () => {
    people = await makeAuthority('people')
  })

  const change = async (uid: number, body: object) => {
    const { status, text } = await it().api.put(`/v1/bdbs/${uid}`, body)
    assert.equal(status, 200, text)
    await it().active(uid)
  }
  const create = async (body: object): Promise<{ uid: number; port: number }> => {
    const { uid, endpoints } = await it().create({ name: 'secret', memory_size: 50_000_000, ...body })
    return { uid, port: endpoints[0].port }
  }
  const shardsOf = async (uid: number): Promise<Shard[]> => (await it().api.get(`/v1/bdbs/${uid}/shards`)).json
  const portsOf = async (shardUid: string): Promise<Ports> => {
    const text = await readFile(join(it().dataDir, 'shards', shardUid, 'spec.json'), 'utf8')
    const { spec } = JSON.parse(text) as {
      spec: { listen: { port: number }; tls: { port: number | null } | null } & Cluster
    }
    return { listen: spec.listen.port, beside: spec.tls?.port ?? null, bus: spec.cluster?.ports.bus ?? null }
  }
  type Cluster = { cluster: { ports: { bus: number } } | null }
  const serialOf = async () => {
    const { json } = await it().api.get('/v1/cluster/certificates')
    return new X509Certificate(json.data_internode_encryption_cert).serialNumber
  }
  /** Of the certificate that is shown at a port; empty: nobody speaks TLS there. */
  const shown = (port: number) =>
    new Promise<string>((resolve) => {
      const socket = connectTls({ host: '127.0.0.1', port, rejectUnauthorized: false, minVersion: 'TLSv1.3' }, () => {
        resolve(socket.getPeerX509Certificate()?.serialNumber ?? '')
        socket.destroy()
      })
      socket.on('error', () => resolve(''))
      socket.on('close', () => resolve(''))
    })
  const ping = async (client: RawClient) => plain(await client.call('PING'))
  const fill = async (client: RawClient, count: number) => {
    for (let index = 0; index < count; index++) client.send('SET', `key:${index}`, String(index))
    for (let index = 0; index < count; index++) assert.equal(plain(await client.next()), 'OK')
  }
  const check = async (client: RawClient, count: number) => {
    for (let index = 0; index < count; index++) client.send('GET', `key:${index}`)
    for (let index = 0; index < count; index++) assert.equal(plain(await client.next()), String(index))
  }
  /** Every port of every process speaks TLS with nobody but its own kind. */
  const assertClosed = async (t: TestContext, uid: number) => {
    const serial = await serialOf()
    for (const shard of await shardsOf(uid)) {
      const { listen, bus } = await portsOf(shard.uid)
      for (const port of [listen, ...(bus === null ? [] : [bus])])
        assert.equal(await shown(port), serial, `port ${port}`)
      assert.equal(await ping(RawClient.open(t, listen)), null)
      assert.equal(await ping(RawClient.open(t, listen, { rejectUnauthorized: false })), null)
    }
  }
  /** Resolves when another leads in its place, and all the others still do. */
  const killPrimary = async (uid: number) => {
    const before = await primariesOf(it(), uid)
    const [primary = 0] = before
    killNow(await pidOf(it(), primary))
    await until('another primary', async () => {
      const now = await primariesOf(it(), uid)
      return now.length === before.length && !now.includes(primary)
    })
  }

  test('shards, replicas and the proxy of a sharded database speak TLS, also when slots move and primaries die', async (t) => {
    const { uid, port } = await create({
      sharding: true,
      shards_count: 2,
      replication: true,
      data_internode_encryption: true,
    })
    await assertClosed(t, uid)
    const client = RawClient.open(t, port)
    await fill(client, 500)
    assert.equal(plain(await client.call('WAIT', '1', '5000')), 1)
    await change(uid, { shards_count: 3 })
    await check(client, 500)
    await assertClosed(t, uid)
    await killPrimary(uid)
    await until('every key to be there', async () => {
      await check(RawClient.open(t, port), 500)
      return true
    })
  })

  test('it is switched while there is data, and rotated while clients are connected', async (t) => {
    const { uid, port } = await create({ sharding: true, shards_count: 2 })
    const client = RawClient.open(t, port)
    await fill(client, 200)
    const preview = await it().api.put(`/v1/bdbs/${uid}?dry_run=true`, { data_internode_encryption: true })
    assert.equal(preview.json.dry_run.processes_restarted.length, 2)
    await change(uid, { data_internode_encryption: true })
    await check(client, 200)
    await assertClosed(t, uid)
    const first = await serialOf()
    assert.equal((await it().api.post('/v1/cluster/certificates/rotate')).status, 200)
    assert.notEqual(await serialOf(), first)
    await until('every port to show the new one', async () => {
      await assertClosed(t, uid)
      return true
    })
    await check(client, 200)
    await check(RawClient.open(t, port), 200)
    await change(uid, { data_internode_encryption: false })
    await check(RawClient.open(t, port), 200)
    for (const shard of await shardsOf(uid))
      assert.notEqual(await ping(RawClient.open(t, (await portsOf(shard.uid)).listen)), null)
  })

  test('a replica follows over TLS where applications come in the clear, and takes over', async (t) => {
    const { uid, port } = await create({ replication: true })
    const client = RawClient.open(t, port)
    await fill(client, 100)
    await change(uid, { data_internode_encryption: true })
    const primary = (await shardsOf(uid)).find(({ role }) => role === 'master')
    const { beside } = await portsOf(primary?.uid ?? '')
    assert.ok(beside)
    assert.equal(await shown(beside), await serialOf())
    const replicas = async () => {
      const args = ['LIST', 'TYPE', 'replica']
      return JSON.stringify((await it().api.post(`/v1/bdbs/${uid}/command`, { command: 'CLIENT', args })).json)
    }
    await until('the replica to come by the other port', async () => (await replicas()).includes(`:${beside} `))
    await check(client, 100)
    await until('the replica to have everything', async () => plain(await client.call('WAIT', '1', '500')) === 1)
    await killPrimary(uid)
    await until('every key to be there', async () => {
      await check(RawClient.open(t, port), 100)
      return true
    })
    await it().active(uid)
    await change(uid, { data_internode_encryption: false })
    assert.equal(await shown(beside), '')
    await check(RawClient.open(t, port), 100)
  })

  test('new databases have what the cluster says, and what the proxy hands on is encrypted too', async (t) => {
    assert.equal((await it().api.put('/v1/cluster/policy', { data_internode_encryption: true })).status, 200)
    const app = await people.issue('app')
    const { uid, port } = await create({
      replication: true,
      tls_mode: 'enabled',
      authentication_ssl_client_certs: [{ client_cert: people.certificate }],
      client_cert_subject_validation_type: 'san_cn',
      authorized_subjects: [{ CN: 'app' }],
    })
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.data_internode_encryption, true)
    const options = { rejectUnauthorized: false, cert: app.certificate, key: app.key }
    const client = RawClient.open(t, port, options)
    await fill(client, 50)
    const primary = (await shardsOf(uid)).find(({ role }) => role === 'master')
    const { listen } = await portsOf(primary?.uid ?? '')
    assert.equal(await shown(listen), await serialOf())
    assert.equal(await ping(RawClient.open(t, listen)), null)
    assert.equal(plain(await client.call('WAIT', '1', '5000')), 1)
    await killPrimary(uid)
    await check(RawClient.open(t, port, options), 50)
    assert.equal((await it().api.put('/v1/cluster/policy', { data_internode_encryption: false })).status, 200)
  })

  test('only a certificate that stands for itself alone can be given', async () => {
    const signed = await people.issue('shards')
    const body = { name: 'data_internode_encryption', certificate: signed.certificate, key: signed.key }
    const { json } = await it().api.put('/v1/cluster/update_cert', body)
    assert.deepEqual([json.error_code, json.field], ['invalid_certificate', 'certificate'])
  })
})
