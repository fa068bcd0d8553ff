/**
 * The services of a node: told as they are, and stopped, started and replaced where databases can be without them.
 */
import assert from 'node:assert/strict'
import { connect, createServer } from 'node:net'
import { test } from 'node:test'
import { createClient } from 'redis'
import { callOnce } from './support/redis-cluster.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const LOCAL = '/v1/local/services'

withInstance('services', {}, (it) => {
  const shown = async () => (await it().api.get(LOCAL)).json
  const operate = (operation_type: string, services: readonly string[], path = LOCAL) =>
    it().api.post(path, { operation_type, services })
  const status = async (name: string) => (await shown())[name].status

  test('are told with their names, how they are and since when', async () => {
    const services = await shown()
    const names = ['alert_mgr', 'cnm_http', 'dmcproxy', 'job_scheduler', 'ldap_agent_mgr', 'metrics_exporter']
    assert.deepEqual(Object.keys(services), [...names, 'sentinel_service', 'stats_archiver'])
    for (const name of ['alert_mgr', 'metrics_exporter', 'sentinel_service']) {
      const { status: is, start_time, uptime } = services[name]
      assert.equal(is, 'RUNNING', name)
      assert.match(start_time, /^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
      assert.match(uptime, /^\d:\d\d:\d\d$/)
    }
    assert.deepEqual(services.dmcproxy, { status: 'STOPPED', start_time: '', uptime: '' })
  })

  test('servers beside the API are stopped, stay so whatever else is changed, and are started', async () => {
    const both = { metrics_exporter: it().ports.metrics, sentinel_service: it().ports.discovery }
    const stopped = await operate('stop', Object.keys(both))
    assert.deepEqual([stopped.status, stopped.json], [200, { metrics_exporter: true, sentinel_service: true }])
    await it().api.put('/v1/cluster', { email_alerts: false, cm_session_timeout_minutes: 16 })
    for (const [name, port] of Object.entries(both)) {
      assert.equal(await status(name), 'STOPPED')
      assert.equal(await listens(port), false, name)
    }
    // Stopping what is stopped is nothing; starting makes it there again.
    assert.equal((await operate('stop', ['metrics_exporter'])).json.metrics_exporter, true)
    const started = await operate('start', Object.keys(both), '/v1/services')
    assert.deepEqual(started.json, { metrics_exporter: true, sentinel_service: true })
    for (const [name, port] of Object.entries(both)) {
      assert.equal(await status(name), 'RUNNING')
      assert.equal(await listens(port), true, name)
    }
    assert.equal((await operate('restart', ['sentinel_service'])).json.sentinel_service, true)
    assert.deepEqual(await callOnce(it().ports.discovery, ['PING']), { kind: 'status', text: 'PONG' })
    const { json: events } = await it().api.get('/v1/logs?order=desc&limit=40')
    assert.ok(events.some(({ type }: { type: string }) => type === 'services_operated'))
  })

  test('one whose port somebody else has taken cannot be started, and can later', async (t) => {
    assert.equal((await operate('stop', ['metrics_exporter'])).status, 200)
    const other = createServer()
    await new Promise<void>((resolve) => other.listen(it().ports.metrics, '0.0.0.0', resolve))
    t.after(() => void other.close())
    assert.deepEqual((await operate('start', ['metrics_exporter'])).json, { metrics_exporter: false })
    assert.equal(await status('metrics_exporter'), 'STOPPED')
    await new Promise((resolve) => other.close(resolve))
    assert.deepEqual((await operate('start', ['metrics_exporter'])).json, { metrics_exporter: true })
  })

  test('one that is disabled is not started by an operation', async () => {
    const path = '/v1/cluster/services_configuration'
    await it().api.put(path, { sentinel_service: { operating_mode: 'disabled' } })
    await until('it to be stopped', async () => (await status('sentinel_service')) === 'STOPPED')
    const { status: code, json } = await operate('start', ['sentinel_service'])
    assert.deepEqual([code, json.error_code, json.field], [406, 'unsupported_feature', 'services[0]'])
    assert.match(json.description, /disabled/)
    await it().api.put(path, { sentinel_service: { operating_mode: 'enabled' } })
    await until('it to be back', async () => (await status('sentinel_service')) === 'RUNNING')
  })

  test('the proxy is replaced by another process, and its clients are not turned away', async (t) => {
    const { endpoints } = await it().create({ name: 'proxied', sharding: true, shards_count: 2 })
    await until('the proxy to be told', async () => (await status('dmcproxy')) === 'RUNNING')
    const client = createClient({ url: `redis://127.0.0.1:${endpoints[0].port}` })
    const errors: unknown[] = []
    client.on('error', (error) => errors.push(error))
    await client.connect()
    t.after(async () => client.destroy())
    await client.set('before', '1')
    const before = await it().proxies()
    assert.deepEqual((await operate('restart', ['dmcproxy'])).json, { dmcproxy: true })
    assert.equal(await client.get('before'), '1')
    await until('other processes', async () => (await it().proxies()).some((pid) => !before.includes(pid)))
    assert.deepEqual(errors, [])
    const { status: code, json } = await operate('stop', ['dmcproxy'])
    assert.deepEqual([code, json.field], [406, 'services[0]'])
  })

  test('what cannot be done is refused before anything is done', async () => {
    for (const [body, code, error, field] of [
      [{}, 400, 'missing_field', 'operation_type'],
      [{ operation_type: 'stop' }, 400, 'missing_field', 'services'],
      [{ operation_type: 'kill', services: ['metrics_exporter'] }, 400, 'invalid_field', 'operation_type'],
      [{ operation_type: 'stop', services: 'metrics_exporter' }, 400, 'invalid_field', 'services'],
      [{ operation_type: 'stop', services: ['metrics_exporter', 'ccs'] }, 400, 'invalid_field', 'services[1]'],
      [
        { operation_type: 'restart', services: ['metrics_exporter', 'alert_mgr'] },
        406,
        'unsupported_feature',
        'services[1]',
      ],
      [{ operation_type: 'stop', services: ['__proto__'] }, 400, 'invalid_field', 'services[0]'],
      [{ operation: 'stop', services: [] }, 400, 'unknown_field', 'operation'],
    ] as const) {
      const { status: is, json } = await it().api.post('/v1/services', body)
      assert.deepEqual([is, json.error_code, json.field], [code, error, field], JSON.stringify(body))
    }
    assert.equal(await status('metrics_exporter'), 'RUNNING')
  })
})

function listens(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return new Promise((resolve) => {
    socket.on('connect', () => resolve(true))
    socket.on('error', () => resolve(false))
  }).then((is) => {
    socket.destroy()
    return is === true
  })
}
