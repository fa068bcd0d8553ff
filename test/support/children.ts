/**
 * Ending the processes that tests start. What has been killed may still take its time to go, or never go at all: then
 * the test learns which it is, instead of waiting for it.
 */
import type { ChildProcess } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { until, within } from './wait.ts'

const KILLED_MS = 10_000

export function hasEnded({ pid, exitCode, signalCode }: ChildProcess): boolean {
  return pid === undefined || exitCode !== null || signalCode !== null
}

/** Resolves when it is gone; nothing is done to one that is, or was never there. */
export async function endChild(
  child: ChildProcess | undefined,
  signal: NodeJS.Signals = 'SIGKILL',
  withinMs = KILLED_MS,
): Promise<void> {
  if (!child || hasEnded(child)) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await within(`process ${child.pid} to exit after ${signal}`, ended, withinMs)
}

/** Stops it with SIGSTOP. Resolves when all its threads stand still: until then one may go on and answer. */
export async function standStill(child: ChildProcess | undefined): Promise<void> {
  const pid = child?.pid
  if (pid === undefined) throw new Error('it was never started')
  process.kill(pid, 'SIGSTOP')
  const folder = `/proc/${pid}/task`
  await until(`process ${pid} to stand still`, async () => {
    const stats = (await readdir(folder)).map((tid) => readFile(`${folder}/${tid}/stat`, 'utf8'))
    return (await Promise.all(stats)).every((stat) => stat.slice(stat.lastIndexOf(')') + 2).startsWith('T'))
  })
}
