/**
 * What the agent must still know of a shard after it was killed itself: `spec.json` in the shard's folder. Written
 * before the act that it speaks of, or after it, such that the older text is true enough at every moment between.
 *
 * Not in it: the process. The kernel's own list says which one runs (see engine/process.ts), and cannot be out of date.
 */
import { readFile } from 'node:fs/promises'
import { specDigest } from '#plan/spec-digest.ts'
import type { ShardSpec } from '#plan/step.ts'
import { readDataFiles, type ShardFolder, writeWhole } from './folder.ts'

/** Where a process that starts finds the data: nowhere, in the dump, or in the append-only file. */
export type DataSource = 'none' | 'snapshot' | 'aof'

export type ShardRecord = {
  /** The last spec that was applied. Null: the record could not be read. */
  readonly spec: ShardSpec | null
  /** Of `spec`, when the process runs with all of it; null: half applied. */
  readonly specDigest: string | null
  readonly flushes: number
  /** The term in which it last held all data; null: never. */
  readonly completeTerm: number | null
  readonly dataSource: DataSource
  /** The dump holds what a clean stop saved although nothing is promised; it is good for one start. */
  readonly handOver: boolean
  /** Somebody wanted the process to end. */
  readonly stopped: boolean
  /** How long the log was when the process was started. */
  readonly logMark: number
}

const FORMAT = 1

/** Null when there is none. One that cannot be read is made up from the files: data is kept rather than dropped. */
export async function readRecord(folder: ShardFolder): Promise<ShardRecord | null> {
  const text = await readFile(folder.record, 'utf8').catch(() => null)
  if (text === null) return null
  return parseRecord(text) ?? (await guessRecord(folder))
}

export async function guessRecord(folder: ShardFolder): Promise<ShardRecord> {
  const files = await readDataFiles(folder)
  const dataSource = files.aof ? 'aof' : files.dump ? 'snapshot' : 'none'
  return {
    spec: null,
    specDigest: null,
    flushes: 0,
    completeTerm: null,
    dataSource,
    handOver: false,
    stopped: false,
    logMark: 0,
  }
}

export async function writeRecord(
  folder: ShardFolder,
  record: ShardRecord,
  options: { durable?: boolean } = {},
): Promise<void> {
  await writeWhole(folder.record, `${JSON.stringify({ format: FORMAT, ...record })}\n`, options)
}

/** Null for what a power cut can leave. The digest vouches for the spec, so its fields need no second schema here. */
export function parseRecord(text: string): ShardRecord | null {
  try {
    const { format, ...record } = JSON.parse(text) as ShardRecord & { format: number }
    if (format !== FORMAT || record.spec === null) return null
    const intact = record.specDigest === null || record.specDigest === specDigest(record.spec)
    return { ...record, specDigest: intact ? record.specDigest : null }
  } catch {
    return null
  }
}
