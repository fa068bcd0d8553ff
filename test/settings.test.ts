/**
 * Objects of settings over the API: what is said about one member of them leaves the others as they are, whoever else
 * changes those at the same moment.
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
