/**
 * Failover drills at certain times: what can be asked for, and that they are begun. What a drill does is in
 * failover-faults.test.ts.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DrillScheduler } from '#server/drills/scheduler.ts'
import { aDatabase } from './support/model.ts'
import { serve } from './support/served.ts'
import { until } from './support/wait.ts'

test('the times of drills are checked, kept, shown and taken back', async (t) => {
  const { api, state } = await serve(t)
  await state.view.commit({ compare: [], changes: [state.databases.put('7', aDatabase())], configuration: true })
  const path = '/v1/bdbs/7/failover_drill'
  const never = { cron_expression: null, target_ms: null, last: null }
  assert.deepEqual((await api.get(path)).json, never)
  const cases: [body: object, code: string, field: string][] = [
    [{}, 'missing_field', 'cron_expression'],
    [{ cron_expression: 'now and then' }, 'invalid_field', 'cron_expression'],
    [{ cron_expression: '0 3 * *' }, 'invalid_field', 'cron_expression'],
    [{ cron_expression: 3 }, 'invalid_field', 'cron_expression'],
    [{ cron_expression: '0 3 * * *', target_ms: 0 }, 'invalid_field', 'target_ms'],
    [{ cron_expression: '0 3 * * *', target_ms: 1.5 }, 'invalid_field', 'target_ms'],
    [{ cron_expression: '0 3 * * *', often: true }, 'unknown_field', 'often'],
  ]
  for (const [body, code, field] of cases) {
    const { json } = await api.put(path, body)
    assert.deepEqual([json.error_code, json.field], [code, field], JSON.stringify(json))
  }
  const weekly = { cron_expression: '0 3 * * 1', target_ms: 250, last: null }
  assert.deepEqual((await api.put(path, { cron_expression: '0 3 * * 1' })).json, weekly)
  assert.deepEqual((await api.get(path)).json, weekly)
  assert.deepEqual((await api.delete(path)).json, never)
  assert.equal((await api.get('/v1/bdbs/8/failover_drill')).json.error_code, 'db_not_exist')
})

test('a drill is begun when it is due, and one that cannot be had is left out and told of', async (t) => {
  const { parts, state, api } = await serve(t)
  const database = { ...aDatabase(), actionUid: null, drills: { cron: '* * * * *', targetMs: 250 } }
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.UTC(2026, 0, 1, 0, 0, 30) })
  const drills = new DrillScheduler(parts)
  t.after(() => drills.close())
  // It follows what is written after it has begun.
  await state.view.commit({ compare: [], changes: [state.databases.put('7', database)], configuration: true })
  t.mock.timers.tick(20_000)
  t.mock.timers.tick(20_000)
  t.mock.timers.reset()
  const event = await until('the log to tell of it', async () => {
    const { json } = await api.get('/v1/logs')
    return json.find(({ type }: { type: string }) => type === 'bdb_drill_left_out')
  })
  assert.equal(event.bdb_uid, '7')
  assert.match(event.description, /has no replica that has all of its data/)
})
