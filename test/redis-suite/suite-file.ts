/**
 * One file of Redis's own test suite against one server that is not the suite's own: runs it in a bounded time and reads
 * from its lines what became of each test. Callers: the program. Nothing is written to the checkout: it works in a copy
 * of its own.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

export type SuiteServer = {
  readonly name: string
  readonly port: number
  /** The suite's own words for what it may ask of this server. */
  readonly options: readonly string[]
}

export type Failure = { readonly test: string; readonly why: string }
export type FileResult = {
  readonly passed: number
  readonly failed: readonly Failure[]
  /** Tests that the suite itself does not run against such a server. */
  readonly leftOut: number
  /** Empty when the file was run to its end. */
  readonly cutShort: string
}

/** The longest takes two minutes by itself on a machine with two cores. */
const FILE_TIMEOUT_MS = 400_000
/** Without any test begun or done meanwhile. */
const STILL_TIMEOUT_MS = 60_000
const KILL_AFTER_MS = 2_000
const COLOURS = /\x1b\[[\d;]*m/g
const LINE = /^\[(ok|err|ignore|skip|exception)\]: (.*)$/

export async function runSuiteFile(
  folder: string,
  file: string,
  server: SuiteServer,
  basePort: number,
): Promise<FileResult> {
  const args = ['tests/test_helper.tcl', '--single', file, '--host', '127.0.0.1', '--port', String(server.port)]
  const more = ['--baseport', String(basePort), '--durable', '--timeout', String(STILL_TIMEOUT_MS / 1000)]
  const child = spawn('tclsh', [...args, ...more, ...server.options], {
    cwd: folder,
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const lines: string[] = []
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line.replace(COLOURS, '')))
  let isOver = false
  const endGroup = (signal: NodeJS.Signals) => {
    try {
      process.kill(-(child.pid ?? 0), signal)
    } catch {
      // It has ended.
    }
  }
  const late = setTimeout(() => {
    isOver = true
    endGroup('SIGTERM')
    setTimeout(() => endGroup('SIGKILL'), KILL_AFTER_MS).unref()
  }, FILE_TIMEOUT_MS)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(late)
  endGroup('SIGKILL')
  return readLines(lines, isOver)
}

/** What follows a failure, until the next line of the suite's own, says why. */
function readLines(lines: readonly string[], isOver: boolean): FileResult {
  let passed = 0
  const failed: { test: string; why: string }[] = []
  let leftOut = 0
  let cutShort = isOver ? `not done within ${FILE_TIMEOUT_MS / 1000} s` : ''
  let isFailing = false
  for (const line of lines) {
    if (line.startsWith('[TIMEOUT]')) cutShort = `a test did not end within ${STILL_TIMEOUT_MS / 1000} s`
    else if (cutShort !== '' && line.includes(' => ')) cutShort += `: ${line.slice(line.indexOf(' => ') + 4)}`
    if (line.startsWith('Execution time of different units') || line.includes('The End')) break
    const [, kind, text = ''] = LINE.exec(line) ?? []
    const last = failed.at(-1)
    if (kind === undefined) {
      if (/^\[\w+.*\]/.test(line)) isFailing = false
      else if (isFailing && last && line.trim() !== '') last.why += `${last.why === '' ? '' : ' '}${line.trim()}`
      continue
    }
    isFailing = kind === 'err'
    if (kind === 'ok') passed++
    else if (kind === 'err') failed.push({ test: text.replace(/ in tests\/.*$/, ''), why: '' })
    else if (kind === 'exception') cutShort = text
    else leftOut++
  }
  return { passed, failed, leftOut, cutShort }
}
