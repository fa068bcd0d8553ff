// Which Node runs Holdfast: the one that runs this file when it is new enough, else one that npm brings, pinned by the
// lockfile in launcher/runtime/ and installed into .runtime/. Once it is there, npm is not asked again.
//
// 24.7 is the first Node that has everything the source relies on: types stripped by default, node:sqlite without a
// flag, and Argon2 in node:crypto.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot, runtimeFolder } from './places.mjs'
import { CannotGoOn, say, seconds } from './say.mjs'

const oldest = { major: 24, minor: 7 }
const wanted = join(projectRoot, 'launcher', 'runtime')
const installed = join(runtimeFolder, 'node')

/** The path of a Node that can run the source. */
export async function readyNode(own = process.versions.node) {
  if (isNewEnough(own)) return process.execPath
  const packageName = `node-${process.platform}-${process.arch}`
  const path = join(installed, 'node_modules', packageName, 'bin', 'node')
  if (isInstalled()) return path

  const lock = JSON.parse(readFileSync(join(wanted, 'package-lock.json'), 'utf8'))
  const version = lock.packages[`node_modules/${packageName}`]?.version
  const need = `Node ${short(own)} is older than ${oldest.major}.${oldest.minor}`
  if (!version)
    throw new CannotGoOn(`${need}, and npm has none for ${process.platform} ${process.arch}: install a newer one`)
  const { withLock, installLocked } = await import('./install.mjs')
  await withLock(async () => {
    if (isInstalled()) return // by a launcher that ran at the same time
    const startedAt = Date.now()
    say(`${need}: fetching Node ${short(version)} from npm into .runtime/ (once, about 50 MB) …`)
    await installLocked({ from: wanted, node: process.execPath, omit: [], place: { from: '.', to: installed }, check })
    say(`Node ${short(version)} is there, ${seconds(startedAt)}`)
  })
  return path

  async function check(folder) {
    const { spawnSync } = await import('node:child_process')
    const tried = spawnSync(join(folder, 'node_modules', packageName, 'bin', 'node'), ['--version'], {
      encoding: 'utf8',
    })
    if (tried.stdout?.trim() === `v${version}`) return
    const why = (tried.error?.message ?? tried.stderr ?? '').trim().split('\n')[0]
    throw new CannotGoOn(`${need}, and the one from npm does not run on this machine (${why}): install a newer one`)
  }
}

// The folder is moved into place whole, so its lockfile says what it holds.
function isInstalled() {
  try {
    const have = readFileSync(join(installed, 'package-lock.json'))
    return have.equals(readFileSync(join(wanted, 'package-lock.json')))
  } catch {
    return false
  }
}

function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor)
}

function short(version) {
  return version.split('.').slice(0, 2).join('.')
}
