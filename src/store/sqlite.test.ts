import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import type { Store } from './contract.ts'
import { storeContract } from './contract-suite.ts'
import { openSqliteStore } from './sqlite.ts'
import { del, forgetByWriting, put } from './testing.ts'

type CleanUps = { after(cleanUp: () => Promise<void>): void }

storeContract('sqlite', async (t) => open(t, await temporaryFile(t)), { writerCount: 200, forget: forgetByWriting })

async function temporaryFile(t: CleanUps): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-sqlite-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  return join(folder, 'state.db')
}

async function open(t: CleanUps, path: string): Promise<Store> {
  const store = await openSqliteStore(path)
  t.after(() => store.close())
  return store
}

test('what was committed is there after it was closed, and revisions grow on, also after a delete', async (t) => {
  const path = await temporaryFile(t)
  const first = await open(t, path)
  await first.commit({ compare: [], changes: [put('a', '1'), put('b', '1')] })
  const last = await first.commit({ compare: [], changes: [del('b')] })
  await first.close()
  const second = await open(t, path)
  const { revision, entries } = await second.snapshot('')
  assert.equal(revision, last.revision)
  assert.deepEqual(
    entries.map(({ key }) => key),
    ['a'],
  )
  assert.ok((await second.commit({ compare: [], changes: [put('c', '1')] })).revision > last.revision)
  assert.equal((await stat(path)).mode & 0o777, 0o600)
})

test('what was put with a lease does not outlive the process', async (t) => {
  const path = await temporaryFile(t)
  const first = await open(t, path)
  const lease = await first.grantLease(1_000)
  await first.commit({
    compare: [],
    changes: [{ kind: 'put', key: 'leader', value: '1', lease: lease.id }, put('a', '1')],
  })
  await first.close()
  await lease.lost
  const second = await open(t, path)
  assert.deepEqual(
    (await second.snapshot('')).entries.map(({ key }) => key),
    ['a'],
  )
})

test('the file of another program is refused, and left alone', async (t) => {
  const path = await temporaryFile(t)
  const foreign = new DatabaseSync(path)
  foreign.exec('CREATE TABLE theirs (x)')
  foreign.close()
  await assert.rejects(openSqliteStore(path), { name: 'StoreTrouble', message: /another program/ })
  await writeFile(path, 'this is no database at all, but some text that somebody wrote'.repeat(100))
  await assert.rejects(openSqliteStore(path), { name: 'StoreTrouble' })
  await chmod(path, 0o600)
})

test('a kill -9 in the middle of commits loses none that was acknowledged', async (t) => {
  const path = await temporaryFile(t)
  const program = `
    import { openSqliteStore } from ${JSON.stringify(new URL('./sqlite.ts', import.meta.url).href)}
    const store = await openSqliteStore(process.argv[1])
    for (let n = 1; ; n++) {
      const { committed } = await store.commit({ compare: [], changes: [{ kind: 'put', key: 'n', value: String(n) }] })
      if (committed) process.stdout.write(n + '\\n')
    }`
  for (let round = 0; round < 3; round++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = new Promise((resolve) => child.once('close', resolve))
    let output = ''
    child.stdout.on('data', (text) => {
      output += text
      if (output.split('\n').length > 100) child.kill('SIGKILL')
    })
    await ended
    const acknowledged = Number(
      output
        .split('\n')
        .filter((line) => line !== '')
        .at(-1),
    )
    const store = await openSqliteStore(path)
    const kept = Number((await store.snapshot('n')).entries[0]?.value)
    await store.close()
    assert.ok(kept >= acknowledged - 1 && kept > 0, `acknowledged ${acknowledged}, kept ${kept}`)
  }
})
