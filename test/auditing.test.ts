/**
 * Audit events at somebody else's listener, over TCP, and the configuration of it.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { test } from 'node:test'
import { freePort } from './support/ports.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const PATH = '/v1/cluster/auditing/db_conns'

withInstance('auditing', {}, (it) => {
  test('there is no listener until one is configured, and again when it is deleted', async () => {
    const { api } = it()
    const presets = { audit_reconnect_interval: 1, audit_reconnect_max_attempts: 0, audit_queue_max_bytes: 524_288 }
    assert.deepEqual((await api.get(PATH)).json, presets)
    const nothing = await api.delete(PATH)
    assert.deepEqual([nothing.status, nothing.json.error_code], [404, 'db_conns_audit_config_not_found'])
    const incomplete = await api.put(PATH, { audit_protocol: 'TCP', audit_address: 'localhost' })
    assert.deepEqual([incomplete.status, incomplete.json.error_code], [406, 'db_conns_auditing_missing_config'])
    const local = { audit_protocol: 'local', audit_address: '/nowhere/audit.sock' }
    assert.deepEqual((await api.put(PATH, local)).json, { ...presets, ...local })
    const port = await api.put(PATH, { audit_port: 1 })
    assert.deepEqual([port.status, port.json.error_code], [406, 'db_conns_auditing_bad_config'])
    assert.equal((await api.put(PATH, { audit_reconnect_interval: 0 })).json.field, 'audit_reconnect_interval')
    assert.deepEqual((await api.put(PATH, { audit_reconnect_interval: 5 })).json.audit_address, local.audit_address)
    assert.equal((await api.delete(PATH)).status, 200)
    assert.deepEqual((await api.get(PATH)).json, presets)
    assert.equal('auditing' in (await api.get('/v1/cluster')).json, false)
  })

  test('events are sent to it, also after a restart; databases still cannot be audited', async (t) => {
    const { api } = it()
    let received = ''
    const port = await freePort()
    const sink = createServer((socket) => {
      socket
        .on('error', () => undefined)
        .on('data', (text) => {
          received += text
        })
      t.after(() => socket.destroy())
    }).listen(port, '127.0.0.1')
    t.after(() => sink.close())
    await once(sink, 'listening')
    assert.equal(
      (await api.put(PATH, { audit_protocol: 'TCP', audit_address: '127.0.0.1', audit_port: port })).status,
      200,
    )
    await api.get('/v1/bdbs', { auth: 'stranger:never-sent' })
    await until('the failed login', () => lines().some(({ originator }) => originator === 'stranger'))
    assert.doesNotMatch(received, /never-sent/)
    await it().kill()
    await it().start()
    const { uid } = await it().create({ name: 'audited' })
    await until('the creation', () =>
      lines().some(({ type, bdb_uid }) => type === 'bdb_created' && bdb_uid === String(uid)),
    )
    const refused = await api.put(`/v1/bdbs/${uid}`, { db_conns_auditing: true })
    assert.deepEqual([refused.status, refused.json.error_code], [406, 'unsupported_feature'])

    function lines() {
      return received
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line))
    }
  })
})
