/**
 * Starting: what is wrong with it is one clear line and exit code 2, before anything is touched.
 */
import assert from 'node:assert/strict'
import { cp, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { startInstance } from './support/instance.ts'

test('the generated password is shown once, kept in a file of one’s own, and works', async (t) => {
  const instance = await startInstance(t, { env: { HOLDFAST_PASSWORD: '' } })
  const [, shown] = /Password +(\S+)/.exec(instance.output) ?? []
  const { mode } = await stat(join(instance.dataDir, 'admin-password'))
  assert.equal(mode & 0o777, 0o600)
  assert.equal((await instance.api.get('/v1/bdbs', { auth: `admin@example.com:${shown}` })).status, 200)
  assert.match(instance.output, /curl -k -u "admin@example.com:/)
  await instance.interrupt()
  assert.match(instance.output, /has stopped/)
  await instance.start()
  assert.ok(!instance.output.includes(String(shown)), 'the second start does not show it again')
})

test('a wrong setting, a taken port and an unusable folder are one line and exit code 2', async (t) => {
  const instance = await startInstance(t)
  const second = await startInstance(t, { expectFailure: true, args: ['--api-port', String(instance.ports.api)] })
  await rm(second.dataDir, { recursive: true })
  const taken = await second.run('start')
  assert.equal(taken.code, 2)
  assert.match(taken.output, /^holdfast: port \d+ on 127\.0\.0\.1 is in use by another program; .*--api-port.*\n$/)
  await assert.rejects(readdir(second.dataDir), /ENOENT/, 'nothing was touched')

  for (const [args, wanted] of [
    [['--database-ports', '5-3'], /--database-ports/],
    [['--no-such-thing'], /--no-such-thing/],
    [['--engine', 'redis=/nowhere/redis-server'], /nowhere/],
  ] as const) {
    const wrong = await startInstance(t, { expectFailure: true, args })
    const { code, output } = await wrong.run('start')
    assert.equal(code, 2, output)
    assert.match(output, wanted)
    assert.equal(output.split('\n').length, 2, output)
  }
})

test('two instances on one data folder are impossible', async (t) => {
  const instance = await startInstance(t)
  const second = await startInstance(t, { expectFailure: true, args: ['--data-dir', instance.dataDir] })
  const { code, output } = await second.run('start')
  assert.equal(code, 2)
  assert.match(output, new RegExp(`in use by another instance, process ${instance.pid}`))
  assert.equal((await instance.api.get('/v1/bdbs')).status, 200)
})

test('two instances side by side do not see each other', async (t) => {
  const [one, two] = await Promise.all([startInstance(t), startInstance(t)])
  await Promise.all([one.create({ name: 'one' }), two.create({ name: 'two' })])
  assert.deepEqual(
    (await one.api.get('/v1/bdbs')).json.map(({ name }: { name: string }) => name),
    ['one'],
  )
  assert.equal((await one.engines()).length, 1)
  assert.equal((await two.engines()).length, 1)
  await one.run('stop')
  assert.equal((await two.engines()).length, 1)
})

test('Ctrl-C leaves the databases running, and says so', async (t) => {
  const instance = await startInstance(t)
  await instance.create({ name: 'stays' })
  const before = await instance.engines()
  await instance.interrupt()
  assert.match(instance.output, /its database keeps running/)
  assert.deepEqual(await instance.engines(), before)
  await instance.start()
  assert.equal((await instance.api.get('/v1/bdbs/1')).json.status, 'active')
  assert.deepEqual(await instance.engines(), before)
})

test('a lost state or a lost key never costs the data of a database', async (t) => {
  const instance = await startInstance(t)
  await instance.create({ name: 'precious', data_persistence: 'aof' })
  await instance.run('stop')
  const folders = await instance.folders()
  for (const file of ['state.db', 'cluster.key']) {
    const path = join(instance.dataDir, file)
    await rename(path, `${path}.away`)
    const { code, output } = await instance.run('start')
    assert.notEqual(code, 0, output)
    assert.match(output, file === 'state.db' ? /the state knows of shards up to 0 only/ : /cluster\.key is missing/)
    assert.deepEqual(await instance.folders(), folders)
    await rm(path, { force: true })
    await rename(`${path}.away`, path)
  }
  const old = join(instance.dataDir, 'state.old')
  await cp(join(instance.dataDir, 'state.db'), old)
  await instance.start()
  await instance.active(1)
  await instance.create({ name: 'younger' })
  await instance.run('stop')
  await cp(old, join(instance.dataDir, 'state.db'))
  await rm(join(instance.dataDir, 'state.db-wal'), { force: true })
  const { code, output } = await instance.run('start')
  assert.equal(code, 2, output)
  assert.match(output, /older than the data/)
  assert.equal((await instance.folders()).length, 2)
})

test('a folder of somebody else’s is refused', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-foreign-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await mkdir(join(folder, 'photos'))
  const instance = await startInstance(t, { expectFailure: true, dataDir: folder })
  const { code, output } = await instance.run('start')
  assert.equal(code, 2, output)
  assert.match(output, /are not Holdfast's/)
})

test('a port that is held on another address does not matter', async (t) => {
  const instance = await startInstance(t, { expectFailure: true })
  const foreign = createServer()
  await new Promise<void>((resolve) => foreign.listen(instance.ports.api, '127.0.0.9', resolve))
  t.after(() => foreign.close())
  await instance.start()
  assert.equal((await instance.api.get('/v1/bdbs')).status, 200)
})
