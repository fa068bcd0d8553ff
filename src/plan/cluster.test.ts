import assert from 'node:assert/strict'
import { test } from 'node:test'
import { aDatabase, aShard } from '../../test/support/model.ts'
import { clusterNeeds, knowEachOther } from './cluster.ts'
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
