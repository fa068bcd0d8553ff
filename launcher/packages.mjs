// node_modules as the lockfile says. What it was installed from is kept inside it (a copy of the lockfile, and whether
// the development packages are there too), so that the check is one comparison of two files.

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './places.mjs'
import { say, seconds } from './say.mjs'

const installed = join(projectRoot, 'node_modules')
const receiptName = '.holdfast-installed'

/** `extent` is 'production' or 'development'; the second holds the first. */
export async function readyPackages(node, extent) {
  if (isInstalled(extent)) return
  const { withLock, installLocked } = await import('./install.mjs')
  await withLock(async () => {
    if (isInstalled(extent)) return // by a launcher that ran at the same time
    if (isInstalledByHand()) return writeReceipt(installed, 'development')
    const startedAt = Date.now()
    say(
      `installing the npm packages of package-lock.json${extent === 'development' ? ', with those for development' : ''} …`,
    )
    await installLocked({
      from: projectRoot,
      node,
      omit: extent === 'development' ? [] : ['dev'],
      place: { from: 'node_modules', to: installed },
      check: (folder) => writeReceipt(folder, extent),
    })
    say(`the npm packages are there, ${seconds(startedAt)}`)
  })
}

function isInstalled(extent) {
  try {
    const receipt = readFileSync(join(installed, receiptName), 'utf8')
    const has = receipt.slice(0, receipt.indexOf('\n'))
    return receipt === receiptFor(has) && (has === 'development' || extent === 'production')
  } catch {
    return false
  }
}

// Whoever works on Holdfast runs `npm install` too. npm's own record in node_modules, which it writes last, says
// whether that left what the lockfile asks for; then there is nothing to do. Packages for other machines may be missing.
function isInstalledByHand() {
  try {
    const have = JSON.parse(readFileSync(join(installed, '.package-lock.json'), 'utf8')).packages
    const want = JSON.parse(readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')).packages
    const isThere = ([path, { optional, integrity }]) =>
      path === '' || (path in have ? have[path].integrity === integrity : optional === true)
    return Object.entries(want).every(isThere) && Object.keys(have).every((path) => path in want)
  } catch {
    return false
  }
}

function writeReceipt(folder, extent) {
  writeFileSync(join(folder, receiptName), receiptFor(extent))
}

function receiptFor(extent) {
  return `${extent}\n${readFileSync(join(projectRoot, 'package-lock.json'), 'utf8')}`
}
