import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type TestContext, test } from 'node:test'
import { MemoryStore } from '#store/memory.ts'
import { Sealer } from '#store/sealing.ts'
import { State } from '#store/state.ts'
import { type Job, JobScheduler } from './scheduler.ts'

const MINUTE = 60_000
const FIVE_MINUTES = { node_checks_job_settings: { cron_expression: '*/5 * * * *', enabled: true } }

/** A scheduler on a clock that the test moves. `checks` is what the job does. */
async function scheduled(t: TestContext, checks: Job) {
  const state = new State({ store: new MemoryStore(), sealer: new Sealer([randomBytes(32)]), onTrouble: assert.fail })
  await state.view.start()
  const set = async (jobs: Record<string, unknown>) => {
    const cluster = { name: 'c', createdAt: '', settings: {}, policy: {}, jobs }
    await state.view.commit({ compare: [], changes: [state.cluster.put('', cluster)], configuration: true })
  }
  await set(FIVE_MINUTES)
  t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.parse('2026-01-01T00:01:00Z') })
  const warnings: unknown[] = []
  const say = () => {}
  const log = { debug: say, info: say, error: say, warn: (facts: object) => void warnings.push(facts) }
  const scheduler = new JobScheduler({ state, jobs: { node_checks: checks, cert_rotation: async () => {} }, log })
  t.after(() => {
    scheduler.close()
    state.view.close()
  })
  // It looks at the clock at least every 30 s, so that one that was set is followed.
  const pass = async (ms: number) => {
    for (let left = ms; left > 0; left -= 10_000) {
      t.mock.timers.tick(10_000)
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
  return { set, pass, warnings, scheduler }
}

test('does a job when its time comes, and at other times once they are changed', async (t) => {
  let runs = 0
  const { set, pass, scheduler } = await scheduled(t, async () => void runs++)
  await pass(3 * MINUTE)
  assert.equal(runs, 0)
  await pass(2 * MINUTE)
  assert.equal(runs, 1)
  await set({ node_checks_job_settings: { cron_expression: '* * * * *', enabled: true } })
  await pass(3 * MINUTE)
  assert.equal(runs, 4)
  await set({ node_checks_job_settings: { cron_expression: '* * * * *', enabled: false } })
  await pass(5 * MINUTE)
  assert.equal(runs, 4)
  await set(FIVE_MINUTES)
  scheduler.close()
  await pass(10 * MINUTE)
  assert.equal(runs, 4)
})

test('a job that fails is told of, and done again the next time', async (t) => {
  const { pass, warnings } = await scheduled(t, () => Promise.reject(new Error('no disk')))
  await pass(10 * MINUTE)
  assert.equal(warnings.length, 2)
})

test('a job that is still under way is not begun a second time, but once it is over', async (t) => {
  let runs = 0
  const over = Promise.withResolvers<void>()
  const { pass } = await scheduled(t, () => {
    runs++
    return over.promise
  })
  await pass(15 * MINUTE)
  assert.equal(runs, 1)
  over.resolve()
  await pass(MINUTE)
  assert.equal(runs, 2, 'what was due meanwhile is done once')
})
