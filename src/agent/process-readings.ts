/**
 * Reads from /proc what processes of ours take, that are no engines: the proxy's. Callers: the agent, once a second.
 */
import { readdir, readFile } from 'node:fs/promises'
import os from 'node:os'
import type { ProcessReading } from '#model/statistics/readings.ts'

const TICKS_PER_SECOND = 100
/** Places behind the name in /proc/PID/stat. */
const USER_TICKS = 11
const SYSTEM_TICKS = 12
const START_TICKS = 19

type Before = { readonly cpuSeconds: number; readonly clockMs: number }

export class ProcessReader {
  #before: ReadonlyMap<number, Before> = new Map()

  /** Of those that are there. The part of a core is that since the reading before; NaN: there was none. */
  async read(pids: readonly number[]): Promise<ProcessReading[]> {
    const readings = (await Promise.all(pids.map((pid) => this.#readOne(pid).catch(() => null)))).filter(
      (reading) => reading !== null,
    )
    const clockMs = performance.now()
    this.#before = new Map(
      readings.map(({ pid, userSeconds, systemSeconds }) => [
        pid,
        { cpuSeconds: userSeconds + systemSeconds, clockMs },
      ]),
    )
    return readings
  }

  async #readOne(pid: number): Promise<ProcessReading> {
    const [stat, status, files] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'latin1'),
      readFile(`/proc/${pid}/status`, 'latin1'),
      readdir(`/proc/${pid}/fd`),
    ])
    // The name may have blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const seconds = (index: number) => Number(fields[index] ?? Number.NaN) / TICKS_PER_SECOND
    const bytes = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]) * 1_024
    const [userSeconds, systemSeconds] = [seconds(USER_TICKS), seconds(SYSTEM_TICKS)]
    const before = this.#before.get(pid)
    const elapsed = before ? (performance.now() - before.clockMs) / 1_000 : Number.NaN
    return {
      pid,
      userSeconds,
      systemSeconds,
      corePart: before ? Math.max(0, userSeconds + systemSeconds - before.cpuSeconds) / elapsed : Number.NaN,
      residentBytes: bytes('VmRSS'),
      virtualBytes: bytes('VmSize'),
      openFiles: files.length,
      startedAtMs: Date.now() - (os.uptime() - seconds(START_TICKS)) * 1_000,
    }
  }
}
