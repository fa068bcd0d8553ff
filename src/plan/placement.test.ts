import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { ShardPlace } from '#model/documents/database.ts'
import { ALL_SLOTS, rangesOf, slotsOf, slotText } from '#model/slots.ts'
import { placesFor } from './placement.ts'

const wanted = { shardsCount: 3, isReplicated: false, firstShardUid: 1, nodeUid: 1 }
const alone = placesFor([], [], wanted)
const all = placesFor(alone, [], { ...wanted, isReplicated: true, firstShardUid: 10 })
const uids = (places: readonly ShardPlace[]) => places.map(({ uid }) => uid)

test('a new database has its slots shared out, primaries first', () => {
  assert.deepEqual(
    alone.map(({ uid, group, slots }) => [uid, group, slotText(slots)]),
    [
      [1, 1, '0-5460'],
      [2, 2, '5461-10921'],
      [3, 3, '10922-16383'],
    ],
  )
  assert.deepEqual(uids(placesFor([], [], { ...wanted, isReplicated: true })), [1, 2, 3, 4, 5, 6])
})

test('replicas are added where there is none, and those that lead stay', () => {
  assert.deepEqual(uids(all), [1, 2, 3, 10, 11, 12])
  assert.deepEqual(all[3]?.slots, all[0]?.slots)
  assert.deepEqual(placesFor(all, [], { ...wanted, isReplicated: true, firstShardUid: 20 }), all)
  const moved = [{ group: 1, shardUid: 10, term: 2 }]
  assert.deepEqual(uids(placesFor(all, moved, { ...wanted, firstShardUid: 20 })), [2, 3, 10])
})

test('more shards take from each, fewer leave theirs to the others, and replicas go with them', () => {
  const more = placesFor(all, [], { shardsCount: 4, isReplicated: true, firstShardUid: 20, nodeUid: 1 })
  assert.deepEqual(uids(more), [1, 2, 3, 10, 11, 12, 20, 21])
  assert.equal(more.at(-1)?.group, 20)
  const fewer = placesFor(more, [], { shardsCount: 2, isReplicated: true, firstShardUid: 30, nodeUid: 1 })
  assert.deepEqual(uids(fewer), uids(more), 'those that are to go stay until their slots are elsewhere')
  assert.deepEqual(
    fewer.filter(({ slots }) => slots.length === 0).map(({ uid }) => uid),
    [3, 12, 20, 21],
  )
  const primaries = fewer.filter(({ uid, group }) => uid === group)
  assert.deepEqual(rangesOf(primaries.flatMap(({ slots }) => slotsOf(slots))), ALL_SLOTS)
})
