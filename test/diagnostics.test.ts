/**
 * Finding out what is wrong: checks of the node, and support packages that hold everything but secrets.
 */
import assert from 'node:assert/strict'
import { readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import { unpackTar } from 'modern-tar'
import type { Reply } from './support/api.ts'
import { callOnce } from './support/redis-cluster.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

type Check = { name: string; result: boolean; error?: string }

withInstance('diagnostics', {}, (it) => {
  const checks = async (): Promise<Check[]> => (await it().api.get('/v1/nodes/check/1')).json.checks
  const named = async (name: string) => (await checks()).find((one) => one.name === name)

  test('a node tells each check, and the first that failed', async () => {
    await it().create({ name: 'checked' })
    const { json } = await it().api.get('/v1/nodes/check/1')
    const names = json.checks.map(({ name }: Check) => name)
    const documented = ['bootstrap_status', 'services', 'port_range', 'pidfiles', 'capabilities', 'existing_sockets']
    for (const name of [...documented, 'host_settings', 'tcp_connectivity']) assert.ok(names.includes(name), name)
    const failed = json.checks.find(({ result }: Check) => !result)
    assert.equal(json.result, failed === undefined)
    assert.equal(json.error, failed && `${failed.name}: ${failed.error}`)
    const cluster = (await it().api.get('/v1/cluster/check')).json
    assert.equal(cluster.cluster_test_result, json.result)
    assert.equal(cluster.nodes[0].node_uid, '1')
    assert.equal((await it().api.get('/v1/nodes/check/7')).json.error_code, 'node_not_found')
  })

  test('a control socket that is gone is found', async () => {
    const { shard_list } = await it().create({ name: 'no-socket' })
    const socket = join(it().dataDir, 'shards', String(shard_list[0]), 'control.sock')
    assert.equal((await named('existing_sockets'))?.result, true)
    await rename(socket, `${socket}.away`)
    const found = await named('existing_sockets')
    assert.match(found?.error ?? '', new RegExp(`shard ${shard_list[0]} runs, and its control socket is gone`))
    await rename(`${socket}.away`, socket)
    await until('the check to be well again', async () => (await named('existing_sockets'))?.result === true)
  })

  test('a support package holds what helps, and none of the secrets', async () => {
    const secret = 'not-for-"strangers"'
    const { uid } = await it().create({ name: 'helped', authentication_redis_pass: secret, data_persistence: 'aof' })
    // Somebody who types a password where it does not belong has it in the log.
    await it().api.get('/v1/bdbs', { auth: `${secret}:x` })
    const files = await unpacked(await it().api.get('/v1/cluster/debuginfo'))
    for (const name of ['cluster.json', 'events.jsonl', 'nodes/1/holdfast.log', 'nodes/1/checks.json'])
      assert.ok(files.has(name), `${name} is missing in ${[...files.keys()].join(' ')}`)
    assert.match(files.get(`databases/${uid}/database.json`) ?? '', /"name": "helped"/)
    const own = [...files].filter(([name]) => name.startsWith(`databases/${uid}/shards/`))
    assert.ok(own.some(([name, text]) => name.endsWith('engine.log') && /Server initialized/i.test(text)))
    assert.ok(own.some(([name, text]) => name.endsWith('info.json') && /used_memory/.test(text)))
    for (const [name, text] of files) {
      assert.ok(!text.includes(secret) && !text.includes(JSON.stringify(secret).slice(1, -1)), `${name} has a secret`)
      assert.ok(!text.includes('PRIVATE KEY') && !text.includes('$argon2'), `${name} has a secret`)
    }
  })

  test('jobs and the time zone are kept, in part or whole, and wrong ones refused by name', async () => {
    const { api } = it()
    const before = (await api.get('/v1/job_scheduler')).json
    assert.equal(before.cert_rotation_job_settings.expiry_days_before_rotation, 60)
    const changed = await api.put('/v1/job_scheduler', {
      cert_rotation_job_settings: { cron_expression: '30 2 * * *' },
    })
    assert.equal(changed.status, 200)
    const after = (await api.get('/v1/job_scheduler')).json.cert_rotation_job_settings
    assert.deepEqual(after, { ...before.cert_rotation_job_settings, cron_expression: '30 2 * * *' })
    const wrong = await api.put('/v1/job_scheduler', { cert_rotation_job_settings: { cron_expression: 'now' } })
    assert.equal(wrong.json.field, 'cert_rotation_job_settings.cron_expression')
    assert.equal((await api.put('/v1/cm_settings', { timezone: 'US/Pacific' })).json.timezone, 'US/Pacific')
    assert.equal((await api.put('/v1/cm_settings', { timezone: 'nowhere' })).json.field, 'timezone')
  })

  test('packages of one database, of a node, and for those who are limited to some databases', async () => {
    const [mine, other] = [await it().create({ name: 'mine' }), await it().create({ name: 'other' })]
    const one = await unpacked(await it().api.get(`/v1/bdbs/${mine.uid}/debuginfo`))
    assert.deepEqual(foldersOf(one), [`databases/${mine.uid}`])
    assert.deepEqual(foldersOf(await unpacked(await it().api.get('/v1/debuginfo/node'))), ['nodes/1'])
    assert.equal((await it().api.get('/v1/bdbs/999/debuginfo')).json.error_code, 'db_not_exist')

    const role = (
      await it().api.post('/v1/roles', {
        name: 'of-mine',
        management: 'db_member',
        resources: [{ type: 'db', uids: [String(mine.uid)] }],
      })
    ).json
    const auth = 'mine@example.com:Passw0rd!'
    const user = { email: 'mine@example.com', password: 'Passw0rd!', name: 'mine', role_uids: [role.uid] }
    assert.equal((await it().api.post('/v1/users', user)).status, 200)
    const limited = await unpacked(await it().api.get('/v1/cluster/debuginfo', { auth }))
    assert.deepEqual(foldersOf(limited), [`databases/${mine.uid}`])
    assert.equal((await it().api.get('/v1/nodes/debuginfo', { auth })).status, 403)
    assert.equal((await it().api.get(`/v1/bdbs/${other.uid}/debuginfo`, { auth })).status, 403)
  })
})

/** By name below the package's own folder. */
async function unpacked(reply: Reply): Promise<Map<string, string>> {
  assert.equal(reply.status, 200, reply.text)
  assert.equal(reply.headers['content-type'], 'application/x-gzip')
  assert.match(String(reply.headers['content-disposition']), /^attachment; filename=.+\.tar\.gz$/)
  const files = await unpackTar(gunzipSync(reply.bytes))
  return new Map(
    files.map(({ header, data }) => [header.name.replace(/^holdfast\//, ''), Buffer.from(data ?? []).toString()]),
  )
}

function foldersOf(files: ReadonlyMap<string, string>): string[] {
  return [...new Set([...files.keys()].map((name) => name.split('/').slice(0, 2).join('/')))]
}

withInstance('logs and services', {}, (it) => {
  const logLines = async () => (await readFile(join(it().dataDir, 'logs', 'holdfast.log'), 'utf8')).trim().split('\n')

  test('how much is logged changes while it runs, and stays so', async () => {
    assert.equal((await it().api.get('/v1/cluster/logging')).json.level, 'info')
    assert.equal((await it().api.put('/v1/cluster/logging', { level: 'error' })).status, 200)
    const before = (await logLines()).length
    await it().create({ name: 'quiet' })
    assert.equal((await logLines()).length, before)
    await it().interrupt()
    await it().start()
    await it().create({ name: 'quiet-too' })
    for (const line of (await logLines()).slice(before))
      assert.ok(JSON.parse(line).level >= 50 || /start|ready|adopt/.test(line), line)
    await it().api.put('/v1/cluster/logging', { level: 'info' })
    await it().create({ name: 'told' })
    await until('it to be logged', async () => (await logLines()).some((line) => line.includes('"planned"')))
    assert.equal((await it().api.put('/v1/cluster/logging', { level: 'loud' })).json.field, 'level')
  })

  test('a log that is full is set aside, and only so many are kept', async () => {
    assert.equal((await it().api.put('/v1/cluster', { logrotate_settings: { maxsize: '1k', rotate: 2 } })).status, 200)
    const { uid } = await it().create({ name: 'talks' })
    for (let size = 11; size < 20; size++) {
      await it().api.put(`/v1/bdbs/${uid}`, { memory_size: size * 1_000_000 })
      await it().active(uid)
    }
    const names = (await readdir(join(it().dataDir, 'logs'))).filter((name) => name.startsWith('holdfast'))
    assert.equal(names.length, 3, names.join(' '))
    const wrong = await it().api.put('/v1/cluster', { logrotate_settings: { maxsize: 'much' } })
    assert.equal(wrong.json.field, 'logrotate_settings.maxsize')
  })

  test('the log of a shard is told to those who may see it', async () => {
    const { shard_list } = await it().create({ name: 'logged' })
    const { json } = await it().api.get(`/v1/shards/${shard_list[0]}/log`)
    assert.match(json.log, /Server initialized/)
    const { json: short } = await it().api.get(`/v1/shards/${shard_list[0]}/log?bytes=200`)
    assert.ok(short.log.length <= 200 && json.log.endsWith(short.log))
    assert.equal((await it().api.get(`/v1/shards/${shard_list[0]}/log?bytes=0`)).json.field, 'bytes')
    assert.equal((await it().api.get('/v1/shards/999/log')).json.error_code, 'shard_not_exist')
  })

  test('discovery can be switched off and on; what is a part of the program cannot', async () => {
    const path = '/v1/cluster/services_configuration'
    const ask = () =>
      callOnce(it().ports.discovery, ['PING']).then(
        () => 'there',
        () => 'gone',
      )
    assert.equal(await ask(), 'there')
    assert.equal((await it().api.put(path, { sentinel_service: { operating_mode: 'disabled' } })).status, 200)
    await until('discovery to be gone', async () => (await ask()) === 'gone')
    await it().api.put(path, { sentinel_service: { operating_mode: 'enabled' } })
    await until('discovery to be back', async () => (await ask()) === 'there')
    const { json } = await it().api.put(path, { stats_archiver: { operating_mode: 'disabled' } })
    assert.deepEqual([json.error_code, json.field], ['unsupported_feature', 'stats_archiver.operating_mode'])
    assert.equal((await it().api.get(path)).json.alert_mgr.operating_mode, 'enabled')
  })
})
