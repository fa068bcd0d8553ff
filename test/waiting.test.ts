/**
 * What tests themselves stand on: no wait is without an end, and a clean-up that fails keeps no other from being done.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CleanUpList } from './support/clean-ups.ts'
import { GiveUp, until, within } from './support/wait.ts'

const never = <T>() => new Promise<T>(() => undefined)

test('a wait ends, also when what it looks at never answers', { timeout: 10_000 }, async () => {
  await assert.rejects(
    until('something', () => never<true>(), 100),
    /100 ms for something; saw last: .*this look/,
  )
  await assert.rejects(within('an answer', never(), 50), /50 ms for an answer/)
  assert.equal(await within('an answer', Promise.resolve('it'), 50), 'it')
})

test('a wait ends at once when what it waits for cannot come any more', { timeout: 10_000 }, async () => {
  let looks = 0
  const look = () => {
    if (++looks === 2) throw new GiveUp('it failed')
    throw new Error('not yet')
  }
  await assert.rejects(until('something', look), { message: 'it failed' })
  assert.equal(looks, 2)
})

test('every clean-up is done, the newest first, and what failed is told at the end', async () => {
  const done: string[] = []
  const cleanUps = new CleanUpList()
  cleanUps.after(async () => void done.push('first'))
  cleanUps.after(async () => {
    throw new Error('it broke')
  })
  cleanUps.after(async () => void done.push('last'))
  await assert.rejects(cleanUps.run(), (error: AggregateError) => {
    assert.match(error.message, /it broke/)
    return error.errors.length === 1
  })
  assert.deepEqual(done, ['last', 'first'])
  await cleanUps.run()
})
