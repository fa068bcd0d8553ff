// The runner must never call a file good that is not: each test here writes a small test file and looks at the verdict.

import assert from 'node:assert/strict'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'node:test'
import { runTestFile } from './test-file.mjs'

const inTests = "import test from 'node:test'\n"
const never = new AbortController().signal

async function verdict(t, text, { timeoutMs = 20_000, signal = never } = {}) {
  const scratch = mkdtempSync(join(tmpdir(), 'run-'))
  t.after(() => rmSync(scratch, { recursive: true, force: true }))
  const file = join(scratch, 'sample.test.mjs')
  writeFileSync(file, text)
  const { passed, failed, skipped, failures } = await runTestFile(file, { scratch, timeoutMs, signal })
  return { counts: [passed, failed, skipped], why: failures.join('\n') }
}

test('counts what passed, failed and was skipped, and shows the failure with the output', async (t) => {
  const text = `${inTests}test('a', () => {}); test('b', () => { console.log('hint'); throw new Error('bang') }); test('c', { skip: 'why' })`
  const { counts, why } = await verdict(t, text)
  assert.deepEqual(counts, [1, 1, 1])
  assert.match(why, /b \(.*sample\.test\.mjs:2\).*\n.*Error: bang[\s\S]*hint/)
})

const broken = [
  ['that cannot be loaded', 'await import("nowhere-to-be-found")', /ended with code 1/],
  ['without a test', 'export {}', /has no tests/],
  ['that imports node:test and has none', inTests, /has no tests/],
  ['that exits in the middle', `${inTests}test('a', () => process.exit(0)); test('b', () => {})`, /in the middle/],
  ['that crashes', `${inTests}test('a', () => process.kill(process.pid, 'SIGSEGV'))`, /ended with SIGSEGV/],
  [
    'that throws after its tests',
    `${inTests}test('a', () => {}); process.on('exit', () => { throw new Error('late') })`,
    /ended with code/,
  ],
]
for (const [which, text, why] of broken) {
  test(`fails a file ${which}`, async (t) => {
    const seen = await verdict(t, text)
    assert.equal(seen.counts[1], 1)
    assert.match(seen.why, why)
  })
}

test('fails a hook that fails, although the tests of its suite passed', async (t) => {
  const text =
    "import test, { after, describe } from 'node:test'\ndescribe('s', () => { after(() => { throw new Error('bang') }); test('a', () => {}) })"
  const { counts, why } = await verdict(t, text)
  assert.deepEqual(counts, [1, 1, 0])
  assert.match(why, /bang/)
})

test('ends a file that does not end, with all it started', async (t) => {
  const text = `${inTests}import { spawn } from 'node:child_process'\ntest('a', () => { spawn('sleep', ['1000']) }); setInterval(() => {}, 1000)`
  const { counts, why } = await verdict(t, text, { timeoutMs: 1500 })
  assert.deepEqual(counts, [1, 1, 0])
  assert.match(why, /did not end within 1\.5 s/)
})

test('names and ends a process that was left behind, however well it hid', async (t) => {
  const text = `${inTests}import { spawn } from 'node:child_process'\ntest('a', () => { spawn('sleep', ['4242'], { detached: true, stdio: 'ignore', cwd: '/' }).unref() })`
  const { counts, why } = await verdict(t, text)
  assert.deepEqual(counts, [1, 1, 0])
  const [, pid] = /left processes behind: (\d+) sleep 4242$/m.exec(why) ?? []
  await assert.doesNotReject(goneSoon(Number(pid)))
})

test('does not begin a file when all is to end', async (t) => {
  const { counts, why } = await verdict(t, inTests, { signal: AbortSignal.abort(new Error('stopped by SIGINT')) })
  assert.deepEqual(counts, [0, 1, 0])
  assert.match(why, /not run, stopped by SIGINT/)
})

async function goneSoon(pid) {
  const deadline = Date.now() + 5000
  while (Date.now() < deadline) {
    // One that has ended may wait for a long time until somebody notices; it has no command line any more.
    if (!existsSync(`/proc/${pid}`) || readFileSync(`/proc/${pid}/cmdline`, 'utf8') === '') return
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  throw new Error(`process ${pid} is still there`)
}
