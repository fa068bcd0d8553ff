/**
 * What part of its processor time a control plane spends for one purpose, by a profile of V8's. It has to be started with
 * `PROFILABLE`, and is asked by a signal, so that being able to costs nothing until then.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Instance } from '../test/support/instance.ts'
import { until } from '../test/support/wait.ts'

/** A free port for the debugger, which it says where it is. */
export const PROFILABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' }

const SAMPLE_EVERY_US = 500
const LISTENING = /Debugger listening on (ws:\S+)/
/** Whose time this is: of everything else, in proportion. */
const NOBODY = new Set(['(root)', '(program)', '(garbage collector)'])
const IDLE = '(idle)'

type ProfileNode = {
  readonly id: number
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number }
  readonly children?: readonly number[]
}
type Profile = {
  readonly nodes: readonly ProfileNode[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

/** Between 0 and 1: of the time of all modules, that in which one whose path matches was running or had called. */
export async function shareOf(modules: RegExp, instance: Instance, ms: number): Promise<number> {
  const { nodes, samples, timeDeltas } = await profile(instance, ms)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id] as const)))
  const sources = new Map<string, Promise<ModuleAt>>()
  const isOurs = new Map<number, boolean>()
  for (const { id, callFrame } of nodes) {
    const { url, lineNumber } = callFrame
    if (!url.startsWith('file:')) continue
    if (!sources.has(url)) sources.set(url, modulesOf(url))
    isOurs.set(id, modules.test((await sources.get(url))?.(lineNumber) ?? ''))
  }
  let [all, ours] = [0, 0]
  for (const [index, id] of samples.entries()) {
    const name = byId.get(id)?.callFrame.functionName ?? IDLE
    if (name === IDLE || NOBODY.has(name)) continue
    const us = timeDeltas[index] ?? 0
    all += us
    for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
      if (!isOurs.get(at)) continue
      ours += us
      break
    }
  }
  return ours / all
}

async function profile(instance: Instance, ms: number): Promise<Profile> {
  process.kill(instance.pid, 'SIGUSR1')
  const url = await until('the debugger to listen', () => LISTENING.exec(instance.output)?.[1])
  const socket = new WebSocket(url)
  await new Promise((resolve, reject) => {
    socket.onopen = resolve
    socket.onerror = () => reject(new Error(`nobody answers at ${url}`))
  })
  const call = (method: string, params: object = {}) =>
    new Promise<{ profile: Profile }>((resolve) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)).result)
      socket.send(JSON.stringify({ id: 1, method, params }))
    })
  try {
    await call('Profiler.enable')
    await call('Profiler.setSamplingInterval', { interval: SAMPLE_EVERY_US })
    await call('Profiler.start')
    await delay(ms)
    return (await call('Profiler.stop')).profile
  } finally {
    socket.close()
  }
}

type ModuleAt = (line: number) => string

/** The bundler begins each module with a line that names it. */
async function modulesOf(url: string): Promise<ModuleAt> {
  let current = ''
  const lines = (await readFile(fileURLToPath(url), 'utf8')).split('\n').map((line) => {
    current = /^\/\/ (\S+\.[cm]?[jt]s)$/.exec(line)?.[1] ?? current
    return current
  })
  return (line) => lines[line] ?? ''
}
