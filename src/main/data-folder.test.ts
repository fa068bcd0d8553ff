import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type TestContext } from 'node:test'
import { openDataFolder, readManager, writeSecretFile } from './data-folder.ts'

const deadlineMs = 20_000

async function emptyFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'folder-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return folder
}

async function opened(t: TestContext, path: string) {
  const opening = await openDataFolder(path)
  assert.ok(opening.ok, opening.ok ? '' : opening.problem)
  t.after(() => opening.folder.close())
  return opening.folder
}

async function problemOf(path: string): Promise<string> {
  const opening = await openDataFolder(path)
  assert.ok(!opening.ok, 'expected a problem')
  return opening.problem
}

/** Another process that holds the folder until it is killed, and has collected its garbage since. */
async function holder(t: TestContext, path: string) {
  const module = JSON.stringify(new URL('./data-folder.ts', import.meta.url).href)
  const script = `
    const { openDataFolder } = await import(${module})
    await openDataFolder(${JSON.stringify(path)})
    for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(() => resolve(gc())))
    console.log('held')
    setInterval(() => {}, 1000)`
  const flags = ['--disable-warning=ExperimentalWarning', '--expose-gc', '--input-type=module']
  const child = spawn(process.execPath, [...flags, '--eval', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return {
    pid: child.pid,
    async kill() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
  }
}

test('makes the folder and its parents for its owner only', async (t) => {
  const path = join(await emptyFolder(t), 'a', 'b')
  await opened(t, path)
  assert.equal((await stat(path)).mode & 0o777, 0o700)
})

test('refuses a second instance in the same process and in another, naming the first', {
  timeout: deadlineMs,
}, async (t) => {
  const path = join(await emptyFolder(t), 'data')
  const folder = await opened(t, path)
  assert.match(await problemOf(path), new RegExp(`in use by another instance, process ${process.pid}:`))
  await folder.close()
  await folder.close()
  const other = await holder(t, path)
  assert.match(await problemOf(path), new RegExp(`in use by another instance, process ${other.pid}:`))
})

test('finds the folder free as soon as its holder was killed, with nothing to clean up', {
  timeout: deadlineMs,
}, async (t) => {
  const path = join(await emptyFolder(t), 'data')
  const other = await holder(t, path)
  assert.equal((await readManager(path))?.pid, other.pid)
  await other.kill()
  assert.equal(await readManager(path), null)
  await opened(t, path)
  assert.equal((await readManager(path))?.pid, process.pid)
})

test('lets only one of many that open at once have the folder', async (t) => {
  const path = join(await emptyFolder(t), 'data')
  const openings = await Promise.all(Array.from({ length: 20 }, () => openDataFolder(path)))
  const winners = openings.flatMap((opening) => (opening.ok ? [opening.folder] : []))
  for (const winner of winners) t.after(() => winner.close())
  assert.equal(winners.length, 1)
})

test('keeps the lock although nobody refers to the folder any more', { timeout: deadlineMs }, async (t) => {
  const path = join(await emptyFolder(t), 'data')
  const other = await holder(t, path)
  assert.match(await problemOf(path), new RegExp(`process ${other.pid}:`))
})

test('tells where the API is, to the owner only', async (t) => {
  const path = join(await emptyFolder(t), 'data')
  const folder = await opened(t, path)
  assert.equal((await readManager(path))?.apiUrl, null)
  await folder.announce({ apiUrl: 'https://127.0.0.1:9443', version: '1.2.3' })
  const manager = await readManager(path)
  assert.deepEqual([manager?.apiUrl, manager?.version], ['https://127.0.0.1:9443', '1.2.3'])
  assert.equal((await stat(join(path, 'manager.json'))).mode & 0o777, 0o600)
  await folder.close()
  assert.equal(await readManager(path), null)
})

test('takes a process that only has the same pid for nobody', async (t) => {
  const path = await emptyFolder(t)
  const recycled = { pid: process.pid, startTime: '1', bootId: 'other', apiUrl: null, version: '1.2.3' }
  for (const text of [JSON.stringify(recycled), '{"pid":', '[]', 'null', '{"pid":1}']) {
    await writeFile(join(path, 'manager.json'), text)
    assert.equal(await readManager(path), null)
  }
  assert.equal(await readManager(join(path, 'nowhere')), null)
})

test('refuses what is not a folder of ours, in one line', async (t) => {
  const parent = await emptyFolder(t)
  const file = join(parent, 'file')
  await writeFile(file, '')
  assert.match(await problemOf(file), /is not a folder/)
  assert.match(await problemOf(join(file, 'below')), /cannot be made: ENOTDIR/)
  assert.match(await problemOf('/proc/nowhere'), /cannot be made/)
  assert.match(await problemOf(parent), /files in it that are not Holdfast's/)
  assert.deepEqual(await readdir(parent), ['file'])

  const open = join(parent, 'open')
  await mkdir(open)
  await chmod(open, 0o777)
  assert.match(await problemOf(open), /everybody may write/)
})

test('follows a link to the folder, and knows it as the same one', async (t) => {
  const parent = await emptyFolder(t)
  await opened(t, join(parent, 'data'))
  await symlink(join(parent, 'data'), join(parent, 'link'))
  assert.match(await problemOf(join(parent, 'link')), /in use by/)
})

test('writes a secret whole and for its owner only, also over an older one', async (t) => {
  const path = join(await emptyFolder(t), 'secret')
  await writeFile(path, 'an older and longer secret', { mode: 0o644 })
  await writeSecretFile(path, 'new')
  assert.equal(await readFile(path, 'utf8'), 'new')
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

test('leaves nothing behind when a secret cannot be written', async (t) => {
  const parent = await emptyFolder(t)
  await mkdir(join(parent, 'taken', 'by-a-folder'), { recursive: true })
  await assert.rejects(writeSecretFile(join(parent, 'taken'), 'text'))
  assert.deepEqual(await readdir(parent), ['taken'])
})
