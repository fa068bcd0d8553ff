/**
 * Which build of the proxy this is: a digest of its program, and the version of the Node that runs it. Callers: the proxy,
 * which tells it over its control socket, and the control plane, which compares.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

export function proxyBuild(): string {
  const program = readFileSync(new URL('./proxy.ts', import.meta.url))
  return createHash('sha256').update(process.version).update(program).digest('hex')
}
