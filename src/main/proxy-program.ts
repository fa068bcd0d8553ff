/**
 * How the proxy is started on this machine: by the Node that runs us, with the cache of compiled code that ours uses.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ProxyProgram } from '#agent/proxy/program.ts'

const MAIN = fileURLToPath(new URL('./proxy.ts', import.meta.url))
/** Clients come and go on every core that the shards leave free. */
const SHARE_OF_CORES = 4

export function proxyProgram(): ProxyProgram {
  const { NODE_COMPILE_CACHE: cache } = process.env
  return {
    command: [process.execPath, '--disable-warning=ExperimentalWarning', '--max-semi-space-size=4', MAIN],
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
    workers: Math.max(1, Math.floor(availableParallelism() / SHARE_OF_CORES)),
  }
}
