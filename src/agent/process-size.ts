/**
 * What an engine's process has open and how large it is, which INFO does not tell: from /proc. Callers: the reader of
 * shards, now and then. What the kernel does not say is NaN.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import type { ProcessSize } from '#model/statistics/readings.ts'

/** Places behind the name in /proc/PID/stat. */
const THREADS = 17
const VIRTUAL_BYTES = 20

/** Null: there is no such process. `known`: what was found of this process before; its limit stays as it was. */
export async function readProcessSize(pid: number, known: ProcessSize | null = null): Promise<ProcessSize | null> {
  const folder = `/proc/${pid}`
  try {
    const [stat, openFiles, maxFiles] = await Promise.all([
      readFile(`${folder}/stat`, 'latin1'),
      openFilesIn(`${folder}/fd`),
      known?.maxFiles ?? maxFilesIn(`${folder}/limits`),
    ])
    // The name may have blanks and brackets.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const number = (index: number) => Number(fields[index] ?? Number.NaN)
    return { openFiles, maxFiles, virtualBytes: number(VIRTUAL_BYTES), threads: number(THREADS) }
  } catch {
    return null
  }
}

async function maxFilesIn(path: string): Promise<number> {
  const limits = await readFile(path, 'latin1')
  return Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Number.NaN)
}

/** The kernel gives their number as the size of the folder, since 6.2; before, they have to be counted. */
async function openFilesIn(folder: string): Promise<number> {
  const { size } = await stat(folder)
  return size > 0 ? size : (await readdir(folder)).length
}
