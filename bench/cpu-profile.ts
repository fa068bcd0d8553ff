/**
 * What part of its processor time a control plane spends for one purpose, by a profile of V8's. It has to be started with
 * `PROFILABLE`, and is asked by a signal, so that being able to costs nothing until then.
 */
import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Instance } from '../test/support/instance.ts'
import { until, within } from '../test/support/wait.ts'

/** A free port for the debugger, which it says where it is. */
export const PROFILABLE = { NODE_OPTIONS: '--inspect-port=127.0.0.1:0' }

const SAMPLE_EVERY_US = 500
/** What the debugger may take to answer. */
const ANSWER_MS = 10_000
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

/**
 * Between 0 and 1: of the time of all modules, that in which one of these was running or had called. `modules`: paths as
 * the sources have them, or of folders with a slash at the end. Rejects when there is nothing at one of them.
 */
export async function shareOf(modules: readonly string[], instance: Instance, ms: number): Promise<number> {
  const { nodes, samples, timeDeltas } = await profile(instance, ms)
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const callers = new Map(nodes.flatMap(({ id, children }) => (children ?? []).map((child) => [child, id] as const)))
  const urls = new Set(nodes.map(({ callFrame }) => callFrame.url).filter((url) => url.startsWith('file:')))
  const sources = new Map<string, string[]>()
  for (const url of urls) sources.set(url, await modulesOf(url))
  const isIn = (path: string, one: string) => (one.endsWith('/') ? path.startsWith(one) : path === one)
  const all = [...new Set([...sources.values()].flat())]
  const missing = modules.find((one) => !all.some((path) => isIn(path, one)))
  if (missing !== undefined) throw new Error(`nothing that was running is at ${missing}`)
  const isOurs = new Map(
    nodes.map(({ id, callFrame }) => [
      id,
      modules.some((one) => isIn(sources.get(callFrame.url)?.[callFrame.lineNumber] ?? '', one)),
    ]),
  )
  let [allUs, ourUs] = [0, 0]
  for (const [index, id] of samples.entries()) {
    const name = byId.get(id)?.callFrame.functionName ?? IDLE
    if (name === IDLE || NOBODY.has(name)) continue
    const us = timeDeltas[index] ?? 0
    allUs += us
    for (let at: number | undefined = id; at !== undefined; at = callers.get(at)) {
      if (!isOurs.get(at)) continue
      ourUs += us
      break
    }
  }
  return ourUs / allUs
}

async function profile(instance: Instance, ms: number): Promise<Profile> {
  process.kill(instance.pid, 'SIGUSR1')
  const url = await until('the debugger to listen', () => LISTENING.exec(instance.output)?.[1])
  const socket = new WebSocket(url)
  const opened = new Promise((resolve) => {
    socket.onopen = resolve
  })
  await within(`the debugger at ${url}`, opened, ANSWER_MS)
  const call = (method: string, params: object = {}) => {
    const answer = new Promise<{ profile: Profile }>((resolve) => {
      socket.onmessage = ({ data }) => resolve(JSON.parse(String(data)).result)
    })
    socket.send(JSON.stringify({ id: 1, method, params }))
    return within(`an answer to ${method}`, answer, ANSWER_MS)
  }
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

/** Of each line the module that it is of: the bundler begins each with a line that names it. */
async function modulesOf(url: string): Promise<string[]> {
  let current = ''
  return (await readFile(fileURLToPath(url), 'utf8')).split('\n').map((line) => {
    current = /^\/\/ (\S+\.[cm]?[jt]s)$/.exec(line)?.[1] ?? current
    return current
  })
}
