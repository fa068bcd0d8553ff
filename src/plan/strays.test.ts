import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDatabase, aShard, aSituation, NOW_MS } from '../../test/support/model.ts'
import { planDatabase } from './database.ts'
import { leadsOf } from './leads.ts'
import { SLOTLESS_MS } from './limits.ts'
import type { ObservedShard } from './step.ts'
import { removableStrays } from './strays.ts'

const database = aDatabase({ config: { ...aDatabase().config, sharding: true, oss_cluster: true } })
/** Of which nothing else is to be watched. */
const onePrimary = aDatabase({ config: { ...aDatabase().config, oss_cluster: true } })
const leads = leadsOf([], database.shards)

function going(changes: Partial<ObservedShard>, document = database) {
  const stray = aShard(database, { uid: 99, ...changes })
  const observed = [aShard(database), stray]
  const { now, untilMs } = removableStrays(document, { strays: [stray], leads, observed, lacking: [], nowMs: NOW_MS })
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

test('nothing else is to do meanwhile, and nothing is wrong', () => {
  const observed = [aShard(onePrimary), aShard(onePrimary, { uid: 99, withoutSlotsSince: NOW_MS })]
  const at = (nowMs: number) => planDatabase(aSituation({ database: onePrimary, observed, nowMs }))
  const plan = at(NOW_MS)
  assert.deepEqual([plan.kind, plan.kind === 'wait' && plan.isHarmless], ['wait', true], plan.reason)
  const after = at(NOW_MS + SLOTLESS_MS)
  assert.deepEqual(after.kind === 'act' && after.steps, [{ kind: 'remove-shard', shardUid: 99 }], after.reason)
})
