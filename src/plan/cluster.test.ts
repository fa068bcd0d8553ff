import assert from 'node:assert/strict'
import { test } from 'node:test'
import { AROUND, aDatabase, aShard } from '../../test/support/model.ts'
import { areSlotsLeaving, clusterNeeds, knowEachOther, unheardSlots } from './cluster.ts'
import { endpointSpec, whileMoving } from './endpoint.ts'
import { placesFor } from './placement.ts'
import type { ClusterView, ObservedShard } from './step.ts'

const WANTED = { shardsCount: 2, isReplicated: false, firstShardUid: 70, nodeUid: 1 }
const shards = placesFor([], [], WANTED).map((place) => ({
  ...place,
  ports: { clients: 20_000 + place.uid, bus: 21_000 + place.uid },
}))
const database = aDatabase({ shards, config: { ...aDatabase().config, sharding: true, shards_count: 2 } })

/** Both serve their slots; who has heard of whom is the test's. */
function seen(peersOf: (uid: number) => readonly string[]): ObservedShard[] {
  return shards.map(({ uid, slots }) => {
    const cluster: ClusterView = {
      nodeId: `node-${uid}`,
      isServing: true,
      slots,
      unowned: [],
      moving: [],
      follows: null,
      peers: peersOf(uid),
      mapDigest: 'same',
    }
    return { ...aShard(database), uid, cluster }
  })
}

test('shards that know each other and have their slots need nothing', () => {
  const all = seen(() => ['node-70', 'node-71'])
  assert.deepEqual(clusterNeeds(database, [], all), [])
  assert.ok(knowEachOther(database, [], all))
})

test('who is not known to the one that all are introduced to is introduced', () => {
  const [need] = clusterNeeds(
    database,
    [],
    seen((uid) => [`node-${uid}`]),
  )
  assert.ok(need?.kind === 'step' && need.step.kind === 'meet-shards')
  assert.equal(need.step.shardUid, 70)
})

test('who has never heard of the one that knows everybody is told of it, for nobody else would', () => {
  const oneSided = seen((uid) => (uid === 70 ? ['node-70', 'node-71'] : ['node-71']))
  assert.ok(!knowEachOther(database, [], oneSided))
  const [need] = clusterNeeds(database, [], oneSided)
  assert.ok(need?.kind === 'step' && need.step.kind === 'meet-shards')
  assert.equal(need.step.shardUid, 71)
  assert.deepEqual(
    need.step.others.map(({ nodeId }) => nodeId),
    ['node-70'],
  )
})

test('slots leave as long as somebody has what others should have, and not when one of them is down', () => {
  const all = seen(() => ['node-70', 'node-71'])
  assert.ok(!areSlotsLeaving(database, [], all))
  assert.ok(!areSlotsLeaving(database, [], all.slice(0, 1)))
  const withAll = all.map((one) =>
    one.uid === 70 && one.cluster
      ? { ...one, cluster: { ...one.cluster, slots: shards.flatMap((p) => p.slots) } }
      : one,
  )
  assert.ok(areSlotsLeaving(database, [], withAll))
})

test('the proxy is told that slots move until the shards agree, and nothing of it when they only disagree', () => {
  const spec = endpointSpec(database, AROUND, [])
  const serving = ({ isMoving }: { isMoving: boolean }) => ({
    databaseUid: 1,
    digest: 'of other users',
    problem: '',
    isMoving,
  })
  const moving = whileMoving(spec, serving(spec), true, false)
  assert.ok(moving.isMoving)
  assert.ok(whileMoving(spec, serving(moving), false, false).isMoving)
  assert.equal(whileMoving(spec, serving(moving), false, true), spec)
  assert.equal(whileMoving(spec, serving(spec), false, false), spec)
})

test('who takes over is told of what others have, and of what is on its way between them', () => {
  const all = seen(() => ['node-70', 'node-71'])
  const [mine, theirs] = shards
  assert.ok(mine && theirs)
  const moving = [{ slot: 16_000, kind: 'to' as const, nodeId: 'node-70' }]
  const open = all.map((one) => (one.uid === 71 && one.cluster ? { ...one, cluster: { ...one.cluster, moving } } : one))
  assert.deepEqual(unheardSlots(mine, database, [], open), {
    elsewhere: theirs.slots,
    moving: [{ slot: 16_000, kind: 'from', nodeId: 'node-71' }],
  })
  const alone = { ...database, config: { ...database.config, sharding: false } }
  assert.deepEqual(unheardSlots(mine, alone, [], open), { moving: [], elsewhere: [] })
})
