import assert from 'node:assert/strict'
import { open, readdir, readFile } from 'node:fs/promises'
import { devNull } from 'node:os'
import { test } from 'node:test'
import { readProcessSize } from './process-size.ts'

test('tells what a process has open, how large it is, and nothing of one that is gone', async () => {
  const before = readProcessSize(process.pid)
  assert.ok(before)
  const files = await Promise.all(Array.from({ length: 50 }, () => open(devNull)))
  try {
    const { openFiles = 0 } = readProcessSize(process.pid) ?? {}
    assert.ok(openFiles >= before.openFiles + 40, `${before.openFiles} and then ${openFiles}`)
  } finally {
    for (const file of files) await file.close()
  }
  const limits = await readFile('/proc/self/limits', 'latin1')
  assert.match(limits, new RegExp(`^Max open files +${before.maxFiles} `, 'm'))
  assert.ok(before.virtualBytes > process.memoryUsage().rss)
  const { length: threads } = await readdir('/proc/self/task')
  assert.ok(before.threads > 1 && Math.abs(before.threads - threads) < 20)
  assert.equal(readProcessSize(process.pid, before)?.maxFiles, before.maxFiles)
  assert.equal(readProcessSize(2 ** 30), null)
})
