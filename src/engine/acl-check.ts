/**
 * Whether an engine understands ACL rules, asked without running a database: it is started with the rules and with a
 * snapshot that is none. Accounts are made before the snapshot is read, so it ends either at the rules or at the
 * snapshot, within some 20 ms. Callers: the agent.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { AccountRefused, accountRules } from './accounts.ts'
import { quoteWord } from './configuration.ts'

const TIMEOUT_MS = 5_000

/** The engine's own words on what is wrong; null: nothing. Rejects when the engine says neither. */
export async function askAclProblem(enginePath: string, rules: readonly string[]): Promise<string | null> {
  try {
    accountRules({ name: 'probe', enabled: true, passwordHashes: [], rules })
  } catch (error) {
    if (error instanceof AccountRefused) return error.message
    throw error
  }
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-acl-'))
  try {
    await writeFile(join(folder, 'dump.rdb'), 'no snapshot')
    const said = await run(enginePath, [
      'port 0',
      `unixsocket ${quoteWord(join(folder, 'socket'))}`,
      `dir ${quoteWord(folder)}`,
      'dbfilename dump.rdb',
      `user probe on ${rules.map(quoteWord).join(' ')}`,
    ])
    const problem = /Error loading ACL rule (.*) for the user named 'probe': (.*)/.exec(said)
    if (problem) return `${problem[1]}: ${problem[2]}`
    const declaration = /Error in user declaration (.*)/.exec(said)?.[1]
    if (declaration !== undefined) return declaration
    if (/Wrong signature/.test(said)) return null
    throw new Error(`${enginePath} does not say whether it understands ACL rules: ${said.slice(-500)}`)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

function run(path: string, lines: readonly string[]): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(path, ['-'], { timeout: TIMEOUT_MS, env: {} }, (_error, stdout, stderr) => {
      resolve(`${stdout}${stderr}`)
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(`${lines.join('\n')}\n`)
  })
}
