/**
 * Which build of the proxy this is: a digest of the code that it runs, and the version of the Node that runs it. Callers:
 * the proxy, which tells it over its control socket, and the control plane, which compares.
 */
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** All that the proxy imports is in here; of the model it takes how slots are written, which is a standard. */
const FOLDERS = ['../proxy/', '../resp/'].map(pathOf)
const PROGRAM = pathOf('./proxy.ts')

export function proxyBuild(): string {
  const digest = createHash('sha256').update(process.version)
  const files = FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => `${folder}${name}`))
  for (const path of [PROGRAM, ...files.sort()]) digest.update(readFileSync(path))
  return digest.digest('hex')
}

function pathOf(relative: string): string {
  return fileURLToPath(new URL(relative, import.meta.url))
}
