import assert from 'node:assert/strict'
import { test } from 'node:test'
import { bodiesOf, mailOf } from './message.ts'

const AT_MS = Date.parse('2026-01-31T12:00:00Z')
const RAISED = {
  key: 'bdb:7/bdb_size',
  name: 'bdb_size',
  object: 'bdb:7',
  objectName: 'or<der>s\r\nBcc: x@example.com',
  severity: 'WARNING',
  says: 'Dataset size has reached 80% of the memory limit',
  sinceMs: AT_MS,
  value: { state: true, threshold: '80', memory_util: 81.25 },
} as const
const NEWS = {
  cluster: 'cluster.local',
  raised: [RAISED],
  cleared: [{ ...RAISED, key: 'bdb:8/bdb_size' }],
  nowMs: AT_MS,
}

test('a mail says what is wrong in its subject, and no name can add a line to its head', () => {
  const { subject, text } = mailOf(NEWS)
  assert.match(
    subject,
    /^\[cluster\.local\] WARNING: database or<der>s Bcc: x@example\.com \(bdb:7\): Dataset size has/,
  )
  assert.doesNotMatch(subject, /[\r\n]/)
  assert.ok(subject.length <= 150)
  assert.match(text, /^Raised\n\nWARNING {2}database/)
  assert.match(text, /\n {2}threshold 80, memory_util 81\.25\n/)
  assert.match(text, /\nOver\n/)
  assert.doesNotMatch(text, /\r/)
})

test('every format says the same in its own words', () => {
  const parsed = (format: 'json' | 'slack' | 'alertmanager' | 'pagerduty') =>
    bodiesOf(format, NEWS, 'routing').map((body) => JSON.parse(body))
  const [json] = parsed('json')
  assert.deepEqual(
    json.alerts.map(({ state, name, object }: Record<string, unknown>) => [state, name, object]),
    [
      [true, 'bdb_size', 'bdb:7'],
      [false, 'bdb_size', 'bdb:7'],
    ],
  )
  assert.deepEqual(json.alerts[0].change_value, RAISED.value)
  const [slack] = parsed('slack')
  assert.match(slack.text, /or&lt;der&gt;s/)
  const [manager] = parsed('alertmanager')
  assert.deepEqual(manager[0].labels, { ...manager[1].labels })
  assert.ok(Date.parse(manager[0].endsAt) > AT_MS)
  assert.equal(Date.parse(manager[1].endsAt), AT_MS)
  const events = parsed('pagerduty')
  assert.deepEqual(
    events.map(({ routing_key, event_action, dedup_key }) => [routing_key, event_action, dedup_key]),
    [
      ['routing', 'trigger', 'cluster.local/bdb:7/bdb_size'],
      ['routing', 'resolve', 'cluster.local/bdb:8/bdb_size'],
    ],
  )
  assert.equal(events[0].payload.severity, 'warning')
})
