/**
 * Settings of alerts in a real cluster, and what they do. Alerts themselves are provoked in alerts-provoked.test.ts and
 * alerts-of-the-machine.test.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Instance, startInstance } from './support/instance.ts'
import { until } from './support/wait.ts'

const FAST = ['--alert-period', '0.1']

test('settings of a database are checked, kept with it, and shown', async (t) => {
  const it = await startInstance(t, { args: FAST })
  const { uid } = await it.create()
  const path = `/v1/bdbs/alerts/${uid}`
  const { json: before } = await it.api.get(path)
  assert.deepEqual(
    { ...before.bdb_size, change_time: '' },
    {
      enabled: false,
      state: false,
      threshold: '80',
      severity: 'WARNING',
      change_time: '',
      change_value: { state: false },
    },
  )
  assert.match(before.bdb_size.change_time, /^\d{4}-.*Z$/)
  const dry = await it.api.post(`${path}?dry_run`, { bdb_size: { threshold: '90', enabled: true } })
  assert.deepEqual([dry.status, dry.json.bdb_size.threshold], [200, '90'])
  assert.equal((await it.api.get(`${path}/bdb_size`)).json.threshold, '80')
  const set = await it.api.post(path, {
    bdb_size: { threshold: '85' },
    bdb_high_syncer_lag: { threshold: '', enabled: false },
    bdb_high_latency: { threshold: '3000', enabled: true },
    bdb_backup_delayed: { threshold: '1800', enabled: true },
  })
  assert.equal(set.status, 200, set.text)
  assert.deepEqual([set.json.bdb_size.threshold, set.json.bdb_size.enabled], ['85', false])
  const again = await it.api.post(path, { ...set.json, bdb_size: { enabled: true } })
  assert.equal(again.status, 200, again.text)
  await it.kill()
  await it.start()
  const { json: kept } = await it.api.get(path)
  assert.deepEqual(
    [kept.bdb_size.enabled, kept.bdb_size.threshold, kept.bdb_high_latency.threshold],
    [true, '85', '3000'],
  )
  for (const [body, code, field] of [
    [{ bdb_sise: { enabled: true } }, 'unknown_field', 'bdb_sise'],
    [{ bdb_size: { threshold: 80 } }, 'invalid_field', 'bdb_size.threshold'],
    [{ bdb_size: { threshold: 'lots' } }, 'invalid_configuration', 'bdb_size.threshold'],
    [{ bdb_low_throughput: { enabled: true } }, 'invalid_configuration', 'bdb_low_throughput.threshold'],
    [{ bdb_size: { level: 1 } }, 'unknown_field', 'bdb_size.level'],
    [{ bdb_size: true }, 'invalid_field', 'bdb_size'],
  ] as const) {
    const { status, json } = await it.api.post(path, body)
    assert.deepEqual([status >= 400 && status < 500, json.error_code, json.field], [true, code, field])
  }
  const cluster = await it.api.put('/v1/cluster', {
    alert_settings: { node_memory: { enabled: true, threshold: '-3' } },
  })
  assert.deepEqual([cluster.status, cluster.json.field], [406, 'alert_settings.node_memory.threshold'])
  for (const [where, code] of [
    [`${path}/nothing`, 'alert_not_exist'],
    ['/v1/bdbs/alerts/99', 'db_not_exist'],
    ['/v1/nodes/alerts/99', 'node_not_found'],
    ['/v1/cluster/alerts/nothing', 'alert_not_exist'],
    [`/v1/bdbs/replica_sources/alerts/${uid}/1/replica_src_high_syncer_lag`, 'source_not_exist'],
    [`/v1/bdbs/crdt_sources/alerts/${uid}/1/nothing`, 'alert_not_exist'],
  ] as const)
    assert.deepEqual([(await it.api.get(where)).status, (await it.api.get(where)).json.error_code], [404, code])
  assert.deepEqual((await it.api.get(`/v1/bdbs/replica_sources/alerts/${uid}`)).json, {})
  assert.deepEqual((await it.api.get('/v1/bdbs/crdt_sources/alerts')).json, { [uid]: {} })
})

test('an alert that is off is shown on demand only, and one that is switched off is cleared', async (t) => {
  const it = await startInstance(t, { args: FAST })
  const path = '/v1/cluster/alerts/cluster_even_node_count'
  await until('it to be found', async () => (await it.api.get(`${path}?ignore_settings=true`)).json.state)
  assert.equal((await it.api.get(path)).json.state, false)
  assert.deepEqual(await alertEvents(it, 'even_node_count'), [])
  await it.api.put('/v1/cluster', { alert_settings: { cluster_even_node_count: true } })
  const { json: raised } = await until('it to count', async () => {
    const reply = await it.api.get(path)
    return reply.json.state && reply
  })
  assert.deepEqual(
    [raised.enabled, raised.severity, raised.change_value],
    [true, 'WARNING', { state: true, node_count: 1 }],
  )
  await it.kill()
  await it.start()
  assert.equal((await it.api.get(path)).json.state, true, 'it is remembered')
  await it.api.put('/v1/cluster', { alert_settings: { cluster_even_node_count: false } })
  await until('it to be cleared', async () => !(await it.api.get(path)).json.state)
  const events = await until('both events', async () => {
    const found = await alertEvents(it, 'even_node_count')
    assert.equal(found.length, 2, JSON.stringify(found))
    return found
  })
  assert.deepEqual(
    events.map(({ object, severity, state, enabled }) => [object, severity, state, enabled]),
    [
      ['cluster', 'WARNING', true, true],
      ['cluster', 'INFO', false, false],
    ],
  )
})

// biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
async function alertEvents(it: Instance, type: string): Promise<any[]> {
  const { json } = await it.api.get('/v1/logs')
  return json.filter((event: { type: string }) => event.type === type)
}
