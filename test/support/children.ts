/**
 * Ending the processes that tests start. What has been killed may still take its time to go, or never go at all: then
 * the test learns which it is, instead of waiting for it.
 */
import type { ChildProcess } from 'node:child_process'
import { within } from './wait.ts'

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
