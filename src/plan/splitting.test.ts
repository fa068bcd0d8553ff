/** Turning sharding on where there is a replica: whoever may have all data stays until somebody else is known to have it. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { ALL_SLOTS } from '#model/slots.ts'
import { AROUND, aDatabase, anAction, aShard, aSituation, aStatus, NOW_MS } from '../../test/support/model.ts'
import { applyEdit, settle, undoChange, unedited } from './change.ts'
import { type Plan, planDatabase } from './database.ts'
import { endpointDigest, endpointSpec } from './endpoint.ts'
import { leadsOf } from './leads.ts'
import { placesFor, withoutReplicas } from './placement.ts'
import type { ObservedShard } from './step.ts'

const before = replicated()
const database = split(before)
const SERVED = {
  databaseUid: database.uid,
  digest: endpointDigest(endpointSpec(database, AROUND, leadsOf([], database.shards))),
  problem: '',
  isMoving: false,
}
/** The primary when it has come back. */
const ALONE = {
  ...{ nodeId: 'a', isServing: true, slots: ALL_SLOTS, unowned: [], moving: [], follows: null, peers: ['a'] },
  mapDigest: '',
}
const [primary, replica] = before.shards.map(({ uid }) => uid)

function replicated(): DatabaseDocument {
  const shards = placesFor([], [], { shardsCount: 1, isReplicated: true, firstShardUid: 70, nodeUid: 1 })
  return settle(aDatabase({ shards, config: { ...aDatabase().config, replication: true } }))
}

function split(living: DatabaseDocument): DatabaseDocument {
  const wanted = { shardsCount: 1, isReplicated: true, firstShardUid: 80, nodeUid: 1 }
  const places = placesFor(withoutReplicas(living.shards, []), [], wanted)
  const shards = places.map((place) => ({ ...place, ports: { clients: place.uid + 20_000, bus: place.uid + 30_000 } }))
  const edit = { ...unedited(living), config: { ...living.config, sharding: true }, shards }
  return applyEdit(living, edit, { actionUid: 'split', nowIso: '', around: AROUND, leads: [] }).after
}

/** Both are as they were, but for the primary. */
function planWith(changes: Partial<ObservedShard>, document = database): Plan {
  const observed = [aShard(before, { uid: primary ?? 0, ...changes }), aShard(before, { uid: replica ?? 0 })]
  const action = anAction({ uid: 'split' })
  const status = aStatus()
  return planDatabase(aSituation({ database: document, status, action, observed, endpoint: SERVED, nowMs: NOW_MS }))
}

const kindsOf = (plan: Plan): string[] => (plan.kind === 'act' ? plan.steps.map(({ kind }) => kind) : [plan.kind])

test('a replica that is left out stays for as long as its primary has to come back', () => {
  assert.deepEqual(kindsOf(planWith({})), ['restart-shard', 'start-shard'])
  for (const state of ['stopped', 'starting', 'loading'] as const)
    assert.ok(!kindsOf(planWith({ state })).includes('remove-shard'), state)
  assert.ok(kindsOf(planWith(aShard(database, { uid: primary ?? 0, cluster: ALONE }))).includes('remove-shard'))
})

test('when the primary crashes instead, the change is undone, and the replica takes over', () => {
  const plan = planWith({ state: 'exited' })
  assert.equal(plan.kind, 'undo-change')
  const next = planWith({ state: 'exited' }, undoChange(database, ''))
  assert.equal(next.kind === 'pass-lead' && next.succession.lead.shardUid, replica)
})

test('a primary that has saved everything comes back with it, whoever sees that first', () => {
  assert.ok(kindsOf(planWith({ state: 'stopped' })).includes('start-shard'))
})
