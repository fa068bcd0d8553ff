// `npm test [-- words]`: types, then format and lint, then every test file, with the time of each. Words narrow the
// test files to those whose path contains one of them. Ends with one line, `N passed, N failed`, and exit code 1 when
// anything failed or nothing was tested.
//
// Each file is a process of its own with a folder of its own for temporary files; what it leaves running is found by
// that folder, ended, and counted as a failure of this file. Files run three at a time, because the smallest machine we
// mean has two cores, and files wait for a third of their time; those named `*.patient.test.ts`, which wait for nearly
// all of it, come first and one by one, while two others run beside them.

import { spawn } from 'node:child_process'
import { globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { projectRoot } from './places.mjs'
import { runTestFile } from './test-file.mjs'

const fileTimeoutMs = 10 * 60_000
const totalTimeoutMs = 40 * 60_000

// Short ones last, so that nothing waits for a long one at the end: in src/ those of the store take longest.
const patterns = ['test/**/*.test.ts', 'launcher/**/*.test.mjs', 'src/store/*.test.ts', 'src/**/*.test.ts']
const words = process.argv.slice(2)
const startedAt = Date.now()
const scratch = mkdtempSync(join(tmpdir(), 'hf-')) // short: unix sockets live below it, and their paths are limited
const stop = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
  process.on(signal, () => stop.abort(new Error(`stopped by ${signal}`)))
const outOfTime = setTimeout(
  () => stop.abort(new Error(`out of time: ${totalTimeoutMs / 60_000} min for everything`)),
  totalTimeoutMs,
)

const total = { passed: 0, failed: 0 }
const failures = []

try {
  await check('types', 'node_modules/typescript/bin/tsc', ['--project', '.'])
  await check('format and lint', 'node_modules/@biomejs/biome/bin/biome', ['ci', '--colors=off'])

  const all = patterns.flatMap((pattern) => globSync(pattern, { cwd: projectRoot }).sort())
  const files = [...new Set(all)].filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  if (files.length === 0)
    record({
      passed: 0,
      failed: 1,
      failures: [`no test file ${words.length ? `has ${words.join(' or ')} in its path` : 'found'}`],
    })
  const patient = files.filter(isPatient)
  const others = files.filter((file) => !isPatient(file))
  await Promise.all([runAll(others), runAll(others), runAll(patient, others)])
} finally {
  clearTimeout(outOfTime)
  rmSync(scratch, { recursive: true, force: true, maxRetries: 3 })
}

if (failures.length > 0) print(`\n${failures.join('\n\n')}\n`)
print(`${total.passed} passed, ${total.failed} failed`)
process.exitCode = total.failed > 0 || total.passed === 0 ? 1 : 0

async function check(title, script, args) {
  if (stop.signal.aborted)
    return record({ passed: 0, failed: 1, failures: [`${title}: not run, ${stop.signal.reason.message}`] })
  const since = Date.now()
  const child = spawn(process.execPath, [script, ...args], {
    cwd: projectRoot,
    stdio: ['ignore', 'pipe', 'pipe'],
    signal: stop.signal,
  })
  const said = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => said.push(chunk))
  const problem = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('close', (code, signal) => resolve(code === 0 ? null : `ended with ${signal ?? `code ${code}`}`))
  })
  line(problem === null, title, '', since)
  if (problem === null) record({ passed: 1, failed: 0, failures: [] })
  else record({ passed: 0, failed: 1, failures: [`✗ ${title}: ${problem}\n${Buffer.concat(said)}`] })
}

/** One file after another, as long as there are any left in the first queue, then in the next. */
async function runAll(...queues) {
  for (const waiting of queues) {
    for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
      const since = Date.now()
      const result = await runTestFile(file, { scratch, timeoutMs: fileTimeoutMs, signal: stop.signal })
      const skipped = result.skipped > 0 ? `, ${result.skipped} skipped` : ''
      line(result.failed === 0, file, `${result.passed} passed, ${result.failed} failed${skipped}`, since)
      record(result)
    }
  }
}

function isPatient(file) {
  return file.includes('.patient.test.')
}

function record({ passed, failed, failures: texts }) {
  total.passed += passed
  total.failed += failed
  failures.push(...texts)
}

function line(isFine, title, detail, since) {
  const at = `${Math.round((Date.now() - startedAt) / 1000)} s`.padStart(6)
  print(
    `${at} ${isFine ? '✓' : '✗'} ${title.padEnd(50)} ${detail.padEnd(24)} ${((Date.now() - since) / 1000).toFixed(1)} s`,
  )
}

function print(text) {
  process.stdout.write(`${text}\n`)
}
