import assert from 'node:assert/strict'
import { test } from 'node:test'
import { uptimeText } from './service-operation.ts'

test('how long a service runs is told in days and a clock', () => {
  for (const [seconds, text] of [
    [0, '0:00:00'],
    [59.9, '0:00:59'],
    [3_661, '1:01:01'],
    [86_399, '23:59:59'],
    [86_400, '1 day, 0:00:00'],
    [3 * 86_400 + 3_539, '3 days, 0:58:59'],
  ] as const)
    assert.equal(uptimeText(seconds), text)
})
