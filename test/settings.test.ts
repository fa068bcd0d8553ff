/**
 * Objects of settings over the API: what is said about one member of them leaves the others as they are, whoever else
 * changes those at the same moment; and a secret that is kept goes to nobody but whom it was given for.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Served, serve } from './support/served.ts'

/** Both are read before either is written. */
async function putTogether({ api, state }: Served, path: string, one: object, other: object): Promise<void> {
  const { view } = state
  const commit = view.commit.bind(view)
  view.commit = async (wanted) => {
    // That somebody has signed in is written down beside.
    if (!wanted.configuration) return await commit(wanted)
    view.commit = commit
    const between = await api.put(path, other)
    assert.equal(between.status, 200, between.text)
    return await commit(wanted)
  }
  const { status, text } = await api.put(path, one)
  view.commit = commit
  assert.equal(status, 200, text)
}

test('two changes at the same time, of different members of one partial object, both stay', async (t) => {
  const served = await serve(t)
  const { api } = served
  for (const enabled of [false, true]) {
    const cron_expression = enabled ? '1 * * * *' : '2 * * * *'
    await putTogether(
      served,
      '/v1/job_scheduler',
      { node_checks_job_settings: { cron_expression } },
      { node_checks_job_settings: { enabled } },
    )
    const { node_checks_job_settings } = (await api.get('/v1/job_scheduler')).json
    assert.deepEqual(node_checks_job_settings, { cron_expression, enabled })
  }
  await putTogether(
    served,
    '/v1/cluster',
    { logrotate_settings: { rotate: 3 }, alert_settings: { node_failed: true } },
    { logrotate_settings: { maxage: 4 }, alert_settings: { cluster_ram_overcommit: true } },
  )
  const { logrotate_settings, alert_settings } = (await api.get('/v1/cluster')).json
  assert.deepEqual(logrotate_settings, { rotate: 3, maxage: 4, maxsize: '200M' })
  assert.deepEqual([alert_settings.node_failed, alert_settings.cluster_ram_overcommit], [true, true])
})

test('a password that is kept goes to the mail server that it was given for, and to no other', async (t) => {
  const { api, state } = await serve(t)
  const put = async (settings: object) => {
    const { status, json } = await api.put('/v1/cluster', settings)
    return status === 200 ? 'fine' : `${status} ${json.error_code} ${json.field}`
  }
  const kept = () => state.mailSecret.get('')?.value.password
  const missing = '400 missing_field smtp_password'
  assert.equal(await put({ smtp_host: 'mail.example.com', smtp_password: 'of-mail' }), 'fine')
  const { json: shown } = await api.get('/v1/cluster')
  assert.equal(await put({ ...shown, smtp_port: 587, smtp_username: 'holdfast' }), 'fine')
  assert.equal(await put({ smtp_host: 'other.example.com' }), missing)
  assert.equal(await put({ ...shown, smtp_host: 'other.example.com' }), missing)
  assert.equal(await put({ smtp_host: '' }), 'fine')
  assert.equal(await put({ smtp_host: 'other.example.com' }), missing)
  assert.equal(kept(), 'of-mail')
  assert.equal(await put({ smtp_host: 'other.example.com', smtp_password: 'of-other' }), 'fine')
  assert.equal(kept(), 'of-other')
  assert.equal(await put({ smtp_host: 'third.example.com', smtp_password: '' }), 'fine')
  assert.equal(await put({ smtp_host: 'fourth.example.com' }), 'fine')
})

test('a secret that is kept goes to the receiver that it was given for, in the format that it was given for', async (t) => {
  const { api, state } = await serve(t)
  const made = await api.post('/v1/webhooks', { url: 'https://ops.example.com/of-ops', secret: 'of-ops' })
  assert.equal(made.status, 200, made.text)
  const put = async (change: object) => {
    const { status, json } = await api.put(`/v1/webhooks/${made.json.uid}`, change)
    return status === 200 ? 'fine' : `${status} ${json.error_code} ${json.field}`
  }
  const kept = () => state.webhooks.get(made.json.uid)?.value.secret
  const missing = '400 missing_field secret'
  assert.equal(await put({ ...made.json, name: 'ops' }), 'fine')
  assert.equal(await put({ url: 'https://ops.example.com/other' }), 'fine')
  for (const url of ['https://evil.example.com/', 'http://ops.example.com/', 'https://ops.example.com:8443/'])
    assert.equal(await put({ url }), missing, url)
  assert.equal(await put({ format: 'alertmanager' }), missing)
  assert.equal(kept(), 'of-ops')
  assert.equal(await put({ url: 'https://other.example.com/', format: 'alertmanager', secret: 'of-other' }), 'fine')
  assert.equal(kept(), 'of-other')
  assert.equal(await put({ url: 'https://third.example.com/', secret: '' }), 'fine')
  assert.equal(await put({ url: 'https://ops.example.com/', format: 'slack' }), 'fine')
})
