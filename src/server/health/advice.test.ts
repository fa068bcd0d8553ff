import assert from 'node:assert/strict'
import test from 'node:test'
import { adviceFor, type DatabaseFacts } from './advice.ts'

const WELL: DatabaseFacts = {
  isReachable: true,
  isBound: true,
  isTrafficStopped: false,
  replicasKeepUp: true,
  waitingFor: '',
  isReplicated: true,
  isPersistent: true,
  evicts: false,
  isOpenToOthers: false,
  memoryLimitBytes: 1e9,
  usedMemoryBytes: 1e8,
  residentBytes: 1.1e8,
  hitsPerSecond: 1000,
  missesPerSecond: 10,
  evictionsPerSecond: 0,
  connections: 10,
  connectionLimit: 10_000,
}

test('says nothing of a database that is well, also when nothing has been measured yet', () => {
  assert.deepEqual(adviceFor(WELL), [])
  const unknown = {
    usedMemoryBytes: undefined,
    residentBytes: undefined,
    hitsPerSecond: undefined,
    connections: undefined,
  }
  assert.deepEqual(adviceFor({ ...WELL, ...unknown, missesPerSecond: undefined, evictionsPerSecond: undefined }), [])
})

test('tells each thing that is wrong, the worst first, and what to do', () => {
  const cases: [Partial<DatabaseFacts>, RegExp][] = [
    [{ isReachable: false, isBound: false }, /does not answer/],
    [{ isBound: false }, /endpoint’s port/],
    [{ isBound: false, isTrafficStopped: true }, /Traffic is stopped/],
    [{ waitingFor: 'reading its data' }, /reading its data/],
    [{ replicasKeepUp: false }, /behind its primary/],
    [{ usedMemoryBytes: 0.95e9 }, /95 % .*refused/],
    [{ usedMemoryBytes: 0.95e9, evicts: true }, /95 % .*evicted/],
    [{ residentBytes: 3e8, usedMemoryBytes: 1.2e8 }, /2\.5 times/],
    [{ hitsPerSecond: 10, missesPerSecond: 1000 }, /half/],
    [{ connections: 9_500 }, /9500 of 10000/],
    [{ isReplicated: false, isPersistent: false }, /lost with it/],
    [{ isOpenToOthers: true }, /no password/],
  ]
  for (const [changes, problem] of cases) {
    const [first, ...others] = adviceFor({ ...WELL, ...changes })
    assert.match(first?.problem ?? '', problem)
    assert.notEqual(first?.advice, '')
    assert.deepEqual(others, [])
  }
  const many = adviceFor({
    ...WELL,
    isReachable: false,
    isOpenToOthers: true,
    isReplicated: false,
    isPersistent: false,
  })
  assert.deepEqual(
    many.map(({ severity }) => severity),
    ['error', 'warning', 'info'],
  )
})
