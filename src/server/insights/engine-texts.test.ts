import assert from 'node:assert/strict'
import test from 'node:test'
import { joinCommandUse, mapsIn, parseClients, parseCommandUse, parseDelays, parseSlowLog } from './engine-texts.ts'

test('reads the slow log, and leaves out what is none', () => {
  const reply = [[7, 1_700_000_000, 12_000, ['HGETALL', 'cart'], '127.0.0.1:5', 'shop'], [], 'x']
  assert.deepEqual(parseSlowLog(reply), [
    {
      id: 7,
      atSeconds: 1_700_000_000,
      tookMicroseconds: 12_000,
      words: ['HGETALL', 'cart'],
      client: '127.0.0.1:5',
      clientName: 'shop',
    },
  ])
  assert.deepEqual(parseSlowLog(null), [])
})

test('reads what took too long, and maps within maps', () => {
  assert.deepEqual(parseDelays([['fork', 1_700_000_000, 12, 40]]), [
    { event: 'fork', atSeconds: 1_700_000_000, latestMs: 12, longestMs: 40 },
  ])
  assert.deepEqual(parseDelays([]), [])
  const histogram = ['get', ['calls', 3, 'histogram_usec', [1, 2, 4, 3]]]
  assert.deepEqual(mapsIn(histogram), { get: { calls: 3, histogram_usec: { 1: 2, 4: 3 } } })
})

test('reads clients, also those without a name', () => {
  const [first, second] = parseClients(
    'id=3 addr=127.0.0.1:9 name= user=default cmd=client|list\nid=4 name=a lib-name=x\n',
  )
  assert.equal(first?.name, '')
  assert.equal(first?.cmd, 'client|list')
  assert.equal(second?.['lib-name'], 'x')
})

test('joins what was spent on a command over shards', () => {
  const one = parseCommandUse({
    cmdstat_get: 'calls=10,usec=20,usec_per_call=2.00,rejected_calls=0,failed_calls=1',
    latency_percentiles_usec_get: 'p50=1.003,p99=3.007,p99.9=3.007',
    used_memory: '1',
  })
  const other = parseCommandUse({ cmdstat_get: 'calls=5,usec=50', 'cmdstat_config|get': 'calls=1,usec=1' })
  const joined = joinCommandUse([one, other])
  assert.deepEqual(joined.get('get'), { calls: 15, microseconds: 70, rejected: 0, failed: 1, p50: 1.003, p99: 3.007 })
  assert.equal(joined.get('config|get')?.calls, 1)
  assert.equal(joined.size, 2)
})
