// Runs one test file to its end and says what came of it. Whatever way it ends, something is counted: a file that
// crashes, hangs, ends in the middle, has no tests or leaves processes behind has failed, whatever its tests said.

import { spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { endLeftovers } from './leftovers.mjs'
import { projectRoot, runtimeFolder } from './places.mjs'

const reporter = join(projectRoot, 'launcher', 'test-reporter.mjs')
const shownOutputBytes = 16_384
let filesRun = 0

/** Resolves to { passed, failed, skipped, failures }, the last a text for each failure. Never rejects. */
export async function runTestFile(file, { scratch, timeoutMs, signal }) {
  if (signal.aborted)
    return { passed: 0, failed: 1, skipped: 0, failures: [`✗ ${file}: not run, ${signal.reason.message}`] }
  filesRun += 1
  const own = join(scratch, String(filesRun))
  mkdirSync(own)
  const eventsPath = join(scratch, `${filesRun}.events`)
  const outputPath = join(scratch, `${filesRun}.output`)
  const output = openSync(outputPath, 'w')
  // A process group of its own: to end the file is to end what it started.
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      `--test-reporter=${reporter}`,
      `--test-reporter-destination=${eventsPath}`,
      file,
    ],
    { cwd: projectRoot, env: environment(own), stdio: ['ignore', output, output], detached: true },
  )
  closeSync(output)

  let cutShort = null
  const end = (reason) => {
    cutShort ??= reason
    endGroup(child.pid)
  }
  const onAbort = () => end(signal.reason.message)
  const timer = setTimeout(end, timeoutMs, `did not end within ${timeoutMs / 1000} s: a test or something it left open`)
  signal.addEventListener('abort', onAbort, { once: true })
  const ended = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message))
    child.once('exit', (code, by) => resolve(code === 0 ? null : `ended with ${by ?? `code ${code}`}`))
  })
  clearTimeout(timer)
  signal.removeEventListener('abort', onAbort)

  const { passed, failed, skipped, failures, isComplete, notes } = readEvents(eventsPath)
  const ofFile = []
  if (cutShort !== null) ofFile.push(cutShort)
  else if (ended !== null && (failed === 0 || !isComplete)) ofFile.push(ended)
  else if (ended === null && !isComplete)
    ofFile.push('has no tests, or ended in the middle of them as process.exit does')
  else if (ended === null && passed + failed + skipped === 0) ofFile.push('has no tests')
  const leftovers = await endLeftovers(own)
  if (leftovers.length > 0)
    ofFile.push(`left processes behind: ${leftovers.map(({ pid, command }) => `${pid} ${command}`).join('; ')}`)
  rmSync(own, { recursive: true, force: true, maxRetries: 3 })

  const texts = failures
    .map((failure) => `✗ ${file}: ${failure}`)
    .concat(ofFile.map((reason) => `✗ ${file}: the file itself ${reason}`))
  if (texts.length > 0) texts.push(...notes, ...tail(outputPath).map((text) => `  what ${file} printed:\n${text}`))
  return { passed, failed: failed + ofFile.length, skipped, failures: texts }
}

function readEvents(path) {
  const events = { passed: 0, failed: 0, skipped: 0, failures: [], notes: [], isComplete: false }
  for (const text of tryToRead(path).split('\n').filter(Boolean)) {
    const event = JSON.parse(text)
    if (event.kind === 'complete') events.isComplete = true
    else if (event.kind === 'note') events.notes.push(`  ${event.text}`)
    else if (event.kind === 'failure') events.failures.push(event.text)
    else events[event.kind] += 1
  }
  return events
}

/**
 * No setting of the person who runs the tests may reach them: least of all the folder with their real databases. What one
 * file has compiled the next one has as well: most of what short ones take is that.
 */
function environment(own) {
  const kept = Object.entries(process.env).filter(
    ([name]) => !name.startsWith('HOLDFAST_') || name === 'HOLDFAST_ENGINE',
  )
  const ours = {
    TMPDIR: own,
    XDG_DATA_HOME: join(own, 'share'),
    NODE_COMPILE_CACHE: join(runtimeFolder, 'compile-cache'),
  }
  return { ...Object.fromEntries(kept), ...ours }
}

function endGroup(pid) {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function tail(path) {
  const text = tryToRead(path).trim()
  if (text === '') return []
  return [text.length > shownOutputBytes ? `… ${text.slice(-shownOutputBytes)}` : text]
}

function tryToRead(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
