/**
 * Diagnostic logging of a real cluster: when it is wanted each collector writes its file, with what was there to be found
 * and none of the secrets.
 */
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { isDeepStrictEqual } from 'node:util'
import { createClient } from 'redis'
import type { Reply } from './support/api.ts'
import { startInstance } from './support/instance.ts'
import { scraperOf, valueIn } from './support/metrics.ts'
import { until } from './support/wait.ts'

const PATH = '/v1/diagnostics'
/** The next full minute, and what it takes to collect on a busy machine. */
const NEXT_MINUTE_MS = 110_000
const SECRET = 'not-for-strangers'

type Line = Reply['json']
/** Its number, when, how many microseconds it took, and its words. */
type SlowEntry = [number, number, number, string[]]

test('collectors write at their times what they find, each over its last, and none of the secrets', async (t) => {
  const it = await startInstance(t)
  const { scrape } = scraperOf(() => it)
  const file = (name: string) => join(it.dataDir, 'logs', 'diagnostics', `${name}.jsonl`)
  const lines = async (name: string): Promise<Line[]> => {
    const text = await readFile(file(name), 'utf8')
    assert.ok(!text.includes(SECRET), `${name} has a secret`)
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line))
  }
  const { uid, endpoints } = await it.create({
    name: 'watched',
    replication: true,
    data_persistence: 'aof',
    authentication_redis_pass: SECRET,
  })
  const { json: before } = await it.api.get(PATH)
  assert.equal(Object.keys(before).length, 13)
  assert.deepEqual(before.slowlog_target, { cron_expression: '*/10 * * * *', max_entries: 100 })
  const often = Object.fromEntries(Object.keys(before).map((name) => [name, { cron_expression: '* * * * *' }]))
  const wanted = { ...often, slowlog_target: { cron_expression: '* * * * *', max_entries: 2 } }
  const set = await it.api.put(PATH, wanted)
  assert.equal(set.status, 200, set.text)
  assert.deepEqual(set.json, wanted)
  await it.kill()
  await it.start()
  assert.deepEqual((await it.api.get(PATH)).json, wanted)

  const client = createClient({
    url: `redis://127.0.0.1:${endpoints[0].port}`,
    password: SECRET,
    name: 'an-application',
  })
  client.on('error', () => undefined)
  await client.connect()
  t.after(async () => client.destroy())
  const spin = 'local n = 0; for i = 1, 3000000 do n = n + i end; return n'
  for (const mark of ['one', 'two', 'three']) await client.eval(`${spin} -- ${mark}`)

  const counted = async () => {
    const told = await scrape('/v2')
    const names = [
      'other_requests',
      'read_requests',
      'total_connections_received',
      'successful_user_password_authentication',
    ]
    return names.map((name) => valueIn(told, `endpoint_${name}`, { db: String(uid) }))
  }
  const info = async () =>
    valueIn(await scrape('/v2'), 'redis_server_total_commands_processed', { role: 'master' }) ?? 0
  /** One that was under way may have begun before. */
  const nextReadings = async () => {
    for (const _ of [1, 2]) {
      const seen = await info()
      await until('the next reading of the shard', async () => (await info()) !== seen)
    }
  }
  await nextReadings()
  const asked = await counted()
  assert.ok(
    asked.every((count) => count !== undefined),
    asked.join(' '),
  )
  const since = new Date().toISOString()
  const names = Object.keys(wanted).map((name) => name.replace('_target', ''))
  const collectedAt = async (name: string) => (await lines(name))[0].collected_at
  await until(
    'every file',
    async () => (await Promise.all(names.map(collectedAt))).every((at) => at > since),
    NEXT_MINUTE_MS,
  )
  await nextReadings()
  assert.deepEqual(await counted(), asked, 'what is collected is no request of an application')
  const { json: shards } = await it.api.get(`/v1/bdbs/${uid}/shards`)
  const uids = shards.map((shard: Line) => Number(shard.uid)).sort()
  const primary = Number(shards.find(({ role }: Line) => role === 'master').uid)
  const found = async (name: string) => (await lines(name)).slice(1)
  for (const name of ['bdb', 'socket_files']) {
    const [{ collected_at }] = await lines(name)
    assert.match(collected_at, /^20\d\d-.*Z$/)
    assert.equal((await stat(file(name))).mode & 0o777, 0o600)
  }
  const [clients] = await found('bdb_client_list')
  assert.deepEqual([clients.bdb_uid, clients.shard_uid], [uid, primary])
  assert.match(clients.clients, /name=an-application/)
  for (const name of ['shard_info', 'command_stats', 'shard_latency', 'shard_latency_histogram', 'slowlog'])
    assert.deepEqual((await found(name)).map(({ shard_uid }) => shard_uid).sort(), uids, name)
  for (const { info } of await found('shard_info')) assert.match(info.used_memory, /^\d+$/)
  const of = async (name: string) => (await found(name)).find(({ shard_uid }) => shard_uid === primary)
  assert.match((await of('command_stats')).commands.cmdstat_eval, /^calls=3,/)
  // The engine is asked what it logged: on a busy machine an INFO may be slower than the test's own commands.
  const logged = (await client.sendCommand<SlowEntry[]>(['SLOWLOG', 'GET', '-1'])).map(([, , took, words]) => [
    took,
    words[1],
  ])
  const marks = logged.flatMap(([, word]) => /-- (\w+)$/.exec(String(word))?.[1] ?? [])
  assert.deepEqual(marks, ['three', 'two', 'one'])
  const kept = (await of('slowlog')).commands.map(({ tookMicroseconds, words }: Line) => [tookMicroseconds, words[1]])
  assert.equal(kept.length, 2)
  const newest = logged.findIndex((entry) => isDeepStrictEqual(entry, kept[0]))
  assert.deepEqual(logged.slice(newest, newest + 2), kept, 'two of the log, newest first')
  assert.ok((await of('shard_latency_histogram')).histograms.eval, 'the histogram of EVAL')
  assert.deepEqual(
    (await found('bdb_info')).map(({ shard_uid }) => shard_uid),
    [primary],
  )
  assert.equal((await found('bdb'))[0].database.name, 'watched')
  assert.match((await found('network_stats'))[0].dev, /lo:/)
  const files = await found('persistent_files')
  assert.ok(files.some(({ shardUid, path }) => shardUid === primary && /appendonlydir\/.*\.aof/.test(path)))
  assert.deepEqual((await found('shard')).map(({ uid: shard }) => shard).sort(), uids)
  const sockets = (await found('socket_files')).filter(({ shardUid }) => shardUid !== null)
  assert.deepEqual(sockets.map(({ shardUid }) => shardUid).sort(), uids)
  assert.ok(sockets.every(({ mode }) => /^0[67]\d\d$/.test(mode)))
  const status = await found('rladmin_status')
  assert.deepEqual([status[0].node, status[0].status], [1, 'active'])
  assert.ok(status.some((line) => line.db === uid && line.name === 'watched' && line.status === 'active'))

  for (const [body, field] of [
    [{ shard_target: { cron_expression: 'daily' } }, 'shard_target.cron_expression'],
    [{ slowlog_target: { max_entries: 0 } }, 'slowlog_target.max_entries'],
    [{ shards_target: {} }, 'shards_target'],
  ] as const) {
    const { status: code, json } = await it.api.put(PATH, body)
    assert.deepEqual([code, json.field], [400, field])
  }
})
