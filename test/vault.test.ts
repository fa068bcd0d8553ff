/**
 * What HashiCorp Vault's plug-in for Redis Enterprise does, request by request, by a hundred leases at once: find the
 * role or the ACL, make a role where there is none, bind it in the database with a retry on 409, make the user, rotate
 * the password, and take everything away again. Its lock around roles_permissions is here too, because it has one.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import type { Instance } from './support/instance.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

const LEASES = 100
const RETRY_MS = 500

type Permission = { role_uid: number; redis_acl_uid: number }
type Named = { uid: number; name: string }

onEachStore('the Vault plug-in', (it) => {
  test(`${LEASES} leases at once come, are used, are rotated, and leave nothing behind`, async () => {
    const api = it().api
    const { uid, endpoints } = await it().create({ name: 'leased', memory_size: 50_000_000 })
    const [{ port }] = endpoints
    const before = await everything(it())
    const locked = lock()
    const leases = Array.from({ length: LEASES }, (_, number) => lease(it(), locked, port, number))
    await Promise.all(leases)
    assert.deepEqual(await everything(it()), before)
    const { json } = await api.get(`/v1/bdbs/${uid}`)
    assert.deepEqual(json.roles_permissions, [])
  })

  test('a role that the database binds already is all that a lease needs', async () => {
    const role = await it().api.post('/v1/roles', { name: 'app readers', management: 'none' })
    const roles_permissions = [{ role_uid: role.json.uid, redis_acl_uid: 2 }]
    const { endpoints } = await it().create({ name: 'bound', roles_permissions })
    const name = 'v-token-readers-abcdefghijklmnopqrst-1700000000'
    const body = { name, password: 'first', role_uids: [role.json.uid], email_alerts: false, auth_method: 'regular' }
    const user = await it().api.post('/v1/users', body)
    assert.equal(user.status, 200, user.text)
    await opens(endpoints[0].port, name, 'first')
    await it().api.delete(`/v1/users/${user.json.uid}`)
    await shut(endpoints[0].port, name, 'first')
  })
})

async function lease(it: Instance, locked: Locked, port: number, number: number): Promise<void> {
  const { api } = it
  const username = `v-token-acl-${'x'.repeat(20)}${number}-1700000000`
  const role = await locked(async () => {
    const acl = named((await api.get('/v1/redis_acls')).json, 'Not Dangerous')
    const made = await api.post('/v1/roles', { name: `leased-${username}`, management: 'db_member' })
    assert.equal(made.status, 200, made.text)
    const database = named((await api.get('/v1/bdbs')).json, 'leased') as Named & { roles_permissions: Permission[] }
    const binding = { role_uid: made.json.uid, redis_acl_uid: acl.uid }
    await bind(it, database.uid, [...database.roles_permissions, binding])
    return made.json as Named
  })
  const body = {
    name: username,
    password: `first-${number}`,
    role_uids: [role.uid],
    email_alerts: false,
    auth_method: 'regular',
  }
  const user = await api.post('/v1/users', body)
  assert.equal(user.status, 200, user.text)
  await opens(port, username, `first-${number}`)
  const found = named((await api.get('/v1/users')).json, username)
  const rotated = await api.put(`/v1/users/${found.uid}`, { password: `second-${number}` })
  assert.equal(rotated.status, 200, rotated.text)
  await opens(port, username, `second-${number}`)
  await shut(port, username, `first-${number}`)
  assert.equal((await api.delete(`/v1/users/${found.uid}`)).status, 200)
  await shut(port, username, `second-${number}`)
  assert.equal((await api.delete(`/v1/roles/${role.uid}`)).status, 200)
}

async function bind({ api }: Instance, uid: number, roles_permissions: Permission[]): Promise<void> {
  for (;;) {
    const { status, text } = await api.put(`/v1/bdbs/${uid}`, { roles_permissions })
    if (status === 200) return
    assert.equal(status, 409, text)
    await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
  }
}

/** Waits until the engine knows of it: the plug-in does not wait either, its applications try again. */
async function opens(port: number, username: string, password: string): Promise<void> {
  await until(`${username} to get in`, () => getsIn(port, username, password))
}

async function shut(port: number, username: string, password: string): Promise<void> {
  await until(`${username} to be shut out`, async () => !(await getsIn(port, username, password)))
}

async function getsIn(port: number, username: string, password: string): Promise<boolean> {
  const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null })
  client.on('error', () => undefined)
  try {
    await client.connect()
    await client.call('AUTH', username, password)
    return (await client.get(`of ${username}`)) === null
  } catch (error) {
    if (/WRONGPASS|NOPERM|NOAUTH/.test(String(error))) return false
    throw error
  } finally {
    client.disconnect()
  }
}

function named(all: Named[], name: string): Named {
  const found = all.find((one) => one.name === name)
  assert.ok(found, `there is no ${name}`)
  return found
}

async function everything({ api }: Instance): Promise<object> {
  const [users, roles, acls] = await Promise.all(
    ['/v1/users', '/v1/roles', '/v1/redis_acls'].map((path) => api.get(path)),
  )
  const names = (reply: typeof users) => reply?.json.map(({ name }: Named) => name)
  return { users: names(users), roles: names(roles), acls: names(acls) }
}

type Locked = <T>(work: () => Promise<T>) => Promise<T>

function lock(): Locked {
  let last: Promise<unknown> = Promise.resolve()
  return (work) => {
    const next = last.then(work)
    last = next.catch(() => undefined)
    return next
  }
}
