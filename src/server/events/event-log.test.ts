import assert from 'node:assert/strict'
import { mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { harmless } from '#model/event.ts'
import { Allowance } from './allowance.ts'
import { EventLog, type EventQuery, MOST_EVENTS } from './event-log.ts'
import { LineFiles } from './line-files.ts'
import { carriedOutType } from './types.ts'

const START_MS = Date.parse('2026-01-01T00:00:00.000Z')
const ALL: EventQuery = {
  sinceMs: 0,
  untilMs: Number.MAX_SAFE_INTEGER,
  order: 'asc',
  offset: 0,
  limit: undefined,
  isVisible: () => true,
}

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-events-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

/** Each event is a second after the one before. */
function open(folder: string, options: { fileBytes?: number; files?: number } = {}) {
  const troubles: unknown[] = []
  let nowMs = START_MS
  const { fileBytes = 10_000_000, files = 5 } = options
  const log = new EventLog({
    files: new LineFiles({ folder, name: 'audit', fileBytes, files }),
    now: () => {
      nowMs += 1_000
      return nowMs
    },
    onTrouble: (error) => troubles.push(error),
  })
  return { log, troubles }
}

function record(log: EventLog, from: number, to: number): void {
  for (let number = from; number <= to; number++)
    log.record({ type: 'bdb_updated', severity: 'INFO', object_uid: String(number), bdb_uid: String(number % 3) })
}

async function uids(log: EventLog, query: Partial<EventQuery> = {}): Promise<number[]> {
  return (await log.read({ ...ALL, ...query })).map(({ object_uid }) => Number(object_uid))
}

const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('shows what was recorded in either order, in pages, and between two times', async (t) => {
  const { log } = open(await folderOf(t))
  record(log, 1, 1_000)
  assert.deepEqual(await uids(log), range(1, 1_000))
  assert.deepEqual(await uids(log, { order: 'desc' }), range(1, 1_000).reverse())
  assert.deepEqual(await uids(log, { offset: 10, limit: 3 }), [11, 12, 13])
  assert.deepEqual(await uids(log, { order: 'desc', offset: 10, limit: 3 }), [990, 989, 988])
  assert.deepEqual(await uids(log, { limit: 0 }), [])
  const between = { sinceMs: START_MS + 5_000, untilMs: START_MS + 8_000 }
  assert.deepEqual(await uids(log, between), [5, 6, 7, 8])
  assert.deepEqual(await uids(log, { ...between, order: 'desc', limit: 2 }), [8, 7])
  assert.deepEqual(await uids(log, { isVisible: ({ bdb_uid }) => bdb_uid === '0', limit: 3 }), [3, 6, 9])
  log.close()
})

test('loses no line where files are set aside, and keeps a bounded number of them', async (t) => {
  const folder = await folderOf(t)
  const { log } = open(folder, { fileBytes: 2_000, files: 4 })
  record(log, 1, 50)
  assert.deepEqual(await uids(log), range(1, 50))
  const before = new LineFiles({ folder, name: 'audit', fileBytes: 2_000, files: 4 }).snapshot()
  record(log, 51, 500)
  const seen = await Array.fromAsync(before.lines('asc'), (line) => Number(JSON.parse(line).object_uid))
  before.close()
  assert.deepEqual(seen, range(1, 50), 'what is set aside and removed while somebody reads is read all the same')
  const names = await readdir(folder)
  assert.equal(names.length, 4)
  for (const name of names) {
    const { size, mode } = await stat(join(folder, name))
    assert.ok(size <= 2_000, `${name} has ${size} bytes`)
    assert.equal(mode & 0o777, 0o600)
  }
  const kept = await uids(log)
  assert.deepEqual(kept, range(kept[0] ?? 0, 500), 'the newest are there without a gap')
  log.close()
  const again = open(folder, { fileBytes: 2_000, files: 4 }).log
  record(again, 501, 510)
  assert.deepEqual((await uids(again)).slice(-20), range(491, 510))
  again.close()
})

test('half a line, and what is no line of ours, costs nothing else', async (t) => {
  const folder = await folderOf(t)
  const first = open(folder).log
  record(first, 1, 3)
  first.close()
  const path = join(folder, 'audit.log')
  const whole = await readFile(path, 'utf8')
  await writeFile(
    path,
    `${'x'.repeat(200_000)}\nzzz\n{"time":"9999-99-99\n${whole}{"time":"2026-01-01T00:00:04.000Z","ty`,
  )
  const { log } = open(folder)
  record(log, 4, 5)
  assert.deepEqual(await uids(log), [1, 2, 3, 4, 5])
  assert.deepEqual(await uids(log, { order: 'desc' }), [5, 4, 3, 2, 1])
  log.close()
})

test('a full disk stops nothing: lines wait, and the surplus is counted', async (t) => {
  const folder = await folderOf(t)
  const path = join(folder, 'audit.log')
  await symlink('/dev/full', path)
  const { log, troubles } = open(folder)
  record(log, 1, 2_100)
  assert.equal(troubles.length, 1, 'it is said once')
  assert.deepEqual((await uids(log)).slice(-1), [2_000], 'what waits can be read')
  await rm(path)
  record(log, 2_101, 2_101)
  const events = await log.read({ ...ALL, order: 'desc', limit: 2 })
  assert.deepEqual(
    events.map(({ type, count, object_uid }) => [type, count ?? object_uid]),
    [
      ['events_lost', 101],
      ['bdb_updated', '2000'],
    ],
  )
  assert.equal((await readFile(path, 'utf8')).trimEnd().split('\n').length, 2_001)
  log.close()
})

test('an answer has a bounded number of events: without a limit, the newest', async (t) => {
  const { log } = open(await folderOf(t))
  record(log, 1, MOST_EVENTS + 5)
  assert.deepEqual(await uids(log), range(6, MOST_EVENTS + 5))
  assert.equal((await uids(log, { limit: 1_000_000 })).length, MOST_EVENTS)
  assert.deepEqual(await uids(log, { offset: MOST_EVENTS, limit: 1_000_000 }), range(MOST_EVENTS + 1, MOST_EVENTS + 5))
  log.close()
})

test('a flood of refusals is counted, and pushes nothing out', async (t) => {
  const { log } = open(await folderOf(t))
  record(log, 1, 1)
  for (let number = 0; number < 10_000; number++)
    log.recordRefusal({ type: 'login_failed', severity: 'WARNING', remote_address: '10.0.0.1' })
  log.recordRefusal({ type: 'login_failed', severity: 'WARNING', remote_address: '10.0.0.2' })
  const events = await log.read(ALL)
  assert.equal(events.length, 1 + 120 + 1)
  assert.equal(events.at(-1)?.remote_address, '10.0.0.2', 'others are written down all the same')
  const lines: string[] = []
  log.onLine((line) => lines.push(line))
  log.close()
  assert.deepEqual(
    lines.map((line) => [JSON.parse(line).type, JSON.parse(line).remote_address, JSON.parse(line).count]),
    [['refusals_counted', '10.0.0.1', 9_880]],
  )
})

test('refusals from everywhere at once take bounded memory', () => {
  const allowance = new Allowance({ eachMinute: 2, allMinute: 5, addresses: 3 })
  const taken = range(1, 100).map((number) => allowance.take(`10.0.0.${number}`))
  assert.equal(taken.filter(Boolean).length, 5)
  const counted = allowance.renew()
  assert.ok(counted.length <= 4)
  assert.equal(
    counted.reduce((sum, { count }) => sum + count, 0),
    95,
  )
  assert.deepEqual(allowance.renew(), [])
})

test('names that others chose cannot write lines, colours or other directions', () => {
  assert.equal(harmless('a\n{"time":1}\u001b[31m\u202e\u0085'), 'a\\u{a}{"time":1}\\u{1b}[31m\\u{202e}\\u{85}')
  assert.equal(harmless('x'.repeat(1_000)).length, 129)
  assert.equal(harmless('Zoë Ω 漢字 😀'), 'Zoë Ω 漢字 😀')
})

test('events are called as the reference calls them, and alike where it has no name', () => {
  const cases: [string, string, string][] = [
    ['POST', '/v1/bdbs', 'bdb_created'],
    ['POST', '/v2/bdbs', 'bdb_created'],
    ['PUT', '/v1/bdbs/{uid}', 'bdb_updated'],
    ['PUT', '/v1/bdbs/{uid}/{action}', 'bdb_updated'],
    ['DELETE', '/v1/bdbs/{uid}/passwords', 'bdb_updated'],
    ['DELETE', '/v1/bdbs/{uid}', 'bdb_deleted'],
    ['PUT', '/v1/users/password', 'user_updated'],
    ['POST', '/v1/users', 'user_created'],
    ['DELETE', '/v1/users/{uid}', 'user_deleted'],
    ['PUT', '/v1/cluster', 'cluster_updated'],
    ['PUT', '/v1/cluster/policy', 'cluster_updated'],
    ['PUT', '/v1/license', 'license_updated'],
    ['DELETE', '/v1/redis_acls/{uid}', 'redis_acl_deleted'],
  ]
  for (const [method, path, type] of cases)
    assert.equal(carriedOutType({ method: method as 'PUT', path }), type, `${method} ${path}`)
})
