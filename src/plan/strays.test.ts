import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDatabase, aShard, NOW_MS } from '../../test/support/model.ts'
import { leadsOf } from './leads.ts'
import { SLOTLESS_MS } from './limits.ts'
import type { ObservedShard } from './step.ts'
import { goingOf } from './strays.ts'

const database = aDatabase({ config: { ...aDatabase().config, sharding: true, oss_cluster: true } })
const leads = leadsOf([], database.shards)

function going(changes: Partial<ObservedShard>, document = database) {
  const stray = aShard(database, { uid: 99, ...changes })
  const observed = [aShard(database), stray]
  const { now, untilMs } = goingOf(document, { strays: [stray], leads, observed, lacking: [], nowMs: NOW_MS })
  return { now: now.map(({ uid }) => uid), untilMs }
}

test('a shard that has just lost its slots stays to redirect cluster clients, and then goes', () => {
  const since = NOW_MS - SLOTLESS_MS + 1
  assert.deepEqual(going({ withoutSlotsSince: since }), { now: [], untilMs: NOW_MS + 1 })
  assert.deepEqual(going({ withoutSlotsSince: since - 1 }).now, [99])
})

test('nobody is waited for who redirects nobody', () => {
  const plain = { ...database, config: { ...database.config, oss_cluster: false } }
  assert.deepEqual(going({ withoutSlotsSince: NOW_MS }, plain).now, [99])
  for (const state of ['exited', 'stopped', 'loading'] as const)
    assert.deepEqual(going({ withoutSlotsSince: NOW_MS, state }).now, [99], state)
})

test('a clock that was put back makes nobody stay', () => {
  assert.deepEqual(going({ withoutSlotsSince: NOW_MS + 3_600_000 }).now, [99])
})
