/**
 * What a shard would find if it was started now: how large it is, and how old. Callers: the agent, for whoever asks what
 * a database can be recovered from.
 */
import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataFile } from '#plan/agent.ts'
import { dataAtHand } from './boot.ts'
import { NAMES, readDataFiles, type ShardFolder } from './folder.ts'
import type { ShardRecord } from './record.ts'

export async function readDataFile(folder: ShardFolder, record: ShardRecord | null): Promise<DataFile | null> {
  switch (dataAtHand(record, await readDataFiles(folder))) {
    case 'nothing':
      return null
    case 'dump':
      return await measured(NAMES.dump, [join(folder.path, NAMES.dump)])
    case 'aof': {
      const path = join(folder.path, NAMES.aofFolder)
      const parts = await readdir(path).catch(() => [])
      if (parts.length === 0) return await measured(NAMES.aof, [join(folder.path, NAMES.aof)])
      return await measured(
        NAMES.aofFolder,
        parts.map((part) => join(path, part)),
      )
    }
  }
}

/** Null when it has gone meanwhile; the engine replaces parts of it at any time. */
async function measured(name: string, paths: readonly string[]): Promise<DataFile | null> {
  const found = (await Promise.all(paths.map((path) => stat(path).catch(() => null)))).filter((one) => one !== null)
  if (found.length === 0) return null
  const bytes = found.reduce((sum, { size }) => sum + size, 0)
  return { name, bytes, changedAtMs: Math.max(...found.map(({ mtimeMs }) => mtimeMs)) }
}
