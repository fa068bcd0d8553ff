/**
 * Secrets that people hand over, rightly and by mistake, and where they must not turn up afterwards: on the disk, in the
 * arguments and the environment of any process, in what is printed, and in what those may read who may only look.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { before, test } from 'node:test'
import { createClient } from 'redis'
import { ROUTES } from '#server/routes.ts'
import { ApiClient, type Reply } from './support/api.ts'
import { makeAuthority } from './support/certificates.ts'
import { USER } from './support/instance.ts'
import { talk } from './support/raw.ts'
import { withInstance } from './support/suite.ts'

const ADMIN_SECRET = secret('admin')

withInstance('secrets', { env: { HOLDFAST_PASSWORD: ADMIN_SECRET.text } }, (it) => {
  const all: Secret[] = [ADMIN_SECRET]
  const people: Record<string, string> = {}
  let admin: ApiClient
  let printed = ''

  function next(name: string): string {
    const made = secret(name)
    all.push(made)
    return made.text
  }

  before(async () => {
    admin = new ApiClient(it().ports.api, `${USER}:${ADMIN_SECRET.text}`)
    await handOver()
    printed = it().output
    await it().kill()
    await it().start()
    printed += it().output
    for (const name of ['cluster_viewer', 'db_viewer'])
      assert.equal((await admin.get('/v1/cluster', { auth: people[name] ?? '' })).status, 200)
  })

  test('there are enough of them, and each of their forms would be found', () => {
    assert.ok(all.length >= 30, `${all.length} secrets`)
    for (const { text, forms } of all) {
      const shapes = [
        text,
        encodeURIComponent(text),
        Buffer.from(text).toString('base64'),
        Buffer.from(`x:${text}`).toString('base64'),
        Buffer.from(`xy:${text}`).toString('base64url'),
        Buffer.from(text).toString('hex'),
        Buffer.from(text).toString('hex').toUpperCase(),
        JSON.stringify({ text }),
      ]
      for (const shape of shapes)
        assert.ok(
          forms.some((form) => shape.includes(form)),
          shape,
        )
    }
  })

  test('none is anywhere in the data folder', async () => {
    const files = await filesBelow(it().dataDir)
    for (const wanted of [
      'state.db',
      'logs/audit.log',
      'logs/holdfast.log',
      'shards/1/users.acl',
      'shards/1/redis.conf',
      'proxy/proxy.json',
      'proxy/endpoints.json',
      'proxy/proxy.log',
    ])
      assert.ok(
        files.some((path) => path.endsWith(wanted)),
        `${wanted} is looked at`,
      )
    for (const path of files) assertNone(await readFile(path), relative(it().dataDir, path), all)
    const audit = await readFile(join(it().dataDir, 'logs/audit.log'), 'utf8')
    assert.ok(audit.split('\n').length > 30, 'all of it was recorded')
  })

  test('hashes that engines compare passwords with lie in files of theirs, and for the owner only', async () => {
    const hashes = all.map(({ text }) => createHash('sha256').update(text).digest('hex'))
    for (const path of await filesBelow(it().dataDir)) {
      const text = await readFile(path, 'latin1')
      if (!hashes.some((hash) => text.includes(hash))) continue
      assert.match(relative(it().dataDir, path), /^shards\/\d+\/(users\.acl|spec\.json)$/)
      assert.equal((await stat(path)).mode & 0o777, 0o600, path)
    }
  })

  test('none is in the arguments or the environment of a process that was started', async () => {
    const [engines, proxies] = await Promise.all([it().engines(), it().proxies()])
    assert.ok(engines.length > 0 && proxies.length > 0)
    for (const pid of [it().pid, ...engines.map((engine) => engine.pid), ...proxies]) {
      assertNone(await readFile(`/proc/${pid}/cmdline`), `the arguments of ${pid}`, all)
      // What somebody has put into our own environment is there; it must not go any further.
      const others = pid === it().pid ? all.filter((one) => one !== ADMIN_SECRET) : all
      assertNone(await readFile(`/proc/${pid}/environ`), `the environment of ${pid}`, others)
    }
  })

  test('none was printed', () => assertNone(Buffer.from(printed), 'the terminal', all))

  test('none is shown to those who may only look, nor to an administrator when the cluster masks them', async () => {
    const masked = await admin.put('/v1/cluster', { mask_bdb_credentials: true })
    assert.equal(masked.status, 200, masked.text)
    for (const auth of [people.cluster_viewer, people.db_viewer, undefined]) {
      let answered = 0
      for (const path of readablePaths()) {
        const reply = await admin.get(path, auth === undefined ? {} : { auth })
        assertNone(Buffer.from(JSON.stringify([reply.headers, reply.text])), `${path} for ${auth ?? 'admin'}`, all)
        if (reply.status === 200) answered++
      }
      assert.ok(answered >= 15, `${answered} answers were looked at`)
    }
    await admin.put('/v1/cluster', { mask_bdb_credentials: false })
    for (const auth of [people.cluster_viewer, people.db_viewer])
      for (const path of readablePaths())
        assertNone(Buffer.from((await admin.get(path, { auth: auth ?? '' })).text), `${path} for ${auth}`, all)
  })

  /** Every way in which somebody tells us a secret: some are right, most are mistakes. */
  async function handOver(): Promise<void> {
    const database = await makeDatabase()
    await makeReceivers()
    await makePeople()
    await makeSharded()
    await signInWrongly()
    await askWrongly(database)
    admin.close()
    admin = new ApiClient(it().ports.api, `${USER}:${ADMIN_SECRET.text}`)
  }

  /** Nobody listens there: what is said about that must not hold them either. */
  async function makeReceivers(): Promise<void> {
    const mail = { smtp_host: '127.0.0.1', smtp_port: 1, email_from: 'holdfast@example.com', smtp_username: 'holdfast' }
    ok(await admin.put('/v1/cluster', { ...mail, smtp_password: next('of a mail server') }))
    ok(await admin.post('/v1/cluster/test_email', { email: 'ops@example.com' }))
    const url = `http://127.0.0.1:1/${next('in the path of a webhook')}`
    const { json } = ok(await admin.post('/v1/webhooks', { url, secret: next('of a webhook') }))
    ok(await admin.post(`/v1/webhooks/${json.uid}/test`))
  }

  async function makeDatabase(): Promise<{ uid: number; port: number }> {
    const first = next('the first password of a database')
    const own = next('an administrative password')
    const body = { name: 'secretive', memory_size: 10_000_000, authentication_redis_pass: first }
    const { json } = ok(await admin.post('/v1/bdbs', { ...body, authentication_admin_pass: own }))
    const { uid } = json
    await settled(uid)
    for (const [method, name] of [
      ['POST', 'a second password of a database'],
      ['PUT', 'the only password of a database'],
      ['POST', 'another password of a database'],
    ] as const) {
      ok(await admin.call(method, `/v1/bdbs/${uid}/passwords`, { body: { password: next(name) } }))
      await settled(uid)
    }
    refused(await admin.delete(`/v1/bdbs/${uid}/passwords`, { body: { password: next('no password of a database') } }))
    const changed = next('a changed password of a database')
    ok(await admin.put(`/v1/bdbs/${uid}`, { authentication_redis_pass: changed, data_persistence: 'aof' }))
    await settled(uid)
    ok(await admin.put(`/v1/bdbs/${uid}/reset_admin_pass`, { authentication_admin_pass: next('a reset password') }))
    await settled(uid)
    const made = ok(await admin.post('/v1/bdbs', { name: 'made-up', memory_size: 10_000_000 })).json
    await settled(made.uid)
    const text = (await admin.get(`/v1/bdbs/${made.uid}`)).json.authentication_admin_pass
    all.push(secret('a password that was made up', text))
    const { port } = (await admin.get(`/v1/bdbs/${uid}`)).json.endpoints[0]
    const client = createClient({ url: `redis://127.0.0.1:${port}`, password: changed })
    await client.connect()
    await client.set('key', 'value')
    await client.sendCommand(['AUTH', next('a wrong password at an endpoint')]).catch(() => undefined)
    await client.close()
    return { uid, port }
  }

  async function makePeople(): Promise<void> {
    for (const role of ['cluster_viewer', 'db_viewer', 'db_member']) {
      const password = next(`the password of a ${role}`)
      people[role] = `${role}@example.com:${password}`
      ok(await admin.post('/v1/users', { email: `${role}@example.com`, password, role }))
    }
    const { json } = ok(
      await admin.post('/v1/users', { email: 'a@example.com', password: next('of a user'), role: 'admin' }),
    )
    ok(await admin.put(`/v1/users/${json.uid}`, { password: next('a changed password of a user') }))
    const username = 'a@example.com'
    ok(await admin.post('/v1/users/password', { username, new_password: next('a second one') }))
    refused(await admin.delete('/v1/users/password', { body: { username, old_password: next('not one') } }))
    const only = next('the only one')
    ok(await admin.put('/v1/users/password', { username, new_password: only }))
    const token = ok(await admin.post('/v1/users/authorize', {}, { auth: `${username}:${only}` })).json.access_token
    all.push(secret('a token', token.split('.')[2]))
    assert.equal(
      (await admin.get('/v1/cluster', { auth: null, headers: { authorization: `JWT ${token}` } })).status,
      200,
    )
    const issued = await (await makeAuthority('test')).issue('api')
    const body = { name: 'api', certificate: issued.certificate, key: issued.key }
    ok(await admin.put('/v1/cluster/certificates', { certificates: [body] }))
    all.push(keyOf('a private key', issued.key))
    const bind = { bind_dn: 'cn=x', bind_pass: next('of a directory') }
    await admin.put('/v1/cluster/ldap', { uris: ['ldap://127.0.0.1:9'], control_plane: false, ...bind })
  }

  /** With keys of its own that the proxy and the shards have to have. */
  async function makeSharded(): Promise<void> {
    const authentication_redis_pass = next('the password of a sharded database')
    const sizes = { memory_size: 20_000_000, sharding: true, shards_count: 2, data_internode_encryption: true }
    const secured = { tls_mode: 'enabled', enforce_client_authentication: 'disabled' }
    const body = { name: 'sharded', authentication_redis_pass, ...sizes, ...secured }
    const { uid } = ok(await admin.post('/v1/bdbs', body)).json
    await settled(uid)
    const authority = await makeAuthority('endpoints')
    const own = await authority.issue('endpoint')
    all.push(keyOf('the private key of an endpoint', own.key))
    ok(await admin.post(`/v1/bdbs/${uid}/certificates`, { cert: own.certificate, private_key: own.key }))
    const shared = await authority.issue('all endpoints')
    all.push(keyOf('the private key of all endpoints', shared.key))
    const certificates = [{ name: 'proxy', certificate: shared.certificate, key: shared.key }]
    ok(await admin.put('/v1/cluster/certificates', { certificates }))
    const { port } = (await admin.get(`/v1/bdbs/${uid}`)).json.endpoints[0]
    const client = createClient({
      socket: { host: '127.0.0.1', port, tls: true, rejectUnauthorized: false },
      password: authentication_redis_pass,
    })
    await client.connect()
    await client.set('key', 'value')
    await client.sendCommand(['AUTH', next('a wrong password at the proxy')]).catch(() => undefined)
    await client.close()
  }

  async function signInWrongly(): Promise<void> {
    for (const name of [USER, 'nobody@example.com', 'b\u0000b'])
      refused(await admin.get('/v1/bdbs', { auth: `${name}:${next(`a wrong password of ${name}`)}` }))
    for (const header of [
      `Basic ${Buffer.from(next('no colon')).toString('base64')}`,
      `Basic ${next('not base64')}`,
      `Bearer ${next('no token').replaceAll(/[^\w]/g, '')}`,
      `Digest username="x", response="${next('a digest')}"`,
      next('no scheme'),
    ])
      refused(await admin.post('/v1/bdbs', {}, { auth: null, headers: { authorization: header } }))
    const inUrl = encodeURIComponent(next('in a URL'))
    await talk(
      it().ports.api,
      `POST https://${USER}:${inUrl}@127.0.0.1/v1/bdbs HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`,
    )
    await talk(it().ports.api, `GET /v1/bdbs HTTP/1.1\r\nauthorization: ${next('no request')}\r\nbad header\r\n\r\n`)
  }

  async function askWrongly({ uid }: { uid: number }): Promise<void> {
    const bodies: [string, string, unknown][] = [
      ['POST', '/v1/users', { email: 'x@example.com', password: next('with an unknown field'), no_such_field: 1 }],
      ['POST', '/v1/users', { email: 'x@example.com', password: [next('in a list')] }],
      ['POST', '/v1/users', { email: 'x@example.com', password: next('with a wrong role'), role: 'king' }],
      ['POST', '/v1/bdbs', { name: 'x', memory_size: 1, authentication_redis_pass: { a: next('in an object') } }],
      ['POST', '/v1/bdbs', { name: 'x', authentication_admin_pass: next('without a size') }],
      ['PUT', `/v1/bdbs/${uid}`, { authentication_sasl_pass: next('for SASL') }],
      ['PUT', `/v1/bdbs/${uid}`, { backup_location: { type: 's3', secret_access_key: next('of a bucket') } }],
      ['PUT', `/v1/bdbs/${uid}`, { replica_sources: [{ uri: `redis://x:${next('of a source')}@127.0.0.1:1` }] }],
      ['PUT', '/v1/cluster', { smtp_password: [next('of a mail server in a list')] }],
      ['POST', '/v1/webhooks', { url: `https://x:${next('in the address of a webhook')}@127.0.0.1:1/` }],
      ['PUT', `/v1/bdbs/${uid}?password=${encodeURIComponent(next('in a query'))}`, { no_such_field: 1 }],
      ['POST', `/v1/bdbs/${uid}/command`, { command: 'NOSUCH', args: ['AUTH', next('in a command')] }],
      ['POST', '/v1/bootstrap/create_cluster', { credentials: { username: 'x', password: next('too late') } }],
      ['PUT', '/v1/users/password', { username: 'nobody', new_password: next('of nobody') }],
    ]
    for (const [method, path, body] of bodies) refused(await admin.call(method, path, { body }))
    refused(await admin.call('POST', '/v1/users', { raw: `{"password":"${next('in half a body')}` }))
  }

  async function settled(uid: number): Promise<void> {
    for (;;) {
      const { json } = await admin.get(`/v1/bdbs/${uid}?fields=status`)
      if (json.status === 'active') return
      assert.notEqual(json.status, 'creation-failed')
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
})

type Secret = { readonly name: string; readonly text: string; readonly forms: readonly string[] }

/** Around what is random there are characters that have to be written otherwise in a URL. */
function secret(name: string, given?: string): Secret {
  const core = given ?? randomBytes(15).toString('hex')
  const hex = Buffer.from(core).toString('hex')
  const base64 = [0, 1, 2].map((shift) => {
    const text = Buffer.from('x'.repeat(shift) + core).toString('base64')
    // Without the characters that also depend on what stands before and after.
    return text.replace(/=+$/, '').slice(shift === 0 ? 0 : 4, -2)
  })
  const forms = [
    core,
    encodeURIComponent(core),
    hex,
    hex.toUpperCase(),
    ...base64,
    ...base64.map((text) => text.replaceAll('+', '-').replaceAll('/', '_')),
  ]
  return { name, text: given ?? `Aa1%/+${core}!`, forms: [...new Set(forms)] }
}

/** A part of it that no other key has. */
function keyOf(name: string, pem: string): Secret {
  return secret(name, pem.split('\n')[1]?.slice(10, 60))
}

function assertNone(bytes: Buffer, where: string, secrets: readonly Secret[]): void {
  const text = bytes.toString('latin1')
  for (const { name, forms } of secrets) {
    const found = forms.find((form) => text.includes(form))
    assert.equal(found, undefined, `${where}: ${name}`)
  }
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

/** Of every GET route, for what there is. */
function readablePaths(): string[] {
  return ROUTES.filter(({ method }) => method === 'GET').flatMap(({ path }) => {
    if (!path.includes('{'))
      return path === '/v1/logs' ? [path, `${path}?order=desc&limit=1000`] : [path, `${path}?extended=true`]
    return [1, 2, 3].map((uid) =>
      path.replace(
        /\{(\w+)\}/g,
        (_all, name: string) => ({ role: 'admin', certificate_name: 'api' })[name] ?? String(uid),
      ),
    )
  })
}

function ok(reply: Reply): Reply {
  assert.equal(reply.status, 200, reply.text)
  return reply
}

function refused({ status, text }: Reply): void {
  assert.ok(status >= 400 && status < 500, `${status} ${text}`)
}
