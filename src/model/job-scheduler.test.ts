import assert from 'node:assert/strict'
import test from 'node:test'
import { cmSettingsParser } from './cm-settings.ts'
import { jobSchedulerParser, jobSettings } from './job-scheduler.ts'

test('refuses what is no cron expression, and says which and what would be one', () => {
  for (const wrong of ['', 'often', '* * * *', '60 * * * *', '* * * * * *', '@daily', '0 0 31 2']) {
    const parsed = jobSchedulerParser().parse({ node_checks_job_settings: { cron_expression: wrong } }, 'update')
    assert.ok(!parsed.ok, wrong)
    assert.equal(parsed.problem.field, 'node_checks_job_settings.cron_expression')
    assert.match(parsed.problem.description, /"0 3 \* \* \*"/)
  }
  for (const right of ['* * * * *', '*/5 0-6 1,15 JAN-MAR MON'])
    assert.ok(
      jobSchedulerParser().parse({ cert_rotation_job_settings: { cron_expression: right } }, 'update').ok,
      right,
    )
})

test('a part of the settings leaves the rest as it is', () => {
  const current = {
    cert_rotation_job_settings: { cron_expression: '1 * * * *', enabled: true, expiry_days_before_rotation: 9 },
  }
  const parsed = jobSchedulerParser().parse({ cert_rotation_job_settings: { enabled: false } }, 'update', current)
  assert.ok(parsed.ok)
  assert.deepEqual(jobSettings(parsed.value, 'cert_rotation'), { cron: '1 * * * *', enabled: false, expiryDays: 9 })
})

test('knows time zones by their names', () => {
  assert.ok(cmSettingsParser().parse({ timezone: 'US/Pacific' }, 'update').ok)
  const parsed = cmSettingsParser().parse({ timezone: 'Mars/Olympus' }, 'update')
  assert.ok(!parsed.ok && /Europe\/Berlin/.test(parsed.problem.description))
})
