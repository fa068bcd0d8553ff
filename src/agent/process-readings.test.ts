import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ProcessReader } from './process-readings.ts'

test('what a process takes agrees with what it says itself, and one that is not there is left out', async () => {
  const reader = new ProcessReader()
  const [first] = await reader.read([process.pid, 2 ** 22 + 1])
  assert.ok(first)
  assert.ok(Number.isNaN(first.corePart))
  const began = process.cpuUsage()
  const until = performance.now() + 300
  while (performance.now() < until);
  const { user, system } = process.cpuUsage(began)
  const [second, ...others] = await reader.read([process.pid])
  assert.ok(second)
  assert.equal(others.length, 0)
  const used = second.userSeconds + second.systemSeconds - first.userSeconds - first.systemSeconds
  // The kernel tells it in hundredths, for each of two kinds of time.
  assert.ok(Math.abs(used - (user + system) / 1e6) < 0.1, `${used} of ${(user + system) / 1e6}`)
  assert.ok(second.corePart > 0)
  const { rss } = process.memoryUsage()
  assert.ok(second.residentBytes > rss / 2 && second.residentBytes < rss * 2)
  assert.ok(second.virtualBytes >= second.residentBytes)
  assert.ok(second.openFiles > 0)
  assert.ok(Math.abs(Date.now() - second.startedAtMs - process.uptime() * 1_000) < 2_000)
})
