/**
 * TLS on the endpoints of databases, and the certificates that they and the API show.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import { promisify } from 'node:util'
import { Redis } from 'ioredis'
import { type Authority, type Issued, makeAuthority } from './support/certificates.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)

onEachStore('TLS', (it) => {
  let authority: Authority
  let stranger: Authority
  let client: Issued
  before(async () => {
    authority = await makeAuthority('clients')
    stranger = await makeAuthority('strangers')
    client = await authority.issue('app')
  })

  const put = async (path: string, body: object) => {
    const { status, json, text } = await it().api.put(path, body)
    assert.equal(status, 200, text)
    return json
  }
  /** What redis-cli says, or its complaint. */
  const cli = async (port: number, ...words: string[]) => {
    const { stdout, stderr } = await run('redis-cli', ['-p', String(port), ...words], { timeout: 10_000 }).catch(
      (error) => error,
    )
    return `${stdout}${stderr}`.trim()
  }
  const clientFlags = async ({ certificate, key }: Issued) => {
    const path = join(it().dataDir, `client-${Math.random()}`)
    await writeFile(`${path}.crt`, certificate)
    await writeFile(`${path}.key`, key)
    return ['--tls', '--insecure', '--cert', `${path}.crt`, '--key', `${path}.key`]
  }
  const shown = (port: number, maxVersion: 'TLSv1.2' | 'TLSv1.3' = 'TLSv1.3') =>
    new Promise<string>((resolve, reject) => {
      const socket = connectTls({ host: '127.0.0.1', port, maxVersion, rejectUnauthorized: false }, () => {
        resolve(socket.getPeerX509Certificate()?.fingerprint256 ?? '')
        socket.destroy()
      })
      socket.on('error', reject)
    })

  test('tls_mode is switched while it serves; the data and the process stay', async () => {
    const { uid, endpoints } = await it().create({ name: 'switched', enforce_client_authentication: 'disabled' })
    const { port } = endpoints[0]
    const before = await it().engines()
    assert.equal(await cli(port, 'SET', 'k', 'v'), 'OK')
    const on = await put(`/v1/bdbs/${uid}`, { tls_mode: 'enabled' })
    assert.deepEqual([on.tls_mode, on.ssl], ['enabled', true])
    await it().active(uid)
    assert.equal(await cli(port, '--tls', '--insecure', 'GET', 'k'), 'v')
    assert.doesNotMatch(await cli(port, 'GET', 'k'), /^v$/)
    assert.equal((await it().api.get(`/v1/bdbs/${uid}/availability`)).status, 200)
    await put(`/v1/bdbs/${uid}`, { ssl: false })
    await it().active(uid)
    assert.equal(await cli(port, 'GET', 'k'), 'v')
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.tls_mode, 'disabled')
    const pids = new Set((await it().engines()).map(({ pid }) => pid))
    assert.ok(before.every(({ pid }) => pids.has(pid)))
  })

  test('clients get in with a certificate that is trusted, and with no other', async () => {
    const authentication_ssl_client_certs = [{ client_cert: authority.certificate }]
    const { endpoints } = await it().create({ name: 'mutual', tls_mode: 'enabled', authentication_ssl_client_certs })
    const { port } = endpoints[0]
    assert.equal(await cli(port, ...(await clientFlags(client)), 'PING'), 'PONG')
    const expired = await authority.issue('app', -1)
    for (const other of [await stranger.issue('app'), expired])
      assert.doesNotMatch(await cli(port, ...(await clientFlags(other)), 'PING'), /PONG/)
    assert.doesNotMatch(await cli(port, '--tls', '--insecure', 'PING'), /PONG/)
    assert.doesNotMatch(await cli(port, 'PING'), /PONG/)
  })

  test('what would admit nobody is refused by name', async () => {
    const cases: [body: object, field: string][] = [
      [{ tls_mode: 'enabled' }, 'authentication_ssl_client_certs'],
      [{ tls_mode: 'sometimes' }, 'tls_mode'],
      [{ authentication_ssl_client_certs: [{ client_cert: 'x' }] }, 'authentication_ssl_client_certs[0].client_cert'],
    ]
    for (const [body, field] of cases) {
      const reply = await it().api.post('/v1/bdbs', { name: 'refused', memory_size: 5_000_000, ...body })
      assert.ok(reply.status === 400 || reply.status === 406, reply.text)
      assert.equal(reply.json.field, field, reply.text)
    }
  })

  test('a replica follows and takes over where clients have to show certificates', async () => {
    const authentication_ssl_client_certs = [{ client_cert: authority.certificate }]
    const { uid, endpoints } = await it().create({
      name: 'replicated',
      tls_mode: 'enabled',
      replication: true,
      authentication_ssl_client_certs,
    })
    const { port } = endpoints[0]
    const flags = await clientFlags(client)
    assert.equal(await cli(port, ...flags, 'SET', 'k', 'v'), 'OK')
    assert.equal(await cli(port, ...flags, 'WAIT', '1', '5000'), '1')
    const primary = async () => {
      const { json } = await it().api.get(`/v1/bdbs/${uid}/shards`)
      return Number(json.find(({ role }: { role: string }) => role === 'master').uid)
    }
    const before = await primary()
    const engine = (await it().engines()).find(({ shardUid }) => shardUid === before)
    assert.ok(engine)
    process.kill(engine.pid, 'SIGKILL')
    await until('the key to be there again', async () => {
      const said = await cli(port, ...flags, 'GET', 'k')
      if (said !== 'v') throw new Error(said)
      return true
    })
    assert.notEqual(await primary(), before)
  })

  test('a new certificate is shown to new connections, and those that are open stay', async () => {
    const { uid, endpoints } = await it().create({
      name: 'rotated',
      tls_mode: 'enabled',
      enforce_client_authentication: 'disabled',
    })
    const { port } = endpoints[0]
    const redis = new Redis({ port, host: '127.0.0.1', tls: { rejectUnauthorized: false }, retryStrategy: null })
    assert.equal(await redis.set('k', 'v'), 'OK')
    const first = await shown(port)
    assert.equal((await it().api.post('/v1/cluster/certificates/rotate', { name: 'proxy' })).status, 200)
    await until('another certificate', async () => (await shown(port)) !== first)
    assert.equal(await redis.get('k'), 'v')
    const own = await authority.issue('one database')
    const second = await shown(port)
    const given = await it().api.post(`/v1/bdbs/${uid}/certificates`, { cert: own.certificate, private_key: own.key })
    assert.deepEqual([given.status, given.json.bdb_uid], [200, String(uid)])
    await until('its own certificate', async () => (await shown(port)) !== second)
    assert.equal((await it().api.get('/v1/bdbs/certificates')).json.length, 1)
    assert.equal((await it().api.delete(`/v1/bdbs/${uid}/certificates`)).status, 200)
    await until('the certificate of all', async () => (await shown(port)) === second)
    assert.equal(await redis.get('k'), 'v')
    redis.disconnect()
    await put('/v1/cluster', { min_data_TLS_version: '1.3' })
    await until('TLS 1.2 to be refused', () =>
      shown(port, 'TLSv1.2').then(
        () => false,
        () => true,
      ),
    )
    assert.match(await shown(port), /:/)
    await put('/v1/cluster', { min_data_TLS_version: '1.2' })
    await until('TLS 1.2 to be taken', () => shown(port, 'TLSv1.2').catch(() => false))
  })

  test('the API shows the certificate that it was given, also after a kill', async () => {
    const own = await authority.issue('api')
    const first = await shown(it().ports.api)
    const certificates = [{ name: 'api', certificate: own.certificate, key: own.key }]
    await put('/v1/cluster/certificates', { certificates })
    const second = await shown(it().ports.api)
    assert.notEqual(second, first)
    const forClients = () => readFile(join(it().dataDir, 'tls', 'api.crt'), 'utf8')
    await until('clients to find it', async () => (await forClients()) === own.certificate)
    await it().kill()
    await it().start()
    assert.equal(await shown(it().ports.api), second)
    const { json } = await it().api.get('/v1/cluster/certificates')
    assert.equal(json.api_cert, own.certificate)
    assert.doesNotMatch(JSON.stringify(json), /PRIVATE/)
  })

  test('certificates that cannot be used are refused by name, and nothing changes', async () => {
    const good = await authority.issue('good')
    const other = await authority.issue('other')
    const expired = await authority.issue('old', -1)
    const before = (await it().api.get('/v1/cluster/certificates')).text
    const cases: [body: object, code: string, field: string][] = [
      [{ name: 'nonsense', certificate: good.certificate, key: good.key }, 'invalid_field', 'name'],
      [{ certificate: good.certificate, key: good.key }, 'missing_field', 'name'],
      [{ name: 'proxy', certificate: 'x', key: good.key }, 'invalid_certificate', 'certificate'],
      [{ name: 'proxy', key: good.key }, 'invalid_certificate', 'certificate'],
      [{ name: 'proxy', certificate: good.certificate, key: 'x' }, 'invalid_private_key', 'key'],
      [{ name: 'proxy', certificate: good.certificate }, 'invalid_private_key', 'key'],
      [{ name: 'proxy', certificate: good.certificate, key: other.key }, 'certificate_key_mismatch', 'key'],
      [{ name: 'proxy', ...expired }, 'certificate_expired', 'certificate'],
      [
        { name: 'proxy', certificate: good.certificate + other.certificate, key: good.key },
        'invalid_certificate',
        'certificate',
      ],
      [{ name: 'proxy', ...good, extra: 1 }, 'unknown_field', 'extra'],
    ]
    for (const [body, code, field] of cases) {
      const one = await it().api.put('/v1/cluster/update_cert', body)
      assert.deepEqual([one.json?.error_code, one.json?.field], [code, field], one.text)
      assert.equal(one.status, code === 'certificate_expired' ? 406 : 400, code)
      const certificates = [{ name: 'cm', ...good }, body]
      const all = await it().api.put('/v1/cluster/certificates', { certificates })
      assert.equal(all.json?.error_code, code, all.text)
    }
    assert.equal((await it().api.delete('/v1/cluster/certificates/proxy')).status, 403)
    assert.equal((await it().api.delete('/v1/cluster/certificates/nothing')).status, 404)
    assert.equal((await it().api.get('/v1/cluster/certificates')).text, before)
  })

  test('no private key lies in the data folder in the clear', async () => {
    const all = await readdir(it().dataDir, { recursive: true, withFileTypes: true })
    for (const entry of all.filter((one) => one.isFile() && !one.name.startsWith('client-'))) {
      const text = await readFile(join(entry.parentPath, entry.name), 'latin1')
      assert.doesNotMatch(text, /-----BEGIN (EC |RSA )?PRIVATE KEY-----/, entry.name)
    }
  })
})
