/**
 * How the proxy is started on this machine: by the Node that runs us, with the cache of compiled code that ours uses.
 */
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { ProxyProgram } from '#agent/proxy/program.ts'
import type { NodeDocument } from '#model/documents/cluster.ts'
import { clientMemoryOf, proxyThreadsOf } from '#model/proxy.ts'
import { proxyBuild } from './proxy-build.ts'

const MAIN = fileURLToPath(new URL('./proxy.ts', import.meta.url))
/**
 * A proxy makes little garbage at a time: a small nursery, cleared by the thread that serves. Waking others for it takes
 * their time from shards and clients, and is what the slowest answers wait for.
 */
export const PROXY_FLAGS = ['--disable-warning=ExperimentalWarning', '--max-semi-space-size=4', '--single-threaded-gc']

/** `nodeOf`: as it is set for the node at that moment; undefined: nobody knows. */
export function proxyProgram(nodeOf: () => NodeDocument | undefined): ProxyProgram {
  const { NODE_COMPILE_CACHE: cache } = process.env
  return {
    command: [process.execPath, ...PROXY_FLAGS, MAIN],
    env: cache === undefined ? {} : { NODE_COMPILE_CACHE: cache },
    // As it was set, or as fits the machine.
    workers: () => proxyThreadsOf(nodeOf()?.proxy, availableParallelism()),
    clientMemoryBytes: () => clientMemoryOf(nodeOf()?.proxy),
    build: proxyBuild(),
  }
}
