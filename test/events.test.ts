/**
 * The audit trail of a real cluster: who did and tried what, what became of databases, who may see it, and that it
 * survives whatever happens to the control plane and its disk.
 */
import assert from 'node:assert/strict'
import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { before, test } from 'node:test'
import { type Instance, killNow, PASSWORD, USER } from './support/instance.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

// biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
type Event = any

onEachStore('events', (it) => {
  let first = 0
  let second = 0

  before(async () => {
    first = (await it().create({ name: 'first' })).uid
    second = (await it().create({ name: 'second' })).uid
  })

  test('a change is there with who, from where, what and how it ended', async () => {
    const headers = { 'x-request-id': 'mine-1' }
    const reply = await it().api.put(`/v1/bdbs/${first}`, { name: 'renamed' }, { headers })
    assert.equal(reply.headers['x-request-id'], 'mine-1')
    const [event] = await newest(it(), 1)
    assert.match(event.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    const { time: _time, ...rest } = event
    assert.deepEqual(rest, {
      type: 'bdb_updated',
      severity: 'INFO',
      originator: USER,
      user_uid: 1,
      remote_address: '127.0.0.1',
      method: 'PUT',
      path: '/v1/bdbs/{uid}',
      object_uid: String(first),
      bdb_uid: String(first),
      bdb_name: 'renamed',
      permission: 'update_bdb',
      request_id: 'mine-1',
      status: 200,
    })
    await it().settled()
  })

  test('creating, changing and deleting have the names that the reference gives them', async () => {
    const { api } = it()
    const { uid } = await it().create({ name: 'short-lived' })
    const user = (await api.post('/v1/users', { email: 'a@example.com', password: 'of-user-a' })).json.uid
    await api.put(`/v1/users/${user}`, { name: 'A' })
    await api.delete(`/v1/users/${user}`)
    await api.put('/v1/cluster', { email_from: 'x@example.com' })
    await api.put(`/v1/bdbs/${first}?dry_run`, { name: 'dry' })
    await api.delete(`/v1/bdbs/${uid}`)
    await it().gone(uid)
    const events = (await newest(it(), 7)).reverse()
    assert.deepEqual(
      events.map(({ type, object_uid }: Event) => [type, object_uid]),
      [
        ['bdb_created', String(uid)],
        ['user_created', String(user)],
        ['user_updated', String(user)],
        ['user_deleted', String(user)],
        ['cluster_updated', undefined],
        ['dry_run', String(first)],
        ['bdb_deleted', String(uid)],
      ],
    )
    assert.equal(events[0].bdb_name, 'short-lived')
    assert.equal(events[6].bdb_name, 'short-lived')
  })

  test('refused attempts are there, with the name that was claimed and nothing of the password', async () => {
    const { api } = it()
    await api.get('/v1/bdbs', { auth: 'ev\u001b[31mil\n:never-shown-1' })
    await api.get('/v1/bdbs', { auth: null, headers: { authorization: 'Bearer never.shown.2' } })
    await api.post('/v1/bdbs', { name: 'x', memory_siz: 'never-shown-3' })
    await api.delete('/v1/bdbs/99999')
    await api.get('/v1/bdbs/99999')
    const events = (await newest(it(), 4)).reverse()
    assert.deepEqual(
      events.map(({ type, severity, status, error_code, originator, object_uid }: Event) => [
        type,
        severity,
        status,
        error_code,
        originator,
        object_uid,
      ]),
      [
        ['login_failed', 'WARNING', 401, 'unauthorized', 'ev\\u{1b}[31mil\\u{a}', undefined],
        ['login_failed', 'WARNING', 401, 'unauthorized', undefined, undefined],
        ['request_refused', 'WARNING', 400, 'unknown_field', USER, undefined],
        ['request_refused', 'WARNING', 404, 'db_not_exist', USER, '99999'],
      ],
      'a read that finds nothing is not there',
    )
    assert.doesNotMatch(await readFile(join(it().dataDir, 'logs/audit.log'), 'utf8'), /never.shown/)
  })

  test('somebody who is limited to some databases sees what is about those', async () => {
    const { api } = it()
    const resources = [{ type: 'db', uids: [String(second)] }]
    const role = (await api.post('/v1/roles', { name: 'limited', management: 'db_member', resources })).json.uid
    const auth = 'limited@example.com:of-limited'
    await api.post('/v1/users', { email: 'limited@example.com', password: 'of-limited', role_uids: [role] })
    await api.put(`/v1/bdbs/${second}`, { name: 'second-renamed' })
    assert.equal((await api.put(`/v1/bdbs/${first}`, { name: 'no' }, { auth })).status, 403)
    const { status, json } = await api.get('/v1/logs', { auth })
    assert.equal(status, 200)
    assert.deepEqual(new Set(json.map(({ bdb_uid }: Event) => bdb_uid)), new Set([String(second)]))
    assert.ok(json.some(({ type }: Event) => type === 'bdb_updated'))
    const [denied] = await newest(it(), 1)
    assert.deepEqual(
      [denied.type, denied.originator, denied.bdb_uid, denied.permission],
      ['permission_denied', 'limited@example.com', String(first), 'update_bdb'],
    )
    await api.post('/v1/users', { email: 'viewer@example.com', password: 'of-viewer', role: 'db_viewer' })
    assert.equal((await api.get('/v1/logs', { auth: 'viewer@example.com:of-viewer' })).status, 403)
  })

  test('who guesses too often is locked out, and that is an event', async () => {
    const { api } = it()
    const { json } = await api.post('/v1/users', { email: 'guessed@example.com', password: 'of-guessed' })
    for (let tries = 0; tries < 5; tries++) await api.get('/v1/bdbs', { auth: 'guessed@example.com:wrong' })
    const event = await until('the lock-out', async () =>
      (await newest(it(), 20)).find(({ type }: Event) => type === 'user_locked_out'),
    )
    assert.deepEqual([event.originator, event.object_uid], ['guessed@example.com', String(json.uid)])
  })

  test('a shard that died and came back is there', async () => {
    const [engine] = await it().engines()
    assert.ok(engine)
    const shard = (await it().api.get(`/v1/shards/${engine.shardUid}`)).json
    killNow(engine.pid)
    await until('both events', async () => {
      const about = (await newest(it(), 20)).filter(({ bdb_uid }: Event) => bdb_uid === String(shard.bdb_uid))
      const told = about.filter(({ type }: Event) => type.startsWith('shard_'))
      const shown = told.map(({ type, severity, object_uid }: Event) => `${type} ${severity} ${object_uid}`)
      return String(shown) === `shard_restarted INFO ${engine.shardUid},shard_died ERROR ${engine.shardUid}`
    })
  })

  test('what was answered survives kill -9, and only its owner can read it', async () => {
    await it().api.put(`/v1/bdbs/${first}`, { name: 'just-before' })
    await it().kill()
    await it().start()
    const events = await newest(it(), 3)
    assert.equal(events[0].type, 'control_plane_started')
    const last = events.find(({ type }: Event) => type === 'bdb_updated')
    assert.equal(last?.bdb_name, 'just-before')
    const { mode } = await stat(join(it().dataDir, 'logs/audit.log'))
    assert.equal(mode & 0o777, 0o600)
  })

  test('pages and times, and what is neither is refused', async () => {
    const { api } = it()
    const all = (await api.get('/v1/logs')).json
    const times = all.map(({ time }: Event) => time)
    assert.deepEqual(times, times.toSorted(), 'oldest first')
    assert.deepEqual((await api.get('/v1/logs?order=desc&limit=2&offset=1')).json, all.slice(-3, -1).reverse())
    const { time } = all[3]
    const since = (await api.get(`/v1/logs?stime=${time}&etime=${time}`)).json
    assert.deepEqual(
      since,
      all.filter((event: Event) => event.time === time),
    )
    assert.deepEqual((await api.get('/v1/logs?etime=2001-01-01')).json, [])
    for (const query of ['stime=yesterday', 'order=up', 'limit=-1', 'limit=1e3', 'offset=x', 'etime=2026-13-01']) {
      const reply = await api.get(`/v1/logs?${query}`)
      assert.deepEqual([reply.status, reply.json.field], [400, query.split('=')[0]], query)
    }
    const { json: mine } = await api.get('/v1/logs', { auth: `${USER}:${PASSWORD}` })
    for (const event of mine)
      for (const [name, value] of Object.entries(event))
        assert.ok(typeof value === 'string' || Number.isInteger(value), `${name} is ${value}`)
  })
})

async function newest(it: Instance, count: number): Promise<Event[]> {
  const { status, json, text } = await it.api.get(`/v1/logs?order=desc&limit=${count}`)
  assert.equal(status, 200, text)
  return json
}
