// Installing by a lockfile so that nobody ever sees half of it: npm works in a folder of its own below .runtime/, and
// the result is moved into place when it is complete. Whatever ends the launcher in between leaves the old state, and
// rubbish that the next installation clears away. Programs that run from the old folder keep their open files.

import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { projectRoot, runtimeFolder } from './places.mjs'
import { CannotGoOn } from './say.mjs'

const lockTimeoutSeconds = 900
/** What flock(1) ends with then; with anything else it could not try. */
const timedOut = 1

/**
 * Runs `work` while no other launcher of this project installs anything. flock(1), which every Debian has, holds the
 * lock for as long as it can read from us: however we end, the kernel ends that too, so no lock is ever left behind.
 */
export async function withLock(work) {
  try {
    mkdirSync(runtimeFolder, { recursive: true })
  } catch (error) {
    throw new CannotGoOn(unwritable(error.message))
  }
  const holder = spawn(
    'flock',
    ['-w', String(lockTimeoutSeconds), join(runtimeFolder, 'lock'), 'sh', '-c', 'echo held; exec cat >/dev/null'],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  )
  try {
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve)
      holder.once('error', (error) => reject(new CannotGoOn(`cannot run flock of util-linux: ${error.message}`)))
      holder.once('exit', (code) =>
        reject(
          new CannotGoOn(
            code === timedOut
              ? 'another launcher has been installing for 15 minutes: see what it does'
              : unwritable('flock of util-linux says why, above'),
          ),
        ),
      )
    })
    await work()
  } finally {
    holder.stdin.end()
  }
}

function unwritable(why) {
  return `something is to be installed, and ${runtimeFolder} cannot be written (${why}): start once as somebody who can`
}

/**
 * `npm ci` for the package.json and package-lock.json in `from`, then `place.from` of the outcome is moved to
 * `place.to`; before that, `check` may look at it, add to it, or throw. Call it inside withLock.
 */
export async function installLocked({ from, node, omit, place, check }) {
  clearStaging()
  const staging = join(runtimeFolder, `staging-${process.pid}`)
  mkdirSync(join(staging, 'node_modules'), { recursive: true })
  for (const name of ['package.json', 'package-lock.json']) copyFileSync(join(from, name), join(staging, name))
  copyFileSync(join(projectRoot, '.npmrc'), join(staging, '.npmrc'))
  try {
    // None of our packages needs its install script, so none gets to run.
    await runNpm(node, ['ci', '--ignore-scripts', ...omit.map((kind) => `--omit=${kind}`)], staging)
    const outcome = join(staging, place.from)
    await check(outcome)
    if (existsSync(place.to)) renameSync(place.to, `${staging}-replaced`)
    renameSync(outcome, place.to)
  } finally {
    clearStaging()
  }
}

// As far as it goes: the npm of a launcher that was killed may still be writing there. The next one clears the rest.
function clearStaging() {
  for (const name of readdirSync(runtimeFolder).filter((name) => name.startsWith('staging-'))) {
    try {
      rmSync(join(runtimeFolder, name), { recursive: true, force: true })
    } catch (error) {
      if (error.code !== 'ENOTEMPTY') throw error
    }
  }
}

/** Quiet unless it fails: then everything npm said is shown. */
async function runNpm(node, args, cwd) {
  // npm tells the programs it runs where it is itself; without that we were called by hand and take the one on the PATH.
  const cli = process.env.npm_execpath?.endsWith('npm-cli.js') ? process.env.npm_execpath : undefined
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` }
  const npm = cli ? spawn(node, [cli, ...args], { cwd, env }) : spawn('npm', args, { cwd, env })
  const said = []
  npm.stdin.end()
  npm.stdout.on('data', (chunk) => said.push(chunk))
  npm.stderr.on('data', (chunk) => said.push(chunk))
  const [code] = await new Promise((resolve, reject) => {
    npm.once('error', (error) => reject(new CannotGoOn(`cannot run npm: ${error.message}`)))
    npm.once('close', (...end) => resolve(end))
  })
  if (code === 0) return
  process.stderr.write(Buffer.concat(said))
  throw new CannotGoOn(`npm ${args[0]} failed, see above: it needs the npm registry, or a cache that has the packages`)
}
