import assert from 'node:assert/strict'
import test from 'node:test'
import { aDatabase, aShard } from '../../../test/support/model.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { readDatabaseShards } from './read.ts'

test('a shard that dies while it is asked is told of as dead', async () => {
  const database = aDatabase()
  let seen = aShard(database)
  const agent = {
    observed: () => new Map([[seen.uid, seen]]),
    info: async () => {
      seen = aShard(database, { state: 'exited' })
      return null
    },
  }
  const parts = {
    state: { databases: new Map([[String(database.uid), { value: database }]]), statuses: new Map() },
    agents: new Map(database.shards.map(({ nodeUid }) => [nodeUid, agent])),
    now: () => 0,
  } as unknown as Parts
  const request = { params: { bdb_uid: String(database.uid) }, query: {} } as unknown as ApiRequest
  const answer = await readDatabaseShards(request, parts)
  const [shard] = 'json' in answer ? (answer.json as { status: string; detailed_status: string }[]) : []
  assert.deepEqual([shard?.status, shard?.detailed_status], ['inactive', 'down'])
})
