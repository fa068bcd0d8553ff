// Runs the program itself and ends as it ends. A terminal sends Ctrl-C to everything in it at once, so it is not passed
// on there (the program would get it twice); the launcher only has to outlive the program. Other signals, and an
// interrupt where there is no terminal, reach the launcher alone and are passed on.

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { projectRoot, runtimeFolder } from './places.mjs'

/**
 * The exit code to end with. `folder`: 'callers' for where the command was typed, 'project' for our own. `more`: for the
 * environment, unless the person has set it.
 */
export function runToEnd(node, args, folder, more = {}) {
  const cwd = folder === 'callers' ? (process.env.INIT_CWD ?? process.cwd()) : projectRoot
  // Only older Nodes than the one we bring still call type stripping and SQLite experimental.
  const child = spawn(node, ['--disable-warning=ExperimentalWarning', ...args], {
    cwd,
    env: { ...more, ...environment() },
    stdio: 'inherit',
  })
  const hasTerminal = process.stdin.isTTY || process.stderr.isTTY
  for (const signal of ['SIGTERM', 'SIGHUP', 'SIGINT']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !hasTerminal) child.kill(signal)
    })
  }
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal]))
  })
}

// The databases inherit this and outlive us, so what npm adds for its scripts is left out.
function environment() {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_') && name !== 'INIT_CWD')
  // Compiled once, kept: a third of the time it takes to be ready.
  return { NODE_COMPILE_CACHE: join(runtimeFolder, 'compile-cache'), ...Object.fromEntries(own) }
}
