import assert from 'node:assert/strict'
import test from 'node:test'
import fc from 'fast-check'
import { INFO_COLUMNS, INFO_NUMBERS, type ShardReading } from '#model/statistics/readings.ts'
import { KeptReading } from './kept-reading.ts'

const PLAIN = { noNullPrototype: true } as const
const count = fc.nat(1_000_000)
const command = fc.record(
  {
    name: fc.constantFrom('get', 'set', 'info', 'config|set'),
    kind: fc.constantFrom('read', 'write', 'other'),
    calls: count,
    microseconds: fc.oneof(count, fc.double({ min: 0, max: 1e15, noNaN: true })),
    failed: count,
  },
  PLAIN,
)
const reading = fc
  .record(
    {
      pid: fc.nat(2),
      numbers: fc.array(fc.double(), { minLength: INFO_NUMBERS.length, maxLength: INFO_NUMBERS.length }),
      atMs: count,
      commands: fc.uniqueArray(command, { selector: ({ name }) => name }),
      latencies: fc.option(fc.constant({ read: [1], write: [2], other: [3] })),
      process: fc.option(fc.constant({ openFiles: 1, maxFiles: 2, virtualBytes: 3, threads: 4 })),
      own: fc.record({ connections: count, receivedBytes: count, sentBytes: count, clients: fc.nat(1) }, PLAIN),
    },
    PLAIN,
  )
  .map(({ pid, atMs, own, ...rest }): ShardReading => {
    const numbers = Float64Array.from(rest.numbers)
    numbers[INFO_COLUMNS.get('process_id') ?? -1] = pid
    // One process is asked the same again and again.
    return { ...rest, uid: 5, atMs, clockMs: atMs / 2, numbers, own: { ...own, calls: { [`ping${pid}`]: atMs } } }
  })

const plain = ({ uid, atMs, clockMs, numbers, commands, latencies, process, own }: ShardReading) => ({
  ...{ uid, atMs, clockMs, numbers, commands, latencies, process, own },
})

test('is the last reading, whatever was kept before, and leaves what it was given as it was', () => {
  fc.assert(
    fc.property(fc.array(reading, { minLength: 1, maxLength: 6 }), (readings) => {
      const given = structuredClone(readings)
      const kept = new KeptReading(readings[0] as ShardReading)
      for (const [index, one] of readings.entries()) {
        kept.take(one)
        assert.deepEqual(structuredClone(plain(kept)), structuredClone(plain(one)))
        assert.deepEqual(readings, given, `after ${index + 1}`)
      }
    }),
  )
})
