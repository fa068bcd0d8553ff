import assert from 'node:assert/strict'
import { test } from 'node:test'
import { MemoryStore } from '#store/memory.ts'
import { lead } from './leadership.ts'

const unexpected = (error: unknown) => assert.fail(String(error))
const never = new AbortController().signal

test('only one holder leads at a time, and the next one when it resigns', async () => {
  const store = new MemoryStore()
  const first = await lead(store, 'folder-1', unexpected, never)
  const waiting = new AbortController()
  const second = lead(store, 'folder-2', unexpected, waiting.signal)
  await first.resign()
  const next = await second
  assert.equal(first.over.aborted, true)
  assert.ok(next.compare.modRevision > first.compare.modRevision)
})

test('an earlier life of the same holder is taken over at once, and learns of it', async () => {
  const store = new MemoryStore()
  const dead = await lead(store, 'folder-1', unexpected, never)
  const alive = await lead(store, 'folder-1', unexpected, never)
  await dead.check()
  assert.equal(dead.over.aborted, true)
  await alive.check()
  assert.equal(alive.over.aborted, false)
  const late = await store.commit({ compare: [dead.compare], changes: [{ kind: 'put', key: 'x', value: 'old order' }] })
  assert.equal(late.committed, false)
})

test('waiting for leadership ends with the signal', async () => {
  const store = new MemoryStore()
  await lead(store, 'folder-1', unexpected, never)
  await assert.rejects(lead(store, 'folder-2', unexpected, AbortSignal.timeout(20)))
})
