/**
 * What roles may do inside databases: accounts in the engine, that come, change and go with users, roles and ACLs,
 * without a restart and without a connection of anybody else.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

let names = 0
const someName = (kind: string) => `${kind}-${++names}`

onEachStore('accounts', (it) => {
  const post = async (path: string, body: object) => {
    const { status, json, text } = await it().api.post(path, body)
    assert.equal(status, 200, text)
    return json
  }
  const put = async (path: string, body: object) => {
    const { status, text } = await it().api.put(path, body)
    assert.equal(status, 200, text)
  }

  /** A role with an ACL in a database of its own, and a user who has it. */
  const house = async (acl: string, body: object = {}) => {
    const role = await post('/v1/roles', { name: someName('role'), management: 'none' })
    const rule = await post('/v1/redis_acls', { name: someName('acl'), acl })
    const name = someName('person')
    const user = await post('/v1/users', { name, password: 'first', role_uids: [role.uid] })
    const roles_permissions = [{ role_uid: role.uid, redis_acl_uid: rule.uid }]
    const database = await it().create({ name: someName('db'), roles_permissions, ...body })
    return { role, rule, name, user, uid: database.uid, port: database.endpoints[0].port, roles_permissions }
  }

  const connect = async (port: number, username: string, password: string) => {
    const client = new Redis({ host: '127.0.0.1', port, username, password, lazyConnect: true, retryStrategy: null })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const getsIn = async (port: number, username: string, password: string) => {
    const client = createClient({ socket: { host: '127.0.0.1', port, reconnectStrategy: false }, username, password })
    client.on('error', () => undefined)
    try {
      await client.connect()
      return true
    } catch (error) {
      assert.match(String(error), /WRONGPASS/)
      return false
    } finally {
      if (client.isOpen) client.destroy()
    }
  }
  const inBy = (port: number, name: string, password: string) =>
    until(`${name} to get in`, () => getsIn(port, name, password))
  const outBy = (port: number, name: string, password: string) =>
    until(`${name} to be shut out`, async () => !(await getsIn(port, name, password)))

  test('a role may do in a database what its ACL says, and what nobody may it may not either', async () => {
    const { port, name } = await house('+@all ~app:* &news')
    const client = await connect(port, name, 'first')
    assert.equal(await client.set('app:1', 'x'), 'OK')
    await assert.rejects(client.set('other', 'x'), /NOPERM/)
    await assert.rejects(client.publish('gossip', 'x'), /NOPERM/)
    assert.equal(await client.publish('news', 'x'), 0)
    for (const command of [['config', 'set', 'maxmemory', '1'], ['acl', 'list'], ['shutdown']])
      await assert.rejects(client.call(...(command as [string, ...string[]])), /NOPERM/, command.join(' '))
    client.disconnect()
  })

  test('a changed ACL reaches the database, and drops nobody', async () => {
    const { port, name, rule, uid } = await house('+get +ping ~*')
    const others = await connect(port, 'default', '').catch(() => undefined)
    const client = await connect(port, name, 'first')
    const before = await it().engines()
    await assert.rejects(client.set('k', 'v'), /NOPERM/)
    await put(`/v1/redis_acls/${rule.uid}`, { acl: '+get +set +ping ~*' })
    await until('the new rules to hold', async () => (await client.set('k', 'v').catch(() => '')) === 'OK')
    assert.equal(await others?.ping(), 'PONG')
    assert.deepEqual(await it().engines(), before)
    assert.equal((await it().api.get(`/v1/bdbs/${uid}`)).json.status, 'active')
    client.disconnect()
    others?.disconnect()
  })

  test('users, passwords, roles and bindings come and go', async () => {
    const { port, name, user, role, uid, roles_permissions } = await house('+@all ~*')
    await inBy(port, name, 'first')
    await put('/v1/users/password', { username: name, new_password: 'second' })
    await outBy(port, name, 'first')
    await inBy(port, name, 'second')
    assert.equal((await it().api.post('/v1/users/password', { username: name, new_password: 'third' })).status, 200)
    await inBy(port, name, 'third')
    assert.equal(await getsIn(port, name, 'second'), true)
    await put(`/v1/users/${user.uid}`, { role_uids: [6] })
    await outBy(port, name, 'third')
    await put(`/v1/users/${user.uid}`, { role_uids: [role.uid] })
    await inBy(port, name, 'third')
    await put(`/v1/bdbs/${uid}`, { roles_permissions: [] })
    await outBy(port, name, 'third')
    await it().active(uid)
    await put(`/v1/bdbs/${uid}`, { roles_permissions })
    await inBy(port, name, 'third')
    await put(`/v1/users/${user.uid}`, { name: `${name}.renamed` })
    await outBy(port, name, 'third')
    await inBy(port, `${name}.renamed`, 'third')
    const client = await connect(port, `${name}.renamed`, 'third')
    const ended = new Promise((resolve) => client.once('end', resolve))
    assert.equal((await it().api.delete(`/v1/users/${user.uid}`)).status, 200)
    await outBy(port, `${name}.renamed`, 'third')
    await ended
  })

  test('a removed password ends its connections where the database says so, and only those', async () => {
    for (const disconnects of [true, false]) {
      const { port, name } = await house('+@all ~*', { disconnect_clients_on_password_removal: disconnects })
      const client = await connect(port, name, 'first')
      const other = await connect(port, 'default', '').catch(() => undefined)
      let hasEnded = false
      client.once('end', () => {
        hasEnded = true
      })
      await put('/v1/users/password', { username: name, new_password: 'second' })
      await outBy(port, name, 'first')
      if (disconnects) await until('the connection to end', () => hasEnded)
      else assert.equal(await client.ping(), 'PONG')
      assert.equal(await other?.ping(), 'PONG')
      client.disconnect()
      other?.disconnect()
    }
  })

  test('without the default user, only roles get in', async () => {
    const { port, name, uid } = await house('+@all ~*', { default_user: false })
    await inBy(port, name, 'first')
    const nobody = new Redis({ host: '127.0.0.1', port, lazyConnect: true, retryStrategy: null })
    nobody.on('error', () => undefined)
    await assert.rejects(nobody.call('GET', 'x'), /NOAUTH|Connection is closed/)
    nobody.disconnect()
    await put(`/v1/bdbs/${uid}`, { default_user: true })
    await until('the default user to get in', async () => {
      const client = await connect(port, 'default', 'any').catch(() => undefined)
      const pong = await client?.ping().catch(() => undefined)
      client?.disconnect()
      return pong === 'PONG'
    })
  })

  test('who has several roles may do what any of them may', async () => {
    const { port, name, user, role, uid, roles_permissions } = await house('+get ~read:*')
    const writers = await post('/v1/roles', { name: someName('role'), management: 'none' })
    const rule = await post('/v1/redis_acls', { name: someName('acl'), acl: '+set ~write:*' })
    await put(`/v1/users/${user.uid}`, { role_uids: [role.uid, writers.uid] })
    const both = [...roles_permissions, { role_uid: writers.uid, redis_acl_uid: rule.uid }]
    await it().active(uid)
    await put(`/v1/bdbs/${uid}`, { roles_permissions: both })
    await inBy(port, name, 'first')
    const client = await connect(port, name, 'first')
    await until('both rules to hold', async () => (await client.set('write:1', 'x').catch(() => '')) === 'OK')
    assert.equal(await client.get('read:1'), null)
    await assert.rejects(client.get('write:1'), /NOPERM/)
    await assert.rejects(client.set('read:1', 'x'), /NOPERM/)
    client.disconnect()
  })

  test('an account survives the death of everything', async () => {
    const { port, name, user } = await house('+@all ~*')
    await it().kill()
    for (const { pid } of await it().engines()) process.kill(pid, 'SIGKILL')
    await it().start()
    await inBy(port, name, 'first')
    await it().api.delete(`/v1/users/${user.uid}`)
    await outBy(port, name, 'first')
  })
})
