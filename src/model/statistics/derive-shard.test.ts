import assert from 'node:assert/strict'
import test from 'node:test'
import { shardSample } from './derive-shard.ts'
import { type CommandReading, INFO_NUMBERS, type InfoNumber, type ShardReading } from './readings.ts'

const NOTHING_OWN = { calls: {}, connections: 0, receivedBytes: 0, sentBytes: 0, clients: 1 }

function reading(
  second: number,
  numbers: Partial<Record<InfoNumber, number>>,
  commands: readonly Partial<CommandReading>[] = [],
  own: Partial<ShardReading['own']> = {},
): ShardReading {
  const all = { process_id: 1, uptime_in_seconds: 1_000, ...numbers }
  const nothing = { name: '', kind: 'other', calls: 0, microseconds: 0, failed: 0 } as const
  return {
    uid: 1,
    atMs: 1_000_000 + second * 1_000,
    clockMs: second * 1_000,
    numbers: Float64Array.from(INFO_NUMBERS, (name) => all[name] ?? Number.NaN),
    latencies: null,
    process: null,
    commands: commands.map((command) => ({ ...nothing, ...command })),
    own: { ...NOTHING_OWN, ...own },
  }
}

test('requests are counted by what they do, and ours are not', () => {
  const before = reading(0, {}, [{ name: 'ping', calls: 10, microseconds: 10 }], { calls: { ping: 10 } })
  const after = reading(
    2,
    {},
    [
      { name: 'get', kind: 'read', calls: 100, microseconds: 400 },
      { name: 'set', kind: 'write', calls: 60, microseconds: 600 },
      { name: 'ping', calls: 18, microseconds: 26 },
      { name: 'replconf', calls: 500, microseconds: 500 },
      { name: 'info', calls: 3, microseconds: 3_000 },
    ],
    { calls: { ping: 12, info: 3 } },
  )
  const sample = shardSample(before, after, 0)
  assert.equal(sample?.get('read_req'), 50)
  assert.equal(sample?.get('write_req'), 30)
  // Eight pings, of which two were ours.
  assert.equal(sample?.get('other_req'), 3)
  assert.equal(sample?.get('total_req'), 83)
  assert.equal(sample?.ratio('avg_read_latency'), 4)
  assert.equal(sample?.ratio('avg_write_latency'), 10)
  assert.equal(sample?.ratio('avg_other_latency'), 2)
  assert.equal(sample?.get('cmd_get'), 50)
  assert.equal(sample?.get('last_req_time'), 1_002)
})

test('bytes and connections of ours are not the application’s', () => {
  const own = (receivedBytes: number) => ({
    receivedBytes,
    sentBytes: receivedBytes * 10,
    connections: receivedBytes / 100,
  })
  const numbers = (all: number) => ({
    total_net_input_bytes: all,
    total_net_output_bytes: all * 10,
    total_connections_received: all / 100,
    connected_clients: 6,
  })
  const sample = shardSample(reading(0, numbers(1_000), [], own(500)), reading(1, numbers(1_700), [], own(600)), 0)
  assert.equal(sample?.get('ingress_bytes'), 600)
  assert.equal(sample?.get('egress_bytes'), 6_000)
  assert.equal(sample?.get('total_connections_received'), 6)
  assert.equal(sample?.get('connected_clients'), 5)
})

test('a process that was replaced has counted from nothing', () => {
  const before = reading(0, { process_id: 1, keyspace_hits: 5_000 }, [{ name: 'get', kind: 'read', calls: 9_000 }])
  const after = reading(1, { process_id: 2, keyspace_hits: 7 }, [{ name: 'get', kind: 'read', calls: 8 }])
  const sample = shardSample(before, after, 0)
  assert.equal(sample?.get('read_req'), 8)
  assert.equal(sample?.get('read_hits'), 7)
})

test('counters that somebody set back count from nothing', () => {
  const before = reading(0, { evicted_keys: 50 }, [{ name: 'get', kind: 'read', calls: 9_000 }])
  const sample = shardSample(before, reading(1, { evicted_keys: 2 }, [{ name: 'get', kind: 'read', calls: 3 }]), 0)
  assert.equal(sample?.get('evicted_objects'), 2)
  assert.equal(sample?.get('read_req'), 3)
})

test('what is first seen of a process that has long run is only remembered, and a new one has begun with it', () => {
  const commands = [{ name: 'get', kind: 'read', calls: 45 }] as const
  assert.equal(shardSample(undefined, reading(0, {}, commands), 0), null)
  assert.equal(shardSample(undefined, reading(0, { uptime_in_seconds: 4 }, commands), 0)?.get('read_req'), 10)
})

test('after a long silence there is a gap', () => {
  assert.equal(shardSample(reading(0, {}), reading(60, {}), 0), null)
})

test('the clock of the day may jump: rates go by the other one', () => {
  const before = reading(0, {}, [{ name: 'get', kind: 'read', calls: 0 }])
  const after = { ...reading(1, {}, [{ name: 'get', kind: 'read', calls: 10 }]), atMs: 999_000_000 }
  const sample = shardSample(before, after, 0)
  assert.equal(sample?.get('read_req'), 10)
  assert.equal(sample?.fromMs, 998_999_000)
})

test('what the engine does not say is not known', () => {
  const sample = shardSample(reading(0, {}), reading(1, {}), 77)
  assert.equal(sample?.get('mem_not_counted_for_evict'), undefined)
  assert.equal(sample?.ratio('avg_latency'), undefined)
  assert.equal(sample?.get('last_req_time'), 77)
})
