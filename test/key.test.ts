/**
 * The cluster's key, under which secrets are sealed at rest: replaced at a start, and what a crash meanwhile leaves.
 */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import { type Instance, STORES, startInstance } from './support/instance.ts'

for (const store of STORES) {
  test(`a new key seals everything anew, and the old one opens nothing (${store})`, async (t) => {
    const env: Record<string, string> = {}
    const it = await startInstance(t, { store, env })
    const { uid, authentication_admin_pass } = await it.create({ authentication_redis_pass: 'of the database' })
    const user = { email: 'jane@example.com', name: 'jane', password: 'of jane', role: 'db_viewer' }
    assert.equal((await it.api.post('/v1/users', user)).status, 200)
    const directory = { bind_dn: 'cn=reader', bind_pass: 'of the reader' }
    assert.equal((await it.api.put('/v1/cluster/ldap', directory)).status, 200)
    const pids = await it.engines()
    const old = await keys(it)
    const allIsWell = async () => {
      const { json } = await it.api.get(`/v1/bdbs/${uid}`)
      assert.equal(json.authentication_redis_pass, 'of the database')
      assert.equal(json.authentication_admin_pass, authentication_admin_pass)
      assert.equal((await it.api.get('/v1/bdbs', { auth: 'jane@example.com:of jane' })).status, 200)
      assert.equal((await it.api.get('/v1/cluster/ldap')).json.bind_pass, '***')
      assert.deepEqual(await it.engines(), pids)
      assert.equal(
        (await it.api.put(`/v1/bdbs/${uid}`, { maxclients: 500 + Math.floor(Math.random() * 500) })).status,
        200,
      )
      await it.active(uid)
    }

    env.HOLDFAST_REPLACE_KEY = '1'
    await it.interrupt()
    await it.start()
    const [second = '', ...others] = await keys(it)
    assert.deepEqual(others, [])
    assert.notEqual(second, old[0])
    await allIsWell()

    // As after a crash between the new key and the end of the sealing.
    delete env.HOLDFAST_REPLACE_KEY
    const third = randomBytes(32).toString('hex')
    await it.kill()
    await writeKeys(it, [third, second])
    await it.start()
    assert.deepEqual(await keys(it), [third])
    await allIsWell()

    await it.kill()
    await writeKeys(it, [second])
    const { code, output } = await it.run('start')
    assert.notEqual(code, 0)
    assert.match(output, /is cluster.key the one that they were written with/)
    await writeKeys(it, [third])
    await it.start()
    await allIsWell()
  })
}

async function keys({ dataDir }: Instance): Promise<string[]> {
  return (await readFile(join(dataDir, 'cluster.key'), 'utf8')).trim().split('\n')
}

async function writeKeys({ dataDir }: Instance, all: readonly string[]): Promise<void> {
  await writeFile(join(dataDir, 'cluster.key'), all.map((key) => `${key}\n`).join(''), { mode: 0o600 })
}
