/**
 * A full disk and a read-only one, on a small file system of the test's own: writes of the API are refused with a clear
 * error, nothing acknowledged is lost, and everything goes on by itself when there is room again.
 */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { createClient } from 'redis'
import { killNow, startInstance } from './support/instance.ts'
import { until } from './support/wait.ts'

const run = promisify(execFile)

test('a full disk refuses changes, loses nothing, and recovers by itself', async (t) => {
  const dataDir = await smallFileSystem(t, '24m')
  const instance = await startInstance(t, { dataDir })
  const { uid, endpoints } = await instance.create({ name: 'before' })
  const ballast = join(dataDir, 'ballast')
  await fill(ballast)
  const refused = await until('a write to be refused', async () => {
    const reply = await instance.api.put(`/v1/bdbs/${uid}`, {
      name: `n${Math.floor(Math.random() * 1e9)}${'x'.repeat(20)}`,
    })
    return reply.status !== 200 && reply
  })
  assert.deepEqual([refused.status, refused.json.error_code], [503, 'disk_full'])
  const acknowledged = (await instance.api.get(`/v1/bdbs/${uid}`)).json.name
  const client = createClient({ url: `redis://127.0.0.1:${endpoints[0].port}` })
  await client.connect()
  assert.equal(await client.ping(), 'PONG', 'the database is served all the same')
  await client.close()
  await rm(ballast)
  await until(
    'a write to be accepted',
    async () => (await instance.api.put(`/v1/bdbs/${uid}`, { name: 'after' })).status === 200,
  )
  await instance.create({ name: 'another' })
  await instance.kill()
  await instance.start()
  assert.equal((await instance.api.get(`/v1/bdbs/${uid}`)).json.name, 'after')
  assert.ok(acknowledged)
  const { json: events } = await instance.api.get('/v1/logs')
  const told = events.map(({ type, error_code }: Record<string, string>) => error_code ?? type)
  assert.ok(told.includes('disk_full'), `events waited for room: ${told}`)
  assert.deepEqual(told.slice(-2), ['bdb_created', 'control_plane_started'])
})

test('a read-only disk refuses changes, and a database that dies meanwhile comes back with the disk', async (t) => {
  const dataDir = await smallFileSystem(t, '48m')
  const instance = await startInstance(t, { dataDir })
  const { uid } = await instance.create({ name: 'before' })
  await run('mount', ['-o', 'remount,ro', dataDir]).catch(async () => {
    // Files that are open for writing keep the kernel from it; a bind mount on top does not care.
    await run('mount', ['--bind', dataDir, dataDir])
    await run('mount', ['-o', 'remount,bind,ro', dataDir])
    t.after(() => unmount(dataDir))
  })
  const [engine] = await instance.engines()
  assert.ok(engine)
  killNow(engine.pid)
  const reply = await instance.api.put(`/v1/bdbs/${uid}`, { name: 'during' })
  assert.ok(reply.status === 200 || reply.json.error_code.startsWith('disk_'), reply.text)
  await unmount(dataDir)
  await run('mount', ['-o', 'remount,rw', dataDir]).catch(() => undefined)
  await until('the database to be active', async () => {
    const [again] = await instance.engines()
    return again && again.pid !== engine.pid && (await instance.api.get(`/v1/bdbs/${uid}`)).json.status === 'active'
  })
  await until(
    'a write to be accepted',
    async () => (await instance.api.put(`/v1/bdbs/${uid}`, { name: 'after' })).status === 200,
  )
})

async function smallFileSystem(t: { after(fn: () => Promise<void>): void }, size: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-disk-'))
  await run('mount', ['-t', 'tmpfs', '-o', `size=${size},mode=700`, 'tmpfs', folder])
  t.after(async () => {
    await unmount(folder)
    await rm(folder, { recursive: true, force: true })
  })
  return folder
}

async function unmount(folder: string): Promise<void> {
  await run('umount', ['-l', folder]).catch(() => undefined)
}

/** Until the last byte is taken. */
async function fill(path: string): Promise<void> {
  for (const size of [1_000_000, 10_000, 100, 1]) {
    const chunk = Buffer.alloc(size)
    for (;;) {
      const written = await writeFile(path, chunk, { flag: 'a' }).then(
        () => true,
        () => false,
      )
      if (!written) break
    }
  }
}
