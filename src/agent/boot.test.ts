import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Persistence } from '#plan/step.ts'
import { type Boot, planBoot } from './boot.ts'
import type { DataSource, ShardRecord } from './record.ts'
import { makeSpec } from './testing.ts'

const none: Persistence = { kind: 'none' }
const snapshot: Persistence = { kind: 'snapshot', rules: [{ seconds: 60, writes: 10 }] }
const aof: Persistence = { kind: 'aof', fsync: 'always' }
const spec = await makeSpec(1)

function record(dataSource: DataSource, persistence: Persistence, handOver = false): ShardRecord {
  return {
    spec: { ...spec, persistence },
    specDigest: null,
    flushes: 0,
    completeTerm: 1,
    dataSource,
    handOver,
    stopped: false,
    logMark: 0,
  }
}

type Case = {
  readonly says: string
  readonly before: ShardRecord | null
  readonly files: string
  readonly wanted: Persistence
  readonly boot: Partial<Boot>
}
const cases: readonly Case[] = [
  {
    says: 'a new shard starts with what is wanted',
    before: null,
    files: '',
    wanted: aof,
    boot: { persistence: aof, settled: true, record: { dataSource: 'aof', handOver: false } },
  },
  {
    says: 'after a crash without persistence nothing is read',
    before: record('none', none),
    files: 'dump aof',
    wanted: none,
    boot: { removeDump: true, removeAof: true },
  },
  {
    says: 'what a clean stop handed over is read once',
    before: record('none', none, true),
    files: 'dump',
    wanted: none,
    boot: { removeDump: false, record: { dataSource: 'none', handOver: true } },
  },
  {
    says: 'a hand-over whose dump was never written is none',
    before: record('none', none, true),
    files: '',
    wanted: none,
    boot: { removeDump: true, record: { dataSource: 'none', handOver: false } },
  },
  {
    says: 'a hand-over becomes a snapshot where one is wanted',
    before: record('none', none, true),
    files: 'dump',
    wanted: snapshot,
    boot: { removeDump: false, settled: true, record: { dataSource: 'snapshot', handOver: false } },
  },
  {
    says: 'a dump is read before an append-only file is begun',
    before: record('snapshot', snapshot),
    files: 'dump',
    wanted: aof,
    boot: { persistence: snapshot, settled: false, record: { dataSource: 'snapshot', handOver: false } },
  },
  {
    says: 'an append-only file that was never finished is not read',
    before: record('snapshot', snapshot),
    files: 'dump aof',
    wanted: aof,
    boot: { removeDump: false, removeAof: true, settled: false },
  },
  {
    says: 'an append-only file is read before snapshots replace it',
    before: record('aof', aof),
    files: 'aof',
    wanted: snapshot,
    boot: { persistence: aof, removeAof: false, settled: false, record: { dataSource: 'aof', handOver: false } },
  },
  {
    says: 'an append-only file is read even if nothing is promised any more',
    before: record('aof', aof),
    files: 'aof',
    wanted: none,
    boot: { persistence: aof, removeAof: false, settled: false },
  },
  {
    says: 'a dump that is older than the append-only file is not kept',
    before: record('aof', aof),
    files: 'aof dump',
    wanted: aof,
    boot: { persistence: aof, removeDump: true, removeAof: false, settled: true },
  },
  {
    says: 'where the append-only file is gone, a dump is better than nothing',
    before: record('aof', aof),
    files: 'dump',
    wanted: aof,
    boot: { settled: false, removeDump: false, record: { dataSource: 'snapshot', handOver: false } },
  },
]
for (const { says, before, files, wanted, boot } of cases) {
  test(says, () => {
    const planned = planBoot(before, { dump: files.includes('dump'), aof: files.includes('aof') }, wanted)
    assert.deepEqual({ ...planned, ...boot }, planned)
  })
}

test('never removes the file that the record says is to be read', () => {
  for (const dataSource of ['snapshot', 'aof'] as const)
    for (const persistence of [none, snapshot, aof])
      for (const wanted of [none, snapshot, aof]) {
        const planned = planBoot(record(dataSource, persistence), { dump: true, aof: true }, wanted)
        assert.equal(dataSource === 'aof' ? planned.removeAof : planned.removeDump, false)
      }
})
