import assert from 'node:assert/strict'
import { test } from 'node:test'
import { RequestIds } from './request-ids.ts'

const NOW_MS = Date.UTC(2026, 1, 3)
const ids = new RequestIds(Buffer.alloc(32, 1))

test('knows its own for three minutes, also after a restart', () => {
  const id = ids.issue(NOW_MS)
  assert.match(id, /^_[\w.-]+$/)
  const again = new RequestIds(Buffer.alloc(32, 1))
  assert.ok(again.isOurs(id, NOW_MS))
  assert.ok(again.isOurs(id, NOW_MS + 180_000))
  assert.ok(!again.isOurs(id, NOW_MS + 180_001))
  assert.ok(!again.isOurs(id, NOW_MS - 1))
  assert.notEqual(ids.issue(NOW_MS), id)
})

test('knows none that is changed, made up, or made under another key', () => {
  const id = ids.issue(NOW_MS)
  const other = new RequestIds(Buffer.alloc(32, 2)).issue(NOW_MS)
  const [time = '', nonce, mac] = id.slice(1).split('.')
  const later = `_${(Number.parseInt(time, 36) + 1).toString(36)}.${nonce}.${mac}`
  for (const wrong of ['', '_', '_a.b.c', other, later, id.slice(0, -1), `${id}A`, id.slice(1), `_${time}.${nonce}.`])
    assert.ok(!ids.isOurs(wrong, NOW_MS + 1), wrong)
})
