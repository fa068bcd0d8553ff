import assert from 'node:assert/strict'
import test from 'node:test'
import { aDatabase } from '../../../test/support/model.ts'
import { impactOf } from './impact.ts'

const place = (uid: number, group: number, nodeUid: number) => ({ uid, group, nodeUid, slots: [], ports: null })
const leadsFirst = (_database: unknown, uid: number) => uid === 1

test('tells what each database would lose with a node', () => {
  const config = aDatabase().config
  const persistent = { ...config, data_persistence: 'aof' as const }
  const databases = [
    aDatabase({ uid: 1, shards: [place(1, 1, 1)] }),
    aDatabase({ uid: 2, config: persistent, shards: [place(1, 1, 1), place(2, 1, 1)] }),
    aDatabase({ uid: 3, shards: [place(1, 1, 1), place(2, 1, 2)] }),
    aDatabase({ uid: 4, shards: [place(1, 1, 2), place(2, 1, 1)] }),
    aDatabase({ uid: 5, shards: [place(1, 1, 2)] }),
  ]
  const found = impactOf(databases, 1, leadsFirst)
  assert.deepEqual(
    found.map(({ bdb_uid, loses }) => [bdb_uid, loses]),
    [
      [1, 'data'],
      [2, 'service'],
      [3, 'redundancy'],
      [4, 'redundancy'],
    ],
  )
  assert.match(found[2]?.says ?? '', /1 primary would fail over/)
  assert.match(found[3]?.says ?? '', /1 replica would be missing/)
})
