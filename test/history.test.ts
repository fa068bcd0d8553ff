/**
 * A short history run: faults by chance over databases of every kind, under load, and nothing lost that was promised. The
 * long form is `node bench/history.ts <seconds>`.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runHistory } from './history/run.ts'
import { startInstance } from './support/instance.ts'

/** Some ten come in so short a run; a machine that is busy with others is given time for fewer. */
const LEAST_FAULTS = 3

test('faults at any moment lose no write that was promised to stay, split no database, and leave none stuck', async (t) => {
  const instance = await startInstance(t)
  const seed = Date.now() % 1_000_000
  const told: string[] = []
  const { databases, faults } = await runHistory(instance, { seconds: 15, seed, tell: (line) => told.push(line) })
  const befell = Object.values(faults).reduce((sum, count) => sum + count, 0)
  assert.ok(befell >= LEAST_FAULTS, `only ${befell} faults, seed ${seed}: ${told.join('; ')}`)
  for (const { name, operations, violations, stuck } of databases) {
    const about = `seed ${seed}, ${name}, after ${told.join('; ')}`
    assert.deepEqual(violations.slice(0, 5), [], about)
    assert.equal(stuck, '', about)
    assert.ok(operations.kept > 0 && operations.read > 0, about)
  }
})
