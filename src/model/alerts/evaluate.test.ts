import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { ALERTS, alertNamed } from './catalogue.ts'
import { type AlertValue, CLEARS_AFTER, evaluate, OFF, RAISES_AFTER, type Standing, thresholdIn } from './evaluate.ts'
import type { AlertKind, AlertScope } from './kind.ts'

function kind(scope: AlertScope, name: string): AlertKind {
  const found = alertNamed(scope, name)
  assert.ok(found, name)
  return found
}

function after(
  alert: AlertKind,
  threshold: string,
  values: readonly (AlertValue | undefined)[],
  before = OFF,
): Standing {
  return values.reduce((standing: Standing, value) => evaluate(alert, threshold, value, standing), before)
}

const ON: Standing = { isOn: true, doubts: 0 }
const SIZE = kind('bdb', 'bdb_size')

test('a value counts when it has said the same several times in a row', () => {
  assert.equal(after(SIZE, '80', [80]).isOn, false)
  assert.equal(after(SIZE, '80', [80, 90]).isOn, true)
  assert.equal(after(SIZE, '80', [90, 79, 90, 79]).isOn, false)
  assert.equal(after(SIZE, '80', [0, 0], ON).isOn, true)
  assert.equal(after(SIZE, '80', [0, 0, 0], ON).isOn, false)
  assert.equal(after(SIZE, '80', [0, 0, 80, 0, 0], ON).isOn, true)
})

test('what was raised is cleared only clearly on the other side', () => {
  assert.equal(after(SIZE, '80', [76.1, 76.1, 76.1, 76.1], ON).isOn, true)
  assert.equal(after(SIZE, '80', [75.9, 75.9, 75.9], ON).isOn, false)
  const low = kind('bdb', 'bdb_low_throughput')
  assert.equal(after(low, '100', [99, 99]).isOn, true)
  assert.equal(after(low, '100', [104, 104, 104], ON).isOn, true)
  assert.equal(after(low, '100', [106, 106, 106], ON).isOn, false)
})

test('reaching a threshold is enough where the reference says reached, and not where it says higher', () => {
  assert.equal(after(kind('node', 'node_memory'), '80', [80, 80]).isOn, true)
  assert.equal(after(kind('bdb', 'bdb_high_throughput'), '80', [80, 80]).isOn, false)
  assert.equal(after(kind('cluster', 'cluster_certs_about_to_expire'), '45', [46]).isOn, false)
  assert.equal(after(kind('cluster', 'cluster_certs_about_to_expire'), '45', [45]).isOn, true)
})

test('a fact counts at once, both ways', () => {
  const failed = kind('node', 'node_failed')
  assert.equal(after(failed, '', [true]).isOn, true)
  assert.equal(after(failed, '', [true, false]).isOn, false)
})

test('what is not known changes nothing, and is no reason to count anew', () => {
  assert.deepEqual(after(SIZE, '80', [90, undefined, 90]), ON)
  assert.deepEqual(after(SIZE, '80', [undefined], ON), ON)
})

test('a threshold that is no number raises nothing', () => {
  for (const text of ['', 'high', '-1', '1e3', '0x10', ' 5', '1/2', '9'.repeat(40)]) {
    assert.equal(thresholdIn(text), null, text)
    assert.equal(after(SIZE, text, [1e9, 1e9, 1e9]).isOn, false)
  }
  assert.equal(thresholdIn('0.5'), 0.5)
})

test('a flapping value changes an alert at most once in so many looks', () => {
  const values = fc.array(fc.double({ min: 0, max: 100, noNaN: true }), { maxLength: 200 })
  fc.assert(
    fc.property(values, (seen) => {
      let standing = OFF
      let changes = 0
      for (const value of seen) {
        const next = evaluate(SIZE, '50', value, standing)
        if (next.isOn !== standing.isOn) changes++
        standing = next
      }
      assert.ok(changes <= (2 * seen.length) / (RAISES_AFTER + CLEARS_AFTER) + 1)
    }),
  )
})

test('every alert of the reference is there, and what is never raised says why', () => {
  const counts = Object.fromEntries(
    Object.entries(ALERTS).map(([scope, kinds]) => [scope, kinds.filter(({ isOurs }) => !isOurs).length]),
  )
  assert.deepEqual(counts, { cluster: 17, node: 11, bdb: 18 })
  for (const kinds of Object.values(ALERTS)) {
    for (const { name, scope, found, says, isRaised } of kinds) {
      assert.ok(name.startsWith(`${scope}_`))
      assert.ok(found.endsWith('.'), name)
      assert.equal(isRaised, says !== '', name)
    }
  }
})
