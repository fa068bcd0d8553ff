/**
 * Whether an engine understands ACL rules, asked without running one: it checks its configuration line by line and ends
 * at the first bad line; a second line that no engine knows keeps it from running. About 5 ms. Callers: the agent.
 */
import { execFile } from 'node:child_process'
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
  const lines = `user probe on ${rules.map(quoteWord).join(' ')}\nholdfast-is-only-asking yes\n`
  const said = await run(enginePath, lines)
  if (/at line 2\b/.test(said)) return null
  if (!/at line 1\b/.test(said)) throw new Error(`${enginePath} does not say whether it understands ACL rules`)
  return (
    said
      .trim()
      .split('\n')
      .at(-1)
      ?.replace(/^Error in user declaration /, '') ?? 'it does not understand the rules'
  )
}

function run(path: string, configuration: string): Promise<string> {
  return new Promise((resolve) => {
    const child = execFile(path, ['-'], { timeout: TIMEOUT_MS, env: {} }, (_error, stdout, stderr) => {
      resolve(`${stdout}${stderr}`)
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(configuration)
  })
}
