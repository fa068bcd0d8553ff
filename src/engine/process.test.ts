import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, readFile, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import { askEngine, detectEngines, EngineUnusable } from './detect.ts'
import { endLeftovers, findEngines, identify, isAlive, signalProcess, spawnEngine } from './process.ts'

async function makeFolder(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-process-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function script(folder: string, text: string): Promise<string> {
  const path = join(folder, 'redis-server')
  await writeFile(path, `#!/bin/sh\n${text}\n`)
  await chmod(path, 0o755)
  return path
}

const at = (folder: string, path: string) => ({
  path,
  configPath: join(folder, 'redis.conf'),
  folder,
  logPath: join(folder, 'redis.log'),
})

async function untilFalse(isSo: () => boolean): Promise<void> {
  for (let tries = 0; isSo(); tries++) {
    assert.ok(tries < 5000)
    await delay(2)
  }
}

test('a process is found again by its configuration, has none of our settings, and ends once', async (t) => {
  const folder = await makeFolder(t)
  process.env.HOLDFAST_TEST_SECRET = 'not for engines'
  const { identity, ended } = spawnEngine(
    at(folder, await script(folder, 'env; echo ready; exec tail -f /dev/null "$1"')),
  )
  assert.ok(identity)
  // While one program becomes another, as here twice, the kernel knows no command line of it.
  await untilFalse(() => !isDeepStrictEqual(findEngines().get(join(folder, 'redis.conf')), identity))
  assert.deepEqual(identify(identity.pid), identity)
  for (let tries = 0; !(await readFile(join(folder, 'redis.log'), 'utf8')).includes('ready'); tries++) {
    assert.ok(tries < 5000)
    await delay(2)
  }
  assert.equal(signalProcess({ ...identity, startTicks: identity.startTicks - 1 }, 'SIGKILL'), false)
  assert.ok(isAlive(identity))
  assert.ok(signalProcess(identity, 'SIGKILL'))
  assert.equal((await ended).signal, 'SIGKILL')
  endLeftovers(identity.pid, folder)
  await untilFalse(() => isAlive(identity))
  assert.equal(isAlive(identity), false)
  assert.equal(signalProcess(identity, 'SIGKILL'), false)
  assert.doesNotMatch(await readFile(join(folder, 'redis.log'), 'utf8'), /HOLDFAST_TEST_SECRET/)
})

test('a child that outlives its engine is ended, a stranger is not', async (t) => {
  const folder = await makeFolder(t)
  const path = await script(
    folder,
    'tail -f /dev/null "$1" & echo $! > child; (cd /; exec sleep 60) & echo $! > stranger; wait',
  )
  const { identity, ended } = spawnEngine(at(folder, path))
  assert.ok(identity)
  const pidIn = async (name: string) => Number(await readFile(join(folder, name), 'utf8').catch(() => ''))
  // Its number is written down before it has left the folder.
  const hasLeft = async () => (await readlink(`/proc/${await pidIn('stranger')}/cwd`).catch(() => '')) === '/'
  for (let tries = 0; !(await hasLeft()); tries++) {
    assert.ok(tries < 5000)
    await delay(2)
  }
  const [child, stranger] = [identify(await pidIn('child')), identify(await pidIn('stranger'))]
  assert.ok(child && stranger)
  t.after(() => signalProcess(stranger, 'SIGKILL'))
  signalProcess(identity, 'SIGKILL')
  await ended
  assert.ok(isAlive(child))
  endLeftovers(identity.pid, folder)
  await untilFalse(() => isAlive(child))
  assert.ok(isAlive(stranger))
})

test('a program that is missing, or none, ends with a reason', async (t) => {
  const folder = await makeFolder(t)
  const missing = spawnEngine(at(folder, join(folder, 'nothing')))
  assert.equal(missing.identity, null)
  assert.match((await missing.ended).error?.message ?? '', /ENOENT/)
})

test('what nobody has waited for yet counts as ended', async (t) => {
  // The shell becomes a program that never waits for the child the shell had.
  const parent = spawn('/bin/sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'])
  t.after(() => parent.kill('SIGKILL'))
  const pid = Number(await new Promise((resolve) => parent.stdout.once('data', resolve)))
  await untilFalse(() => identify(pid) !== null)
  assert.ok(process.kill(pid, 0))
})

test('finds the engines of the search path and of the operator, and says what is wrong with one', async (t) => {
  const folder = await makeFolder(t)
  const redis = await askEngine('/usr/bin/redis-server')
  assert.equal(redis.name, 'redis')
  assert.match(redis.version, /^\d+\.\d+\.\d+$/)
  assert.deepEqual(await detectEngines({ searchPath: `${folder}:/usr/bin:relative:`, named: [] }), [redis])
  const valkey = await script(
    folder,
    'echo "Valkey server v=8.1.3 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=x"',
  )
  const both = await detectEngines({ searchPath: '/usr/bin', named: [{ name: 'valkey', path: valkey }] })
  assert.deepEqual(
    both.map(({ name, version }) => `${name} ${version}`),
    ['valkey 8.1.3', `redis ${redis.version}`],
  )
  const named = (name: string, path: string) => detectEngines({ searchPath: '', named: [{ name, path }] })
  await assert.rejects(named('redis', valkey), /is valkey 8.1.3, not redis/)
  await assert.rejects(named('redis', join(folder, 'nothing')), /no such file/)
  await assert.rejects(named('redis', '/bin/true'), EngineUnusable)
  await chmod(valkey, 0o644)
  await assert.rejects(named('valkey', valkey), /may not be executed/)
  assert.deepEqual(await detectEngines({ searchPath: folder, named: [] }), [])
})
