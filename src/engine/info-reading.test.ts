import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { INFO_COLUMNS, type InfoNumber, infoNumber } from '#model/statistics/readings.ts'
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

test('reads what is counted per command', () => {
  assert.deepEqual(readInfo(TEXT).commands, [
    { name: 'get', calls: 3, microseconds: 9, failed: 2 },
    { name: 'config|set', calls: 1, microseconds: 45, failed: 0 },
  ])
})

test('text that is cut off anywhere is no trouble', () => {
  for (let length = 0; length <= TEXT.length; length++) readInfo(TEXT.slice(0, length))
})

test('numbers are what they read as, however they are written', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.integer(),
        fc.maxSafeNat(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.tuple(fc.nat(9_999_999), fc.nat(999_999)).map(([whole, part]) => `${whole}.${part}`),
        fc.constantFrom('0', '0.00', '1.', '.5', '007', '12345678901234567', '1e3', '', '-1', '.'),
      ),
      (written) => {
        const expected = Number(`${written}`)
        const reading = readInfo(`used_memory:${written}\r\nmaxmemory:1\r\n`)
        assert.deepEqual([infoNumber(reading, 'used_memory'), infoNumber(reading, 'maxmemory')], [expected, 1])
        const [command] = readInfo(`cmdstat_get:calls=${written},usec=2\r\n`).commands
        assert.deepEqual([command?.calls, command?.microseconds], [expected, 2])
      },
    ),
  )
})

test('lines in any order, some of them missing, say the same', () => {
  const known = [
    'used_memory:1',
    'used_memory_human:1B',
    'maxmemory:2',
    'loading:3',
    'keyspace_hits:4',
    'aof_rewrites:5',
  ]
  fc.assert(
    fc.property(fc.shuffledSubarray([...known, 'used_memory_x:9', 'other', ':6', '', '# Memory']), (told) => {
      const reading = readInfo(told.join('\r\n'))
      for (const line of known) {
        const [name = '', value] = line.split(':')
        if (!INFO_COLUMNS.has(name)) continue
        const expected = told.includes(line) ? Number(value) : Number.NaN
        assert.deepEqual(infoNumber(reading, name as InfoNumber), expected, line)
      }
    }),
  )
})
