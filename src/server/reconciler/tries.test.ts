import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { NO_ATTEMPTS } from '#plan/database.ts'
import type { Step } from '#plan/step.ts'
import { Tries } from './tries.ts'

const stop = (shardUid: number): Step => ({ kind: 'stop-shard', shardUid, save: false })
const remove = (shardUid: number): Step => ({ kind: 'remove-shard', shardUid })

test('one death that fails several things counts once; what fails again, again', () => {
  const tries = new Tries()
  tries.stepFailed(stop(1), 'killed', 5)
  tries.stepFailed(remove(1), 'gone', 6)
  tries.stepFailed(stop(2), 'also gone', 7)
  tries.shardEnded(1, 'ended', 8)
  assert.deepEqual(tries.attempts, { failures: 1, lastError: 'ended', lastFailedAtMs: 8 })
  tries.stepFailed(stop(1), 'killed', 9)
  assert.equal(tries.attempts.failures, 2)
  tries.forget()
  assert.deepEqual(tries.attempts, NO_ATTEMPTS)
})

test('however failures mix, the number is that of the most frequent one', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(4), { minLength: 1 }), (shards) => {
      const tries = new Tries()
      for (const uid of shards) tries.stepFailed(stop(uid), 'no', 1)
      const most = Math.max(...shards.map((uid) => shards.filter((other) => other === uid).length))
      assert.equal(tries.attempts.failures, most)
    }),
  )
})
