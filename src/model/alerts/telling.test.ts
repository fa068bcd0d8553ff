import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { RaisedAlert } from './board.ts'
import { afterTelling, NOTHING_TOLD, nextDueMs, QUIET_MS, type ReceiverDocument, toTell } from './telling.ts'

const START_MS = 1_700_000_000_000

function raised(key: string): RaisedAlert {
  const about = { name: key, object: 'cluster', objectName: '', severity: 'WARNING', says: key } as const
  return { key, ...about, sinceMs: START_MS, value: { state: true } }
}

/** One round with a receiver that can be reached. */
function round(before: ReceiverDocument, keys: readonly string[], nowMs: number, wanted = keys) {
  const isRaised = (key: string) => keys.includes(key)
  const telling = toTell(before, wanted.filter(isRaised).map(raised), isRaised, nowMs)
  const isWanted = (key: string) => wanted.includes(key) && isRaised(key)
  const after = afterTelling(before, telling, isWanted, nowMs)
  return {
    telling,
    after,
    said: [...telling.raised.map(({ key }) => `+${key}`), ...telling.cleared.map(({ key }) => `-${key}`)],
  }
}

test('tells what is new and what is over, once', () => {
  const first = round(NOTHING_TOLD, ['a', 'b'], START_MS)
  assert.deepEqual(first.said, ['+a', '+b'])
  const same = round(first.after, ['a', 'b'], START_MS + 1)
  assert.deepEqual(same.said, [])
  const over = round(same.after, ['b'], START_MS + 2)
  assert.deepEqual(over.said, ['-a'])
})

test('what came and went while somebody could not be reached is not told', () => {
  const known = round(NOTHING_TOLD, ['a'], START_MS).after
  assert.deepEqual(round(known, ['a', 'c'], START_MS + 9).said, ['+c'], 'b was raised and cleared in between')
})

test('one that flaps is told of once in a while, its end at once', () => {
  let document = round(NOTHING_TOLD, ['a'], START_MS).after
  document = round(document, [], START_MS + 1_000).after
  const again = round(document, ['a'], START_MS + 2_000)
  assert.deepEqual(again.said, [])
  assert.equal(nextDueMs(document, [raised('a')], START_MS + 2_000), QUIET_MS - 2_000)
  assert.deepEqual(round(document, ['a'], START_MS + QUIET_MS).said, ['+a'])
  assert.deepEqual(round(document, ['a'], START_MS - 5_000).said, ['+a'], 'a clock that was set back silences nothing')
})

test('an alert that is no longer wanted is forgotten, not told to be over', () => {
  const known = round(NOTHING_TOLD, ['a', 'b'], START_MS).after
  const narrowed = round(known, ['a', 'b'], START_MS + 1, ['a'])
  assert.deepEqual(narrowed.said, [])
  assert.deepEqual(
    narrowed.after.told.map(({ key }) => key),
    ['a'],
  )
})

test('whatever happens, a receiver that stays reachable knows in the end how it is, and hears no more than it must', () => {
  const states = fc.array(fc.subarray(['a', 'b', 'c']), { maxLength: 40 })
  fc.assert(
    fc.property(states, (history) => {
      let document = NOTHING_TOLD
      let nowMs = START_MS
      const told = new Map<string, number>()
      for (const keys of history) {
        nowMs += 10_000
        const { after, telling } = round(document, keys, nowMs)
        for (const { key } of telling.raised) told.set(key, (told.get(key) ?? 0) + 1)
        document = after
      }
      for (const count of told.values()) assert.ok(count <= 1 + (history.length * 10_000) / QUIET_MS)
      const last = history.at(-1) ?? []
      const settled = round(document, last, nowMs + QUIET_MS).after
      assert.deepEqual(settled.told.map(({ key }) => key).sort(), [...last].sort())
    }),
  )
})
