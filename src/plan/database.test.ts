import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { StatusDocument } from '#model/documents/status.ts'
import { AROUND, aDatabase, anAction, aShard, aSituation, aStatus, NOW_MS } from '../../test/support/model.ts'
import { applyEdit, beginDeletion, beginRecovery, cancelUnderWay, settle, undoChange, unedited } from './change.ts'
import { NO_ATTEMPTS, type Plan, planDatabase, retryDelayMs, type Situation } from './database.ts'
import { CHANGE_ATTEMPTS, CREATE_ATTEMPTS, SLOWEST_RETRY_MS } from './limits.ts'
import { shardSpec } from './shard-spec.ts'
import { specDigest } from './spec-digest.ts'
import type { ObservedShard } from './step.ts'

function firstStep(plan: Plan): string {
  return plan.kind === 'act' ? (plan.steps[0]?.kind ?? 'none') : plan.kind
}

function edit(database: DatabaseDocument, memory: number): DatabaseDocument {
  const config = { ...database.config, memory_size: memory }
  const options = { actionUid: 'action-2', nowIso: '2026-01-02T00:00:00.000Z', around: AROUND, leads: [] }
  return applyEdit(database, { ...unedited(database), config }, options).after
}

describe('a database that is to be', () => {
  test('a new database gets its process started, and then settles', () => {
    assert.equal(firstStep(planDatabase(aSituation())), 'start-shard')
    const database = aDatabase()
    const plan = planDatabase(aSituation({ database, observed: [aShard(database)] }))
    assert.deepEqual(plan, { kind: 'settle', phase: 'converged', reason: '' })
  })

  test('when all is as it should be there is nothing to do', () => {
    const database = settle(aDatabase())
    const observed = [aShard(database)]
    assert.equal(planDatabase(aSituation({ database, status: aStatus(), action: undefined, observed })).kind, 'nothing')
  })

  test('an engine that never comes up is given up, with its last words', () => {
    const attempts = { failures: CREATE_ATTEMPTS, lastError: 'Bad file format', lastFailedAtMs: NOW_MS }
    const plan = planDatabase(aSituation({ attempts }))
    assert.deepEqual(plan, { kind: 'give-up-creating', reason: 'Bad file format' })
  })

  test('what was given up is taken down, and the document stays', () => {
    const database = aDatabase()
    const status = aStatus({ phase: 'creation-failed', generation: 0, reason: 'Bad file format' })
    const observed = [aShard(database, { state: 'exited' })]
    assert.equal(firstStep(planDatabase(aSituation({ database, status, observed }))), 'remove-shard')
    const settled = planDatabase(aSituation({ database, status }))
    assert.deepEqual(settled, { kind: 'settle', phase: 'creation-failed', reason: 'Bad file format' })
    const done = planDatabase(aSituation({ database: settle(database), status, action: undefined }))
    assert.equal(done.kind, 'nothing')
  })

  test('a process that ended is started again, its last words in the reason', () => {
    const database = settle(aDatabase())
    const observed = [aShard(database, { state: 'exited', lastWords: 'Out of memory' })]
    const plan = planDatabase(aSituation({ database, status: aStatus(), action: undefined, observed }))
    assert.equal(firstStep(plan), 'start-shard')
    assert.match(plan.reason, /Out of memory/)
  })

  test('a database that has been there is never given up, however often it fails', () => {
    const database = settle(aDatabase())
    const observed = [aShard(database, { state: 'exited' })]
    const attempts = { failures: 50, lastError: 'no', lastFailedAtMs: NOW_MS }
    const waiting = planDatabase(aSituation({ database, status: aStatus(), action: undefined, observed, attempts }))
    assert.equal(waiting.kind, 'wait')
    assert.equal(waiting.kind === 'wait' && waiting.untilMs, NOW_MS + SLOWEST_RETRY_MS)
    const later = {
      database,
      status: aStatus(),
      action: undefined,
      observed,
      attempts,
      nowMs: NOW_MS + SLOWEST_RETRY_MS,
    }
    assert.equal(firstStep(planDatabase(aSituation(later))), 'start-shard')
  })

  test('a process that is to come back without its data starts so once, and keeps what it gets afterwards', () => {
    const database = beginRecovery(settle(aDatabase({ lastFlush: 4 })), { actionUid: 'action-2', emptied: [70] })
    const status = aStatus({ phase: 'recovering' })
    const stepOf = (shard: ObservedShard) => {
      const plan = planDatabase(aSituation({ database, status, observed: [shard] }))
      const step = plan.kind === 'act' ? plan.steps[0] : undefined
      assert.equal(step?.kind, 'start-shard')
      return step?.kind === 'start-shard' ? step : undefined
    }
    const first = stepOf(aShard(database, { state: 'exited', flushes: 4 }))
    assert.equal(first?.discardsData, true)
    assert.equal(first?.spec.flushes, 5)
    assert.equal(stepOf(aShard(database, { state: 'exited', flushes: 5 }))?.discardsData, undefined)
    const settled = settle(database)
    assert.equal(settled.startEmpty, undefined)
    const observed = [aShard(settled, { flushes: 5 })]
    const done = { database: settled, status: aStatus({ generation: settled.generation }), action: undefined, observed }
    assert.equal(planDatabase(aSituation(done)).kind, 'nothing')
  })

  test('one that nobody gave up starts with its data, also beside one that was', () => {
    const database = beginRecovery(settle(aDatabase()), { actionUid: 'action-2', emptied: [71] })
    const observed = [aShard(database, { state: 'exited' })]
    const plan = planDatabase(aSituation({ database, status: aStatus({ phase: 'recovering' }), observed }))
    assert.deepEqual(plan.kind === 'act' && plan.steps.map((step) => 'discardsData' in step), [false])
  })

  test('loading is waited for, in percent', () => {
    const database = aDatabase()
    const observed = [aShard(database, { state: 'loading', loadingPercent: 41.7 })]
    const plan = planDatabase(aSituation({ database, observed }))
    assert.equal(plan.kind, 'wait')
    assert.match(plan.reason, /41 % done/)
  })

  test('what has come true is never given up for being late, and what was not tried is tried', () => {
    const database = aDatabase()
    const late = { database, action: anAction({ deadlineMs: NOW_MS - 1 }) }
    assert.equal(planDatabase(aSituation({ ...late, observed: [aShard(database)] })).kind, 'settle')
    assert.equal(firstStep(planDatabase(aSituation(late))), 'start-shard')
  })

  test('a deadline ends the wait, and says what it waited for', () => {
    const database = aDatabase()
    const observed = [aShard(database, { state: 'loading' })]
    const action = anAction({ deadlineMs: NOW_MS - 1, description: 'waiting for shard 70 to read its data' })
    const plan = planDatabase(aSituation({ database, observed, action }))
    assert.equal(plan.kind, 'give-up-creating')
    assert.match(plan.reason, /waiting for shard 70 to read its data/)
  })

  test('a process that the document does not know is removed', () => {
    const database = aDatabase()
    const observed = [aShard(database), aShard(database, { uid: 99 })]
    const plan = planDatabase(aSituation({ database, observed }))
    assert.deepEqual(plan.kind === 'act' && plan.steps, [{ kind: 'remove-shard', shardUid: 99 }])
  })

  test('a first failure is tried again at once, the next ones ever more slowly', () => {
    assert.equal(retryDelayMs(1), 0)
    assert.ok(retryDelayMs(2) > 0 && retryDelayMs(3) > retryDelayMs(2))
    assert.equal(retryDelayMs(1_000), SLOWEST_RETRY_MS)
  })
})

describe('a change', () => {
  const before = settle(aDatabase())
  const after = edit(before, 20_000_000)

  test('is applied to the running process', () => {
    const plan = planDatabase(aSituation({ database: after, status: aStatus(), observed: [aShard(before)] }))
    assert.equal(firstStep(plan), 'configure-shard')
  })

  test('that fails too often goes back to what was before', () => {
    const attempts = { failures: CHANGE_ATTEMPTS, lastError: 'ERR no', lastFailedAtMs: NOW_MS }
    const plan = planDatabase(aSituation({ database: after, status: aStatus(), observed: [aShard(before)], attempts }))
    assert.deepEqual(plan, { kind: 'undo-change', reason: 'ERR no' })
    const undone = undoChange(after, '2026-01-03T00:00:00.000Z')
    assert.deepEqual(undone.config, before.config)
    assert.ok(undone.generation > after.generation && undone.edition > after.edition)
  })

  test('of the name alone concerns no process', () => {
    const config = { ...before.config, name: 'renamed' }
    const options = { actionUid: 'x', nowIso: '', around: AROUND, leads: [] }
    const { after: renamed, impact } = applyEdit(before, { ...unedited(before), config }, options)
    assert.deepEqual(impact, { concernsProcesses: false, restarts: [] })
    assert.equal(renamed.generation, before.generation)
    assert.equal(renamed.actionUid, null)
  })

  test('that was undone keeps the number of its flush, so that the next one is not taken for done', () => {
    const options = { actionUid: 'x', nowIso: '', around: AROUND, leads: [] }
    const flush = (database: DatabaseDocument) =>
      applyEdit(database, { ...unedited(before), flushes: database.lastFlush + 1 }, options).after
    const undone = undoChange(flush(before), '')
    assert.equal(undone.flushes, 0)
    assert.equal(flush(undone).flushes, 2)
  })

  test('a flush is asked of a process that has not seen it yet', () => {
    const database = { ...before, flushes: 1, generation: 2, actionUid: 'action-2' }
    const observed = [aShard(database, { flushes: 0 })]
    assert.equal(firstStep(planDatabase(aSituation({ database, status: aStatus(), observed }))), 'flush-shard')
  })
})

describe('a delete', () => {
  const living = settle(aDatabase())
  const database = beginDeletion(living, 'action-3', '2026-01-03T00:00:00.000Z')

  test('stops, writes down that data goes, removes it, and forgets', () => {
    const observed = [aShard(database)]
    assert.equal(firstStep(planDatabase(aSituation({ database, observed }))), 'stop-shard')
    const stopped = [aShard(database, { state: 'stopped' })]
    assert.equal(planDatabase(aSituation({ database, observed: stopped })).kind, 'begin-purge')
    const purging = { ...database, deletion: { purging: true } }
    assert.equal(firstStep(planDatabase(aSituation({ database: purging, observed: stopped }))), 'remove-shard')
    assert.equal(planDatabase(aSituation({ database: purging })).kind, 'forget')
  })

  test('can be called off until data goes, and not afterwards', () => {
    assert.equal(cancelUnderWay(database, false, [], '')?.deletion, null)
    assert.equal(cancelUnderWay({ ...database, deletion: { purging: true } }, false, [], ''), null)
  })

  test('a process without a document is removed', () => {
    const plan = planDatabase(aSituation({ database: undefined, observed: [aShard(living)] }))
    assert.equal(firstStep(plan), 'remove-shard')
  })
})

/**
 * A machine in miniature: carries steps out on observations, sometimes fails, is sometimes interrupted between two
 * steps, and loses processes now and then. Whatever happens on the way, asking the planner again must end with the
 * document come true, or given up, and never go on for ever.
 */
describe('from anywhere', () => {
  const shardStates = fc.constantFrom(
    'stopped' as const,
    'starting' as const,
    'loading' as const,
    'running' as const,
    'exited' as const,
  )

  test('the planner converges in a bounded number of passes, whatever it starts from', () => {
    const start = fc.record({
      state: fc.option(shardStates, { nil: undefined }),
      isConfigured: fc.boolean(),
      deletion: fc.option(fc.record({ purging: fc.boolean() }), { nil: null }),
      status: fc.option(fc.constantFrom('converged' as const, 'recovering' as const, 'creation-failed' as const), {
        nil: undefined,
      }),
      stray: fc.boolean(),
      events: fc.array(fc.constantFrom('ok', 'fail', 'crash'), { maxLength: 8 }),
    })
    fc.assert(
      fc.property(start, ({ state, isConfigured, deletion, status: phase, stray, events }) => {
        let database: DatabaseDocument | undefined = aDatabase({ deletion, actionUid: 'action-1' })
        let status: StatusDocument | undefined =
          phase && aStatus({ phase, generation: phase === 'creation-failed' ? 0 : 1 })
        let observed: ObservedShard[] = state
          ? [aShard(database, { state, ...(isConfigured ? {} : { specDigest: null }) })]
          : []
        if (stray) observed.push(aShard(database, { uid: 99 }))
        let attempts = NO_ATTEMPTS
        let nowMs = NOW_MS
        for (let pass = 0; pass < 60; pass++) {
          const situation: Situation = aSituation({ database, status, observed, attempts, nowMs })
          const plan = planDatabase(situation)
          assert.deepEqual(planDatabase(situation), plan, 'the same situation must give the same plan')
          if (plan.kind === 'nothing') return
          const event = events.shift() ?? 'ok'
          if (plan.kind === 'wait') {
            nowMs = Math.max(nowMs + 1, plan.untilMs)
            observed = observed.map((shard) =>
              shard.state === 'starting' || shard.state === 'loading' ? { ...shard, state: 'running' as const } : shard,
            )
          } else if (plan.kind === 'act') {
            if (event === 'fail') {
              attempts = { failures: attempts.failures + 1, lastError: 'made to fail', lastFailedAtMs: nowMs }
              continue
            }
            observed = carryOut(plan, observed, event === 'crash')
          } else {
            ;({ database, status } = writeDown(plan, database, status))
          }
        }
        assert.fail('the planner went round in circles')
      }),
      { numRuns: 500 },
    )
  })

  function carryOut(plan: Plan & { kind: 'act' }, observed: ObservedShard[], isCut: boolean): ObservedShard[] {
    let next = observed
    for (const step of isCut ? plan.steps.slice(0, 1) : plan.steps) {
      if (step.kind === 'remove-shard') next = next.filter((shard) => shard.uid !== step.shardUid)
      else if (step.kind === 'stop-shard') {
        next = next.map((shard) => (shard.uid === step.shardUid ? { ...shard, state: 'stopped' as const } : shard))
      } else if ('spec' in step) {
        const { spec } = step
        const made = aShard(aDatabase(), { uid: spec.uid, specDigest: specDigest(spec), flushes: spec.flushes })
        next = [...next.filter((shard) => shard.uid !== spec.uid), made]
      }
    }
    return next
  }

  function writeDown(plan: Plan, database: DatabaseDocument | undefined, status: StatusDocument | undefined) {
    switch (plan.kind) {
      case 'settle':
        return {
          database: database && settle(database),
          status: aStatus({
            phase: plan.phase,
            generation: plan.phase === 'converged' ? (database?.generation ?? 0) : 0,
          }),
        }
      case 'give-up-creating':
        return { database, status: aStatus({ phase: 'creation-failed', generation: 0, reason: plan.reason }) }
      case 'begin-purge':
        return { database: database && { ...database, deletion: { purging: true } }, status }
      case 'forget':
        return { database: undefined, status: undefined }
      case 'undo-change':
        return { database: database && undoChange(database, ''), status }
      default:
        return { database, status }
    }
  }
})

test('the digest of a spec says whether the processes differ, and nothing else', () => {
  const database = aDatabase()
  const [place] = database.shards
  assert.ok(place)
  const lead = { group: place.group, shardUid: place.uid, term: 1 }
  const digest = (document: DatabaseDocument) => specDigest(shardSpec(document, place, AROUND, lead))
  assert.equal(digest({ ...database, generation: 9, flushes: 3 }), digest(database))
  const config = { ...database.config, authentication_redis_pass: 'secret' }
  assert.notEqual(digest({ ...database, config }), digest(database))
})
