/**
 * Which data a process starts from, and with which persistence, so that neither what the old persistence promised nor
 * what the new one promises is lost. Callers: the start step. Pure.
 *
 * An engine that is told to keep an append-only file and finds none starts empty, whatever else lies in its folder; one
 * that is told not to keep it does not read it. So the process first starts with the persistence that its data was
 * written with, and is switched over while it runs (see persistence.ts).
 */
import type { Persistence } from '#plan/step.ts'
import type { DataFiles } from './folder.ts'
import type { ShardRecord } from './record.ts'

export type Boot = {
  /** What the configuration file says. */
  readonly persistence: Persistence
  /** Data files that must go first: they are older than what is promised, or nothing is. */
  readonly removeDump: boolean
  readonly removeAof: boolean
  /** False: it still has to be switched to the persistence that is wanted. */
  readonly settled: boolean
  readonly record: Pick<ShardRecord, 'dataSource' | 'handOver'>
}

/** Once an hour if anything changed: a floor while a dump waits to be turned into an append-only file. */
const INTERIM_RULES = [{ seconds: 3600, writes: 1 }]

export function planBoot(record: ShardRecord | null, files: DataFiles, wanted: Persistence): Boot {
  const before = record?.spec?.persistence
  switch (dataAtHand(record, files)) {
    case 'nothing':
      return {
        persistence: wanted,
        removeDump: true,
        removeAof: true,
        settled: true,
        record: { dataSource: wanted.kind, handOver: false },
      }
    case 'aof': {
      const settled = wanted.kind === 'aof'
      const persistence: Persistence = settled
        ? wanted
        : before?.kind === 'aof'
          ? before
          : { kind: 'aof', fsync: 'everysec' }
      return {
        persistence,
        removeDump: true,
        removeAof: false,
        settled,
        record: { dataSource: 'aof', handOver: false },
      }
    }
    case 'dump': {
      const kept = { removeDump: false, removeAof: true }
      if (wanted.kind === 'snapshot')
        return { persistence: wanted, ...kept, settled: true, record: { dataSource: 'snapshot', handOver: false } }
      // Nothing is promised from now on, so the dump is good for this one start.
      if (wanted.kind === 'none')
        return { persistence: wanted, ...kept, settled: true, record: { dataSource: 'none', handOver: true } }
      const persistence: Persistence = before?.kind === 'snapshot' ? before : { kind: 'snapshot', rules: INTERIM_RULES }
      return { persistence, ...kept, settled: false, record: { dataSource: 'snapshot', handOver: false } }
    }
  }
}

/** What the next start reads. */
export function dataAtHand(record: ShardRecord | null, files: DataFiles): 'nothing' | 'dump' | 'aof' {
  switch (record?.dataSource ?? 'none') {
    case 'none':
      return record?.handOver && files.dump ? 'dump' : 'nothing'
    case 'snapshot':
      return files.dump ? 'dump' : 'nothing'
    case 'aof':
      return files.aof ? 'aof' : files.dump ? 'dump' : 'nothing'
  }
}
