import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { OcspAnswer, OcspStatusDocument } from '#model/documents/ocsp.ts'
import { ocspDefaults } from '#model/ocsp.ts'
import { afterQuery, nextQueryMs, type Outcome } from './schedule.ts'

const settings = { ...ocspDefaults(), query_frequency: 3_600, recovery_frequency: 60, recovery_max_tries: 2 }
const GOOD: OcspAnswer = { status: 'GOOD', producedAtMs: 0, thisUpdateMs: 0 }
const REVOKED: OcspAnswer = { ...GOOD, status: 'REVOKED', revokedAtMs: 0 }
const FAILED: Outcome = { problem: 'silence' }

/** Asks again and again, each time when it is time to; gives the waits and the last status. */
function play(...outcomes: readonly Outcome[]): { waits: number[]; status: OcspStatusDocument | undefined } {
  let status: OcspStatusDocument | undefined
  let atMs = 1_000
  const waits: number[] = []
  for (const outcome of outcomes) {
    status = afterQuery(settings, status, { fingerprint: 'a', responderUrl: 'http://r', atMs }, outcome)
    const nextMs = nextQueryMs(settings, status, 'a', atMs)
    waits.push((nextMs - atMs) / 1000)
    atMs = nextMs
  }
  return { waits, status }
}

test('what is good is asked about at leisure', () => {
  const { waits, status } = play({ answer: GOOD }, { answer: GOOD })
  assert.deepEqual(waits, [3_600, 3_600])
  assert.equal(status?.tries, 0)
})

test('the last answer counts during recovery, and no longer', () => {
  const during = play({ answer: GOOD }, FAILED, FAILED)
  assert.deepEqual(during.waits, [3_600, 60, 60])
  assert.deepEqual([during.status?.answer, during.status?.problem], [GOOD, 'silence'])
  const over = play({ answer: GOOD }, FAILED, FAILED, FAILED, FAILED)
  assert.deepEqual(over.waits, [3_600, 60, 60, 3_600, 3_600])
  assert.equal(over.status?.answer, null)
})

test('an answer that has run out does not count during recovery either', () => {
  assert.equal(play({ answer: { ...GOOD, nextUpdateMs: 2_000 } }, FAILED).status?.answer, null)
})

test('a revoked certificate is asked about more often for a while, and silence does not make it good or unknown', () => {
  const { waits, status } = play({ answer: REVOKED }, { answer: REVOKED }, FAILED, FAILED)
  assert.deepEqual(waits, [60, 60, 3_600, 3_600])
  assert.equal(status?.answer, REVOKED)
  assert.deepEqual(play({ answer: REVOKED }, { answer: GOOD }).waits, [60, 3_600])
})

test('another certificate, and a clock that was set back, are asked about at once', () => {
  const { status } = play({ answer: REVOKED })
  assert.equal(nextQueryMs(settings, status, 'b', 2_000), 0)
  assert.equal(nextQueryMs(settings, status, 'a', 500), 0)
  const asked = { fingerprint: 'b', responderUrl: '', atMs: 0 }
  assert.equal(afterQuery(settings, status, asked, FAILED).answer, null, 'nothing is known about it')
})
