/**
 * Changes of alerts reach people: by mail over a real SMTP server, and by webhooks; once each, also across a kill -9, and
 * also when nobody was there to take them at first.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { makeAuthority } from './support/certificates.ts'
import { type CleanUps, type Instance, type InstanceOptions, startInstance, USER } from './support/instance.ts'
import { startMailServer } from './support/mail-server.ts'
import { until } from './support/wait.ts'
import { startWebhookReceiver, type WebhookReceiver } from './support/webhook-receiver.ts'

function start(t: CleanUps, options: InstanceOptions = {}): Promise<Instance> {
  return startInstance(t, { args: ['--alert-period', '0.1'], ...options })
}

/** Two alerts of the cluster that anybody can raise and clear. */
const FEW_NODES = 'cluster_even_node_count'
const MANY_USERS = 'cluster_users_count_approaches_limit'

async function put(it: Instance, settings: object): Promise<void> {
  const reply = await it.api.put('/v1/cluster', settings)
  assert.equal(reply.status, 200, reply.text)
}

const few = (isOn: boolean) => ({ alert_settings: { [FEW_NODES]: isOn } })
const many = (isOn: boolean) => ({
  alert_settings: { [MANY_USERS]: { enabled: true, threshold: isOn ? '0.001' : '90' } },
})

async function webhook(it: Instance, body: object): Promise<number> {
  const reply = await it.api.post('/v1/webhooks', body)
  assert.equal(reply.status, 200, reply.text)
  return reply.json.uid
}

/** `+name` for raised, `-name` for over, in the order in which they came. */
function changes({ deliveries }: WebhookReceiver): string[] {
  return deliveries.flatMap(({ body }) =>
    JSON.parse(body).alerts.map(({ state, name }: { state: boolean; name: string }) => `${state ? '+' : '-'}${name}`),
  )
}

test('a webhook hears of each change once, signed, and a kill -9 changes nothing about that', async (t) => {
  const it = await start(t)
  const receiver = await startWebhookReceiver(t)
  await put(it, few(true))
  const uid = await webhook(it, { name: 'ops', url: `${receiver.url}/hook/of-ops`, secret: 'key-of-ops' })
  await until('the first change', () => receiver.deliveries.length === 1)
  const [{ headers, body, path } = { headers: {}, body: '', path: '' }] = receiver.deliveries
  assert.equal(path, '/hook/of-ops')
  const signature = createHmac('sha256', 'key-of-ops').update(`${headers['holdfast-timestamp']}.${body}`).digest('hex')
  assert.equal(headers['holdfast-signature'], `sha256=${signature}`)
  await until('it to be written down', async () => (await it.api.get(`/v1/webhooks/${uid}`)).json.told === 1)
  await it.kill()
  await it.start()
  await put(it, many(true))
  await until('the second change', () => receiver.deliveries.length === 2)
  await put(it, few(false))
  await put(it, many(false))
  await until('both to be over', () => changes(receiver).length === 4)
  assert.deepEqual(changes(receiver).slice(0, 2), [`+${FEW_NODES}`, `+${MANY_USERS}`])
  assert.deepEqual(changes(receiver).slice(2).sort(), [`-${FEW_NODES}`, `-${MANY_USERS}`])
  const { json: shown, text } = await it.api.get(`/v1/webhooks/${uid}`)
  assert.deepEqual([shown.told, shown.failures, shown.last_error, shown.has_secret], [0, 0, '', true])
  assert.equal(shown.url, `${receiver.url}/********`)
  assert.doesNotMatch(text, /key-of-ops|of-ops"/)
  for (const name of ['holdfast.log', 'audit.log'])
    assert.doesNotMatch(await readFile(join(it.dataDir, 'logs', name), 'utf8'), /key-of-ops|hook\/of-ops/)
})

test('what could not be delivered is delivered later, as it is then, and the log says so', async (t) => {
  const it = await start(t)
  const receiver = await startWebhookReceiver(t)
  receiver.status = 302
  receiver.location = `${receiver.url}/elsewhere`
  const uid = await webhook(it, { url: receiver.url })
  await put(it, few(true))
  const failing = await until('it to fail', async () => {
    const { json } = await it.api.get(`/v1/webhooks/${uid}`)
    return json.failures > 0 && json
  })
  assert.match(failing.last_error, /302: redirects are not followed/)
  assert.ok(receiver.deliveries.every(({ path }) => path === '/'))
  receiver.status = 500
  await put(it, many(true))
  await put(it, few(false))
  receiver.status = 200
  receiver.location = ''
  receiver.deliveries.length = 0
  await until('the rest', () => receiver.deliveries.length === 1)
  assert.deepEqual(changes(receiver), [`+${MANY_USERS}`])
  const types = await until('both events', async () => {
    const { json } = await it.api.get('/v1/logs')
    const found = json.map(({ type }: { type: string }) => type).filter((type: string) => /delivery/.test(type))
    return found.length === 2 && found
  })
  assert.deepEqual(types, ['alert_delivery_failed', 'alert_delivery_recovered'])
})

test('webhooks are checked, limited to what they want, tried on demand, and deleted', async (t) => {
  const it = await start(t)
  const authority = await makeAuthority('receivers')
  const { certificate, key } = await authority.issue('receiver')
  const receiver = await startWebhookReceiver(t, { key, cert: certificate })
  for (const [body, code, field] of [
    [{}, 'missing_field', 'url'],
    [{ url: 'ftp://127.0.0.1/' }, 'invalid_field', 'url'],
    [{ url: 'https://me:secret@127.0.0.1/' }, 'invalid_field', 'url'],
    [{ url: 'not one' }, 'invalid_field', 'url'],
    [{ url: receiver.url, format: 'pagerduty' }, 'invalid_configuration', 'secret'],
    [{ url: receiver.url, alerts: ['bdb_sise'] }, 'invalid_field', 'alerts[0]'],
    [{ url: receiver.url, ca_certificate: 'mine' }, 'invalid_certificate', 'ca_certificate'],
    [{ url: receiver.url, formt: 'json' }, 'unknown_field', 'formt'],
  ] as const) {
    const { json, status } = await it.api.post('/v1/webhooks', body)
    assert.deepEqual([json.error_code, json.field, status < 500], [code, field, true])
  }
  const uid = await webhook(it, { url: receiver.url, alerts: [MANY_USERS], format: 'json' })
  const path = `/v1/webhooks/${uid}`
  const untrusted = await it.api.post(`${path}/test`)
  assert.equal(untrusted.json.delivered, false)
  assert.match(untrusted.json.error, /certificate/)
  const { json: shown } = await it.api.get(path)
  const changed = await it.api.put(path, { ...shown, ca_certificate: authority.certificate })
  assert.equal(changed.status, 200, changed.text)
  assert.deepEqual((await it.api.post(`${path}/test`)).json, { delivered: true, error: '' })
  assert.deepEqual(changes(receiver), ['+test', '-test'])
  await put(it, { alert_settings: { ...few(true).alert_settings, ...many(true).alert_settings } })
  await until('what it wants', () => changes(receiver).length === 3)
  assert.equal(changes(receiver).at(-1), `+${MANY_USERS}`)
  assert.equal((await it.api.delete(path)).status, 200)
  assert.equal((await it.api.get(path)).status, 404)
  assert.deepEqual((await it.api.get('/v1/webhooks')).json, [])
})

test('mail goes to those who want it and may see it, over TLS and with a login', async (t) => {
  const authority = await makeAuthority('those who sign mail servers')
  const { certificate, key } = await authority.issue('mail')
  const caFile = join(await mkdtemp(join(tmpdir(), 'ca-')), 'ca.pem')
  await writeFile(caFile, authority.certificate)
  const logins: string[] = []
  const server = await startMailServer(t, {
    key,
    cert: certificate,
    refuses: 'gone@example.com',
    onAuth: ({ username, password }, _session, callback) => {
      logins.push(`${username}:${password}`)
      callback(password === 'mail-password' ? null : new Error('wrong'), { user: username ?? '' })
    },
  })
  const it = await start(t, { env: { NODE_EXTRA_CA_CERTS: caFile } })
  const mail = {
    smtp_host: '127.0.0.1',
    smtp_port: server.port,
    smtp_tls_mode: 'starttls',
    smtp_username: 'holdfast',
    smtp_password: 'wrong-password',
    email_from: 'holdfast@example.com',
    email_alerts: true,
  }
  const unset = await it.api.post('/v1/cluster/test_email', { email: 'ops@example.com' })
  assert.match(unset.json.error, /smtp_host/)
  await put(it, mail)
  const refused = await it.api.post('/v1/cluster/test_email', { email: 'ops@example.com' })
  assert.equal(refused.json.delivered, false)
  assert.match(refused.json.error, /login|auth|credentials/i)
  await put(it, { smtp_password: 'mail-password' })
  const { json: cluster, text } = await it.api.get('/v1/cluster')
  assert.equal(cluster.smtp_password, '********')
  assert.doesNotMatch(text, /mail-password/)
  await put(it, { smtp_password: cluster.smtp_password })
  assert.deepEqual((await it.api.post('/v1/cluster/test_email', { email: 'ops@example.com' })).json, {
    delivered: true,
    error: '',
  })
  assert.ok(server.mails[0]?.secure)
  assert.equal(logins.at(-1), 'holdfast:mail-password')
  server.mails.length = 0
  for (const [email, wants] of [
    ['gone@example.com', { cluster_email_alerts: true }],
    ['ops@example.com', { cluster_email_alerts: true }],
    ['deaf@example.com', { cluster_email_alerts: true, email_alerts: false }],
    ['databases@example.com', { bdbs_email_alerts: ['all'] }],
  ] as const) {
    const body = { email, name: email.slice(0, 4), password: 'of-somebody', role: 'cluster_viewer', ...wants }
    assert.equal((await it.api.post('/v1/users', body)).status, 200)
  }
  await put(it, few(true))
  await until('the mail', () => server.mails.length > 0)
  await put(it, many(true))
  await until('the other mail', () => server.mails.length > 1)
  assert.deepEqual(
    server.mails.map(({ to }) => to),
    [['ops@example.com'], ['ops@example.com']],
  )
  assert.match(server.mails[0]?.text ?? '', /Subject: .*cluster\.local.*WARNING: cluster: True high availability/)
  const { uid } = await it.create({ name: 'orders', email_alerts: true })
  // Nobody uses it: that is fewer requests than this at once.
  const quiet = await it.api.post(`/v1/bdbs/alerts/${uid}`, { bdb_low_throughput: { enabled: true, threshold: '5' } })
  assert.equal(quiet.status, 200, quiet.text)
  // Of every database, unless they have chosen some.
  const wanting = ['admin@example.com', 'databases@example.com', 'ops@example.com']
  const about = await until('the mails about the database', () => {
    const mails = server.mails.filter(({ text }) => text.includes('orders'))
    return wanting.every((one) => mails.some(({ to }) => to.includes(one))) && mails
  })
  assert.deepEqual([...new Set(about.flatMap(({ to }) => to))].sort(), wanting)
  for (const name of ['holdfast.log', 'audit.log'])
    assert.doesNotMatch(await readFile(join(it.dataDir, 'logs', name), 'utf8'), /mail-password|wrong-password/)
  assert.doesNotMatch((await readFile(join(it.dataDir, 'state.db'))).toString('latin1'), /mail-password/)
})

test('a mail server that says nothing, or is not there, costs nothing but the mail', async (t) => {
  const silent = createServer(() => undefined)
  silent.listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.after(() => void silent.close())
  const address = silent.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const it = await start(t)
  await it.api.put('/v1/users/1', { cluster_email_alerts: true })
  await put(it, { smtp_host: '127.0.0.1', smtp_port: port, email_from: 'holdfast@example.com', email_alerts: true })
  const trial = it.api.post('/v1/cluster/test_email', { email: USER })
  await put(it, few(true))
  await until('it to be raised', async () => (await it.api.get(`/v1/cluster/alerts/${FEW_NODES}`)).json.state)
  assert.equal((await trial).json.delivered, false)
  silent.close()
  const working = await startMailServer(t)
  await put(it, { smtp_port: working.port })
  await until('the mail that waited', () => working.mails.length === 1)
})
