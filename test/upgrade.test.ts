/**
 * Upgrades: the processes of a database are replaced by those of another version while applications write, and nothing is
 * lost. The other versions are the installed engine under another number, as far as it is told; one of them cannot start.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { clientOf } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const REDIS = execFileSync('which', ['redis-server'], { encoding: 'utf8' }).trim()
const OWN = /v=(\d+\.\d+\.\d+)/.exec(execFileSync(REDIS, ['--version'], { encoding: 'utf8' }))?.[1] ?? ''
const folder = mkdtempSync(join(tmpdir(), 'engines-'))

/** The real engine, which says of itself that it is another version. `start`: what happens instead of serving. */
function anEngine(version: string, start = `exec ${REDIS} "$@"`): string {
  const path = join(folder, `redis-${version}`)
  const says = `${REDIS} --version | sed 's/v=[0-9.]*/v=${version}/'`
  writeFileSync(path, `#!/bin/sh\nif [ "$1" = --version ]; then ${says}; else ${start}; fi\n`, { mode: 0o755 })
  return `redis=${path}`
}

const [newer, broken, older] = ['7.2.99', '7.9.1', '6.2.1'].map((version) =>
  anEngine(version, version === '7.9.1' ? 'echo "Bad file format reading the data" >&2; exit 1' : undefined),
)
const args = [newer, broken, older].flatMap((engine) => ['--engine', engine ?? ''])

withInstance('upgrades', { args }, (it) => {
  const upgrade = (uid: number, body: object) => it().api.post(`/v1/bdbs/${uid}/upgrade`, body)
  const ended = (actionUid: string) =>
    until(
      'the action to end',
      async () => {
        const { json } = await it().api.get(`/v2/actions/${actionUid}`)
        const action = { status: json.status, error: json.additional_info.error ?? '' }
        return (action.status === 'completed' || action.status === 'failed') && action
      },
      60_000,
    )

  for (const layout of [{}, { replication: true }, { sharding: true, shards_count: 2 }]) {
    const title = JSON.stringify(layout)
    test(`loses no write that was answered, while applications go on writing: ${title}`, async (t) => {
      const made = await it().create({ name: 'grows', memory_size: 60_000_000, redis_version: OWN, ...layout })
      const { uid, endpoints, shard_list: before } = made
      const client = clientOf(t, endpoints[0].port, { retryStrategy: () => 2, maxRetriesPerRequest: 0 })
      const acknowledged = new Set<string>()
      let isOver = false
      t.after(() => {
        isOver = true
      })
      const load = (async () => {
        for (let index = 0; !isOver; index++) {
          const key = `key:${index}`
          await client.set(key, index).then(
            () => acknowledged.add(key),
            () => delay(1),
          )
        }
      })()
      await until('some writes', () => acknowledged.size > 200)
      const { json, status, text } = await upgrade(uid, { redis_version: '7.2' })
      assert.equal(status, 200, text)
      assert.equal(json.status, 'active-change-pending')
      assert.deepEqual(await ended(json.action_uid), { status: 'completed', error: '' })
      const count = acknowledged.size
      await until('writes after it', () => acknowledged.size > count + 200)
      isOver = true
      await load
      for (const key of acknowledged) assert.equal(await client.get(key), key.slice(4))
      const after = (await it().api.get(`/v1/bdbs/${uid}`)).json
      assert.deepEqual([after.version, after.status], ['7.2.99', 'active'])
      assert.equal(after.shard_list.length, before.length)
      for (const shard of before) assert.ok(!after.shard_list.includes(shard))
      const processes = (await it().engines()).map(({ shardUid }) => shardUid)
      for (const shard of after.shard_list) assert.ok(processes.includes(shard))
      await until('the old processes to be gone', async () => {
        const folders = await it().folders()
        return !before.some((shard: number) => folders.includes(shard))
      })
      assert.equal((await it().api.delete(`/v1/bdbs/${uid}`)).status, 200)
      await it().gone(uid)
    })
  }

  test('one that cannot start is given up with its last words, and the database is as it was', async (t) => {
    const { uid, endpoints, shard_list } = await it().create({ name: 'stays', redis_version: OWN })
    const client = clientOf(t, endpoints[0].port)
    await client.set('kept', 'yes')
    const { json } = await upgrade(uid, { redis_version: '7.9' })
    const { status, error } = await ended(json.action_uid)
    assert.equal(status, 'failed')
    assert.match(error, /Bad file format/)
    await it().active(uid)
    const after = (await it().api.get(`/v1/bdbs/${uid}`)).json
    assert.deepEqual([after.version, after.shard_list], [OWN, shard_list])
    // The same connection, of the same process.
    assert.equal(await client.get('kept'), 'yes')
  })

  test('goes on where it was when the control plane is killed in the middle', async (t) => {
    const { uid, endpoints } = await it().create({
      name: 'cut',
      redis_version: OWN,
      replication: true,
      memory_size: 50_000_000,
    })
    const client = clientOf(t, endpoints[0].port)
    await client.set('kept', 'yes')
    const { json } = await upgrade(uid, { redis_version: '7.2' })
    await it().kill()
    await it().start()
    assert.equal((await ended(json.action_uid)).status, 'completed')
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.version, '7.2.99')
    assert.equal(await client.get('kept'), 'yes')
  })

  test('fresh processes of the same version, if that is asked for; nothing otherwise', async () => {
    const { uid, shard_list } = await it().create({ name: 'fresh', redis_version: OWN })
    const same = await upgrade(uid, { keep_redis_version: true })
    assert.deepEqual([same.status, same.json.status, same.json.shard_list], [200, 'active', shard_list])
    const { json } = await upgrade(uid, { redis_version: OWN, force_restart: true })
    assert.equal((await ended(json.action_uid)).status, 'completed')
    const after = (await it().api.get(`/v1/bdbs/${uid}`)).json
    assert.equal(after.version, OWN)
    assert.notDeepEqual(after.shard_list, shard_list)
  })

  test('what cannot be had is refused by name', async () => {
    const { uid } = await it().create({ name: 'refused', redis_version: '7.2' })
    const cases: [object, string, string][] = [
      [{ redis_version: '9.9' }, 'invalid_version', 'redis_version'],
      [{ redis_version: OWN }, 'invalid_version', 'redis_version'],
      [{ redis_version: 7 }, 'invalid_field', 'redis_version'],
      [{ force_restart: 'yes' }, 'invalid_field', 'force_restart'],
      [{ modules: [{}] }, 'unsupported_feature', 'modules'],
      [{ parallel_shards_upgrade: 0 }, 'invalid_field', 'parallel_shards_upgrade'],
      [{ redis_verson: OWN }, 'unknown_field', 'redis_verson'],
    ]
    for (const [body, code, field] of cases) {
      const { json, status } = await upgrade(uid, body)
      assert.ok(status >= 400 && status < 500)
      assert.deepEqual([json.error_code, json.field], [code, field], JSON.stringify(body))
    }
    assert.equal((await upgrade(999, {})).json.error_code, 'db_not_exist')
  })
})
