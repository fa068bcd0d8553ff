/**
 * What an engine's process has open and how large it is, which INFO does not tell: from /proc. Callers: the reader of
 * shards, now and then. What the kernel does not say is NaN.
 */
import { readdir, readFile, stat } from 'node:fs/promises'
import type { ProcessSize } from '#model/statistics/readings.ts'

/** Null: there is no such process. */
export async function readProcessSize(pid: number): Promise<ProcessSize | null> {
  const folder = `/proc/${pid}`
  try {
    const [status, limits, openFiles] = await Promise.all([
      readFile(`${folder}/status`, 'latin1'),
      readFile(`${folder}/limits`, 'latin1'),
      openFilesIn(`${folder}/fd`),
    ])
    const number = (pattern: RegExp, text: string) => Number(pattern.exec(text)?.[1] ?? Number.NaN)
    return {
      openFiles,
      maxFiles: number(/^Max open files +(\d+)/m, limits),
      virtualBytes: number(/^VmSize:\s+(\d+) kB/m, status) * 1_024,
      threads: number(/^Threads:\s+(\d+)/m, status),
    }
  } catch {
    return null
  }
}

/** The kernel gives their number as the size of the folder, since 6.2; before, they have to be counted. */
async function openFilesIn(folder: string): Promise<number> {
  const { size } = await stat(folder)
  return size > 0 ? size : (await readdir(folder)).length
}
