/**
 * `npm run redis-suite -- /path/to/redis [unit/name …]`: Redis's own test suite, from a checkout of its public
 * repository at the engine's version, against a bare server, an unsharded database and a sharded one. Without names all
 * files are run; names of servers (bare, unsharded, sharded) narrow it as well. The outcome of what was run replaces what
 * is known of it in latest.json, and docs/redis-suite.md is made of all that is known.
 */
import { execFile } from 'node:child_process'
import { cp, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { reservePorts } from '../support/ports.ts'
import { type Outcome, reportOf, SERVERS, summaryOf } from './report.ts'
import { startBare, startDatabases } from './servers.ts'
import { type FileResult, runSuiteFile, type SuiteServer } from './suite-file.ts'

const REPORT = fileURLToPath(new URL('../../docs/redis-suite.md', import.meta.url))
const LATEST = fileURLToPath(new URL('./latest.json', import.meta.url))
const SHARDS = 3
const run = promisify(execFile)
const suitePorts = reservePorts()

const [checkout, ...wanted] = process.argv.slice(2)
if (checkout === undefined) throw new Error('npm run redis-suite -- /path/to/redis [unit/name …]')
const cleanUps: (() => Promise<void>)[] = []
const context = { after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) }
// What is left behind would go on running.
process.once('SIGINT', () => void cleanUp().finally(() => process.exit(130)))
process.once('SIGTERM', () => void cleanUp().finally(() => process.exit(143)))

try {
  const engine = (await run('which', ['redis-server'])).stdout.trim()
  const version = /v=(\S+)/.exec((await run(engine, ['--version'])).stdout)?.[1] ?? ''
  const copy = await copyOf(resolve(checkout))
  const all = await filesOf(copy)
  const unknown = wanted.find((name) => !all.includes(name) && !SERVERS.includes(name))
  if (unknown !== undefined) throw new Error(`the suite has no file ${unknown}`)
  const files = all.filter((name) => isWanted(name, all))
  const known = await knownOutcomes()
  for (const file of files) {
    const results = await runOnAll(copy, file, engine)
    known[file] = { ...known[file], ...results }
    await writeFile(LATEST, `${JSON.stringify(known, null, 1)}\n`)
  }
  const outcomes = all.flatMap((file): Outcome[] => (known[file] ? [{ file, results: known[file] }] : []))
  process.stdout.write(summaryOf(outcomes))
  await writeFile(REPORT, reportOf(outcomes, version, SHARDS))
} finally {
  await cleanUp()
}
process.exit(0)

type Known = Record<string, Record<string, FileResult>>

/** Of earlier runs. */
async function knownOutcomes(): Promise<Known> {
  const text = await readFile(LATEST, 'utf8').catch(() => '{}')
  return JSON.parse(text) as Known
}

/** Every file on servers of its own: some leave theirs turned inside out. */
async function runOnAll(copy: string, file: string, engine: string): Promise<Record<string, FileResult>> {
  const ends: (() => Promise<void>)[] = []
  const end = async () => {
    for (const one of ends.splice(0).reverse()) await one()
  }
  cleanUps.push(end)
  const context = { after: (one: () => Promise<void>) => void ends.push(one) }
  const results: Record<string, FileResult> = {}
  results.bare = await runOn(await startBare(context, engine), copy, file)
  // What the suite does not run against a server that is not its own, needs no databases.
  if (results.bare.passed + results.bare.failed.length > 0) {
    for (const server of await startDatabases(context, engine, SHARDS))
      if (isWanted(server.name, SERVERS)) results[server.name] = await runOn(server, copy, file)
  }
  await end()
  return results
}

async function runOn(server: SuiteServer, copy: string, file: string): Promise<FileResult> {
  const began = performance.now()
  const { databases } = await suitePorts
  const result = await runSuiteFile(copy, file, server, databases.low + 100)
  const seconds = Math.round((performance.now() - began) / 1000)
  const { passed, failed, leftOut, cutShort } = result
  process.stdout.write(
    `${file}, ${server.name}: ${passed} passed, ${failed.length} failed, ${leftOut} left out ${cutShort} (${seconds} s)\n`,
  )
  for (const { test, why } of failed) process.stdout.write(`    ${test}: ${why.slice(0, 300)}\n`)
  return result
}

/** Nobody has named another of its kind only. */
function isWanted(name: string, all: readonly string[]): boolean {
  return wanted.includes(name) || !wanted.some((other) => all.includes(other))
}

async function cleanUp(): Promise<void> {
  for (const one of cleanUps.splice(0).reverse()) await one()
}

/** The suite writes beside its tests, and looks for programs that it has built. */
async function copyOf(repository: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-suite-'))
  context.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5 }))
  await cp(join(repository, 'tests'), join(folder, 'tests'), { recursive: true })
  await mkdir(join(folder, 'tests', 'tmp'), { recursive: true })
  await mkdir(join(folder, 'src'))
  for (const program of ['redis-server', 'redis-cli', 'redis-benchmark']) {
    const found = await run('which', [program]).catch(() => null)
    if (found) await symlink(found.stdout.trim(), join(folder, 'src', program))
  }
  return folder
}

/** In the suite's own order. Those of `integration/` start servers of their own. */
async function filesOf(folder: string): Promise<string[]> {
  const text = await readFile(join(folder, 'tests', 'test_helper.tcl'), 'utf8')
  const list = /set ::all_tests \{([^}]*)\}/.exec(text)?.[1] ?? ''
  return list.split(/\s+/).filter((name) => name.startsWith('unit/'))
}
