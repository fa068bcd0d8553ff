import assert from 'node:assert/strict'
import test from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { until, within } from '../../test/support/wait.ts'
import { Looks } from './looks.ts'

/** A timer may be early by what clocks are rounded by. */
const ROUNDING_MS = 2

test('takes each look after its own pause, and none when it is over', async () => {
  const pausesMs = [10, 10, 10, 30, 30, 10, 5]
  const pausedMs: number[] = []
  const all = Promise.withResolvers<void>()
  let since = performance.now()
  const looks = new Looks(() => {
    pausedMs.push(performance.now() - since)
    since = performance.now()
    const next = pausesMs[pausedMs.length]
    if (next === undefined) all.resolve()
    else looks.after(next)
  })
  looks.after(pausesMs[0] ?? 0)
  await within('all looks', all.promise, 20_000)
  for (const [index, ms] of pausesMs.entries())
    assert.ok((pausedMs[index] ?? 0) >= ms - ROUNDING_MS, `pause ${index} took ${pausedMs[index]} ms`)
  looks.after(1)
  looks[Symbol.dispose]()
  looks.after(1)
  await delay(20)
  assert.equal(pausedMs.length, pausesMs.length)
  assert.equal(looks.isOver, true)
})

test('of two pauses the one that was given last counts, and there is one look', async () => {
  for (const pausesMs of [
    [10_000, 1],
    [5, 5],
  ]) {
    let taken = 0
    const looks = new Looks(() => taken++)
    for (const ms of pausesMs) looks.after(ms)
    await until('a look', () => taken > 0)
    await delay(20)
    assert.equal(taken, 1)
    looks[Symbol.dispose]()
  }
})
