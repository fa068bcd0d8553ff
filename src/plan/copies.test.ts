/** However many replicas want to copy, and whatever becomes of them, no node has more at it than it may. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { DatabaseDocument } from '#model/documents/database.ts'
import { aDatabase, aShard, aSituation, aStatus, NOW_MS } from '../../test/support/model.ts'
import { settle } from './change.ts'
import { beginsCopy, type Copying, copyingOf, withinRoom } from './copies.ts'
import { planDatabase } from './database.ts'
import { leadsOf } from './leads.ts'
import { placesFor } from './placement.ts'
import type { ObservedShard, Step } from './step.ts'

const shardUid = fc.integer({ min: 1, max: 12 })
const NODES = [1, 2, 3]
const places = Array.from({ length: 12 }, (_, index) => ({
  ...{ uid: index + 1, group: 1, slots: [], ports: null },
  nodeUid: 1 + (index % NODES.length),
}))
const nodeOf = (uid: number) => places.find((place) => place.uid === uid)?.nodeUid ?? 0

test('nothing begins beyond the limit of its node, and nothing else is held back', () => {
  const step = fc.oneof(
    shardUid.map((uid): Step => ({ kind: 'follow-shard', shardUid: uid, nodeId: 'x' })),
    shardUid.map((uid): Step => ({ kind: 'stop-shard', shardUid: uid, save: true })),
  )
  const limits = fc.record({
    1: fc.integer({ min: 1, max: 4 }),
    2: fc.integer({ min: 1, max: 4 }),
    3: fc.constant(Number.POSITIVE_INFINITY),
  })
  fc.assert(
    fc.property(fc.array(step), fc.uniqueArray(shardUid), limits, (steps, busy, limitOf) => {
      const copying: Copying[] = busy.map((uid) => ({ shardUid: uid, nodeUid: nodeOf(uid) }))
      const limit = (node: number) => limitOf[node as 1 | 2 | 3]
      const left = withinRoom(steps, { shards: places }, [], { limitOf: limit, copying: () => copying })
      const held = steps.filter((one) => !left.includes(one))
      assert.ok(held.every((one) => beginsCopy(one, []) !== undefined))
      for (const node of NODES) {
        const before = new Set(busy.filter((uid) => nodeOf(uid) === node))
        const after = new Set([...before, ...left.flatMap((one) => beginsCopy(one, []) ?? [])])
        const onNode = [...after].filter((uid) => nodeOf(uid) === node)
        assert.ok(onNode.length <= Math.max(before.size, limit(node)), `${onNode} on node ${node}`)
        const isHeld = held.some((one) => nodeOf(beginsCopy(one, []) ?? 0) === node)
        assert.ok(!isHeld || onNode.length >= limit(node), `there was room on node ${node}`)
      }
    }),
  )
})

/** Of a database with one replica, which is not there yet. */
function replicated(uid: number): DatabaseDocument {
  const shards = placesFor([], [], { shardsCount: 1, isReplicated: true, firstShardUid: uid * 10, nodeUid: 1 })
  return settle({ ...aDatabase({ shards, config: { ...aDatabase().config, replication: true } }), uid })
}

test('many databases take turns, in whatever order their replicas begin, end and die, and all have theirs', () => {
  const moves = fc.array(fc.nat({ max: 1_000 }), { minLength: 60, maxLength: 60 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3 }), moves, (limit, chances) => {
      const databases = [1, 2, 3, 4, 5].map(replicated)
      const replicas = new Map<number, ObservedShard>()
      const seenOf = (one: DatabaseDocument) => [aShard(one), ...[replicas.get(one.uid) ?? []].flat()]
      const room = {
        limitOf: () => limit,
        copying: () => databases.flatMap((one) => copyingOf(one, leadsOf([], one.shards), seenOf(one))),
      }
      const rest = Array.from({ length: 50 }, (_, index) => index)
      for (const [turn, chance] of [...chances, ...rest].entries()) {
        const one = databases[chance % databases.length]
        if (!one) continue
        const seen = replicas.get(one.uid)
        const [, place] = one.shards
        if (seen?.state === 'running') {
          const isDead = turn < chances.length && chance % 3 === 0
          replicas.set(
            one.uid,
            isDead ? { ...seen, state: 'exited', completeTerm: null } : { ...seen, completeTerm: 1 },
          )
          continue
        }
        const status = aStatus({ databaseUid: one.uid })
        const plan = planDatabase(
          aSituation({ database: one, status, action: undefined, observed: seenOf(one), room, nowMs: NOW_MS }),
        )
        const begins = plan.kind === 'act' && plan.steps.some((step) => step.kind === 'start-shard')
        if (begins && place) replicas.set(one.uid, aShard(one, { uid: place.uid, completeTerm: null }))
        else assert.equal(plan.kind === 'wait' && plan.isForRoom, true, plan.reason)
        assert.ok(room.copying().length <= limit)
      }
      assert.ok(databases.every((one) => replicas.get(one.uid)?.completeTerm === 1))
    }),
  )
})
