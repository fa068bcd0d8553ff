/**
 * What an engine's process has open and how large it is, which INFO does not tell: from /proc. Callers: the reader of
 * shards, now and then. What the kernel does not say is NaN.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs'
import type { ProcessSize } from '#model/statistics/readings.ts'

/** Places behind the name in /proc/PID/stat. */
const THREADS = 17
const VIRTUAL_BYTES = 20

/**
 * Null: there is no such process. `known`: what was found of this process before; its limit stays as it was. None of it
 * waits for anything, and it takes less than handing it to another thread.
 */
export function readProcessSize(pid: number, known: ProcessSize | null = null): ProcessSize | null {
  const folder = `/proc/${pid}`
  try {
    const stat = readFileSync(`${folder}/stat`, 'utf8')
    // The name may have blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const number = (index: number) => Number(fields[index] ?? Number.NaN)
    return {
      openFiles: openFilesIn(`${folder}/fd`),
      maxFiles: known?.maxFiles ?? maxFilesIn(`${folder}/limits`),
      virtualBytes: number(VIRTUAL_BYTES),
      threads: number(THREADS),
    }
  } catch {
    return null
  }
}

function maxFilesIn(path: string): number {
  const limits = readFileSync(path, 'utf8')
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.NaN)
}

/** The kernel gives their number as the size of the folder, since 6.2; before, they have to be counted. */
function openFilesIn(folder: string): number {
  const { size } = statSync(folder)
  return size > 0 ? size : readdirSync(folder).length
}
