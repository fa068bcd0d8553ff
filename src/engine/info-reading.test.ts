import assert from 'node:assert/strict'
import test from 'node:test'
import { infoNumber } from '#model/statistics/readings.ts'
import { readInfo } from './info-reading.ts'

const TEXT = [
  '# Server',
  'redis_version:7.0.15',
  'process_id:42',
  'executable:/usr/bin/redis-server',
  '',
  '# Memory',
  'used_memory:1048576',
  'used_memory_human:1.00M',
  'mem_fragmentation_ratio:3.25',
  '# Replication',
  'role:slave',
  'master_link_status:up',
  '# Commandstats',
  'cmdstat_get:calls=3,usec=9,usec_per_call=3.00,rejected_calls=1,failed_calls=2',
  'cmdstat_config|set:calls=1,usec=45,usec_per_call=45.00,rejected_calls=0,failed_calls=0',
  '# Latencystats',
  'latency_percentiles_usec_get:p50=1.003,p99=3.007,p99.9=5.023',
  '# Keyspace',
  'db0:keys=10,expires=1,avg_ttl=1000',
  'db3:keys=5,expires=3,avg_ttl=5000,subexpiry=0',
  '',
].join('\r\n')

test('reads the numbers, and says of those that are missing that they are not known', () => {
  const reading = readInfo(TEXT)
  assert.equal(infoNumber(reading, 'process_id'), 42)
  assert.equal(infoNumber(reading, 'used_memory'), 1_048_576)
  assert.equal(infoNumber(reading, 'mem_fragmentation_ratio'), 3.25)
  assert.equal(infoNumber(reading, 'master_link_up'), 1)
  assert.ok(Number.isNaN(infoNumber(reading, 'evicted_keys')))
})

test('adds the databases of the engine up', () => {
  const reading = readInfo(TEXT)
  assert.equal(infoNumber(reading, 'keys'), 15)
  assert.equal(infoNumber(reading, 'expires'), 4)
  assert.equal(infoNumber(reading, 'avg_ttl'), 4_000)
})

test('an engine without keys has none, and one that does not say may have some', () => {
  assert.equal(infoNumber(readInfo('# Keyspace\r\n'), 'keys'), 0)
  assert.ok(Number.isNaN(infoNumber(readInfo('# Server\r\n'), 'keys')))
})

test('reads what is counted per command, with its percentiles', () => {
  assert.deepEqual(readInfo(TEXT).commands, [
    { name: 'get', calls: 3, microseconds: 9, rejected: 1, failed: 2, p50: 1.003, p99: 3.007, p999: 5.023 },
    { name: 'config|set', calls: 1, microseconds: 45, rejected: 0, failed: 0 },
  ])
})

test('text that is cut off anywhere is no trouble', () => {
  for (let length = 0; length <= TEXT.length; length++) readInfo(TEXT.slice(0, length))
})
