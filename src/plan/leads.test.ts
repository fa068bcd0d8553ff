import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { aDatabase, aShard, NOW_MS } from '../../test/support/model.ts'
import { hearsayUntil, leadOf, leadsOf, succession } from './leads.ts'
import { placesFor } from './placement.ts'
import type { ObservedShard } from './step.ts'

const places = placesFor([], [], { shardsCount: 1, isReplicated: true, firstShardUid: 70, nodeUid: 1 })
const replicated = { ...aDatabase().config, replication: true }
const database = aDatabase({ shards: places, config: replicated })
const lead = { group: 70, shardUid: 70, term: 3 }
const primary = (changes: Partial<ObservedShard> = {}) => aShard(database, { uid: 70, ...changes }, [lead])
const replica = (changes: Partial<ObservedShard> = {}) => aShard(database, { uid: 71, ...changes }, [lead])
const gone = primary({ state: 'exited', lastWords: 'killed', since: NOW_MS })
const patient = { failures: 0, isPersistent: true, isAsked: false }

test('without a record the first process of a shard leads', () => {
  assert.deepEqual(leadsOf([], places), [{ group: 70, shardUid: 70, term: 1 }])
  assert.deepEqual(leadsOf([{ group: 70, shardUid: 71, term: 4 }], places), [{ group: 70, shardUid: 71, term: 4 }])
})

test('a replica that was in step takes over from a primary that is gone, in a new term', () => {
  for (const changes of [{}, { isLinked: false, linkLostAt: NOW_MS - 20 }]) {
    const next = succession(lead, places, [gone, replica(changes)], patient)
    assert.deepEqual(next?.lead, { group: 70, shardUid: 71, term: 4 })
    assert.equal(next?.wasInStep, true)
    assert.match(next?.reason ?? '', /killed/)
  }
})

test('nobody takes over from a primary that is there, or that only reads its data', () => {
  for (const state of ['running', 'starting', 'loading'] as const)
    assert.equal(succession(lead, places, [primary({ state }), replica()], patient), undefined)
})

test('who was not sent every write does not take over as if it had been', () => {
  const early = { ...gone, onlineReplicas: 0 }
  assert.equal(succession(lead, places, [early, replica()], patient), undefined)
  const next = succession(lead, places, [early, replica()], { ...patient, isPersistent: false })
  assert.deepEqual([next?.mayHaveLostWrites, next?.wasInStep], [true, false])
})

test('who lacks data takes over only when nothing better comes back', () => {
  const stale = replica({ isLinked: false, linkLostAt: NOW_MS - 60_000 })
  assert.equal(succession(lead, places, [gone, stale], patient), undefined)
  const late = succession(lead, places, [gone, stale], { failures: 2, isPersistent: true, isAsked: false })
  assert.deepEqual([late?.lead.shardUid, late?.mayHaveLostWrites], [71, true])
  // A primary that keeps nothing would come back empty.
  assert.equal(
    succession(lead, places, [gone, stale], { failures: 0, isPersistent: false, isAsked: false })?.lead.shardUid,
    71,
  )
})

test('who never had all data in this term never takes over, however often the primary failed', () => {
  const state = fc.constantFrom('running', 'exited', 'stopped', 'starting', 'loading')
  const shard = fc.record({
    state,
    isLinked: fc.boolean(),
    linkLostAt: fc.option(fc.integer({ min: NOW_MS - 10_000, max: NOW_MS })),
    completeTerm: fc.constantFrom(null, 1, 2),
  })
  const weather = fc.record({ failures: fc.nat(9), isPersistent: fc.boolean(), isAsked: fc.boolean() })
  fc.assert(
    fc.property(shard, weather, (changes, about) => {
      assert.equal(succession(lead, places, [gone, replica(changes as Partial<ObservedShard>)], about), undefined)
    }),
  )
})

test('a replica is given a moment to tell that it was in step', () => {
  const silent = replica({ completeTerm: null })
  assert.ok((hearsayUntil(lead, places, [gone, silent]) ?? 0) > NOW_MS)
  assert.equal(hearsayUntil(lead, places, [gone]), undefined)
  assert.equal(hearsayUntil(lead, places, [primary(), silent]), undefined)
  assert.equal(hearsayUntil(lead, places, [gone, { ...silent, state: 'exited' }]), undefined)
})

test('a lead that is not there any more is none', () => {
  const [first] = places
  assert.ok(first)
  assert.equal(leadOf([{ group: first.group, shardUid: 99, term: 2 }], places, first).shardUid, 70)
})
