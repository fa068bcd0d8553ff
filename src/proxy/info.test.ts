import assert from 'node:assert/strict'
import test from 'node:test'
import { joinInfo } from './info.ts'

const ONE_SERVER = { speaksCluster: false }
const text = (...lines: string[]) => `${lines.join('\r\n')}\r\n`

test('what goes on at one shard goes on, whichever it is', () => {
  const shard = (saving: number, loading: number) =>
    text('# Persistence', `loading:${loading}`, `rdb_bgsave_in_progress:${saving}`, 'aof_enabled:1')
  const joined = joinInfo([shard(0, 0), shard(0, 1), shard(1, 0)], ONE_SERVER)
  assert.equal(joined, shard(1, 1))
})

test('counters of commands and errors are added up, also those that one shard alone has', () => {
  const first = text(
    '# Commandstats',
    'cmdstat_get:calls=1,usec=10,usec_per_call=10.00,rejected_calls=0,failed_calls=0',
  )
  const second = text(
    '# Commandstats',
    'cmdstat_get:calls=3,usec=10,usec_per_call=3.33,rejected_calls=1,failed_calls=0',
    'cmdstat_set:calls=2,usec=5,usec_per_call=2.50,rejected_calls=0,failed_calls=0',
  )
  const lines = joinInfo([first, second], ONE_SERVER).split('\r\n')
  assert.ok(lines.includes('cmdstat_get:calls=4,usec=20,usec_per_call=5.00,rejected_calls=1,failed_calls=0'))
  assert.ok(lines.includes('cmdstat_set:calls=2,usec=5,usec_per_call=2.50,rejected_calls=0,failed_calls=0'))
  const errors = [text('# Errorstats', 'errorstat_ERR:count=2'), text('# Errorstats', 'errorstat_NOGROUP:count=1')]
  assert.deepEqual(joinInfo(errors, ONE_SERVER).split('\r\n').filter(Boolean), [
    '# Errorstats',
    'errorstat_ERR:count=2',
    'errorstat_NOGROUP:count=1',
  ])
})

test('it is told that there is a cluster where clients may know of it, and nowhere else', () => {
  const said = (mode: string, isCluster: number) =>
    text('# Server', `redis_mode:${mode}`, '# Replication', 'role:master', '# Cluster', `cluster_enabled:${isCluster}`)
  const shards = [said('cluster', 1), said('cluster', 1)]
  assert.equal(joinInfo(shards, { speaksCluster: true }), said('cluster', 1))
  assert.equal(joinInfo(shards, ONE_SERVER), said('standalone', 0))
})
