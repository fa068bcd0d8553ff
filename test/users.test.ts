/**
 * Users, roles, Redis ACLs and signing in, as the API has them.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Reply } from './support/api.ts'
import { PASSWORD, USER } from './support/instance.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

let names = 0
const someName = (kind: string) => `${kind}-${++names}`

onEachStore('users', (it) => {
  const api = () => it().api
  const signsIn = async (auth: string) => (await api().get('/v1/users/role', { auth })).status
  const newUser = async (body: Record<string, unknown> = {}) => {
    const name = someName('user')
    const email = `${name}@example.com`
    const reply = await api().post('/v1/users', { name, email, password: 'secret one', role: 'db_viewer', ...body })
    assert.equal(reply.status, 200, reply.text)
    return { ...reply.json, auth: `${reply.json.email}:secret one` }
  }

  test('a fresh cluster has the built-in roles and ACLs, and one administrator', async () => {
    const { json: roles } = await api().get('/v1/roles')
    const builtIn = roles.slice(0, 7).map((role: { uid: number; management: string }) => [role.uid, role.management])
    assert.deepEqual(builtIn, [
      [1, 'admin'],
      [2, 'cluster_member'],
      [3, 'cluster_viewer'],
      [4, 'db_member'],
      [5, 'db_viewer'],
      [6, 'none'],
      [7, 'user_manager'],
    ])
    const { json: acls } = await api().get('/v1/redis_acls')
    assert.deepEqual(acls.slice(0, 3), [
      { uid: 1, name: 'Full Access', acl: '+@all ~*' },
      { uid: 2, name: 'Read Only', acl: '+@read ~*' },
      { uid: 3, name: 'Not Dangerous', acl: '+@all -@dangerous ~*' },
    ])
    const { json: admin } = await api().get('/v1/users/1')
    assert.equal(admin.email, USER)
    assert.deepEqual(
      [admin.role, admin.role_uids, admin.status, admin.auth_method],
      ['admin', [1], 'active', 'regular'],
    )
    assert.equal('password' in admin, false)
  })

  test('a user is made, read, changed, signs in, and is deleted', async () => {
    const { uid, auth, ...made } = await newUser({ role_uids: [3, 5], role: undefined })
    assert.deepEqual([made.role, made.role_uids, made.last_login], ['cluster_viewer', [3, 5], 0])
    assert.match(made.password_issue_date, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    assert.equal(await signsIn(auth), 200)
    await until('the login to be written down', async () => (await api().get(`/v1/users/${uid}`)).json.last_login > 0)
    const changed = await api().put(`/v1/users/${uid}`, { name: `${made.name}.2`, role_uids: [1], email_alerts: false })
    assert.equal(changed.status, 200, changed.text)
    assert.deepEqual(
      [changed.json.name, changed.json.role, changed.json.email_alerts],
      [`${made.name}.2`, 'admin', false],
    )
    assert.deepEqual((await api().get(`/v1/users/${uid}`)).json, changed.json)
    assert.equal(
      (await api().get('/v1/users')).json.some((one: { uid: number }) => one.uid === uid),
      true,
    )
    assert.equal((await api().put(`/v1/users/${uid}`, (await api().get(`/v1/users/${uid}`)).json)).status, 200)
    assert.equal((await api().get('/v1/cluster', { auth })).status, 200)
    assert.equal((await api().delete(`/v1/users/${uid}`)).status, 200)
    assert.equal(await signsIn(auth), 401)
    assert.equal((await api().get(`/v1/users/${uid}`)).json.error_code, 'user_not_exist')
  })

  test('everybody may change their own name, password and alerts, and nothing else', async () => {
    const { uid, auth, name } = await newUser()
    const other = await newUser()
    assert.equal(
      (await api().put(`/v1/users/${uid}`, { name: `${name}.me`, email_alerts: false }, { auth })).status,
      200,
    )
    const more = await api().put(`/v1/users/${uid}`, { role: 'admin' }, { auth })
    assert.deepEqual([more.status, more.json.field], [403, 'role'])
    assert.equal((await api().put(`/v1/users/${other.uid}`, { name: 'x' }, { auth })).status, 403)
    assert.equal((await api().put(`/v1/users/${uid}`, { password: 'secret two' }, { auth })).status, 200)
    assert.equal(await signsIn(auth), 401)
  })

  test('passwords are added, replaced and removed; others’ only by administrators', async () => {
    const { email, auth } = await newUser()
    const other = await newUser({ role: 'user_manager' })
    const own = (method: 'POST' | 'PUT' | 'DELETE', body: object, as = auth) =>
      api().call(method, '/v1/users/password', { body, auth: as })
    assert.equal((await own('POST', { new_password: 'secret two' })).status, 200)
    assert.deepEqual([await signsIn(auth), await signsIn(`${email}:secret two`)], [200, 200])
    assert.equal((await own('POST', { new_password: 'secret two' })).json.error_code, 'new_password_same_as_current')
    assert.equal((await own('DELETE', { old_password: 'secret six' })).json.error_code, 'password_not_exist')
    assert.equal((await own('DELETE', { old_password: 'secret one' })).status, 200)
    assert.deepEqual([await signsIn(auth), await signsIn(`${email}:secret two`)], [401, 200])
    const two = `${email}:secret two`
    assert.equal(
      (await own('DELETE', { old_password: 'secret two' }, two)).json.error_code,
      'cannot_delete_last_password',
    )
    assert.equal((await own('PUT', { new_password: 'secret three' }, two)).status, 200)
    assert.deepEqual([await signsIn(two), await signsIn(`${email}:secret three`)], [401, 200])
    const stranger = await own('PUT', { username: email, new_password: 'secret four' }, other.auth)
    assert.deepEqual([stranger.status, stranger.json.error_code], [403, 'unauthorized_action'])
    assert.equal((await own('PUT', { username: email, new_password: 'secret four' }, api().auth)).status, 200)
    assert.equal(await signsIn(`${email}:secret four`), 200)
    assert.equal((await own('PUT', {}, api().auth)).json.field, 'new_password')
    assert.equal(
      (await own('PUT', { username: 'nobody', new_password: 'x' }, api().auth)).json.error_code,
      'user_not_exist',
    )
  })

  test('bad users, roles and ACLs are refused by the name of the field', async () => {
    const { email, name } = await newUser()
    const role = { name: someName('role'), management: 'none' }
    assert.equal((await api().post('/v1/roles', role)).status, 200)
    const cases: [path: string, body: object, status: number, code: string, field: string][] = [
      ['/v1/users', { email: 'a@b', name: 'a' }, 400, 'missing_field', 'password'],
      ['/v1/users', { password: 'x' }, 400, 'missing_field', 'email'],
      ['/v1/users', { email: email.toUpperCase(), name: 'b', password: 'x' }, 409, 'email_already_exists', 'email'],
      ['/v1/users', { email: 'c@example.com', name, password: 'x' }, 409, 'name_already_exists', 'name'],
      ['/v1/users', { email: 'd@example.com', password: 'x', role: 'king' }, 400, 'invalid_field', 'role'],
      ['/v1/users', { email: 'd@example.com', password: 'x', role_uids: [4711] }, 400, 'invalid_field', 'role_uids'],
      ['/v1/users', { email: 'd@example.com', password: 'x', name: 'a<b' }, 400, 'invalid_field', 'name'],
      [
        '/v1/users',
        { email: 'd@example.com', password: 'x', auth_method: 'entraid' },
        406,
        'unsupported_feature',
        'auth_method',
      ],
      ['/v1/users', { email: 'd@example.com', passwort: 'x' }, 400, 'unknown_field', 'passwort'],
      ['/v1/roles', {}, 400, 'missing_field', 'name'],
      ['/v1/roles', role, 409, 'name_already_exists', 'name'],
      ['/v1/roles', { name: 'r', management: 'king' }, 400, 'invalid_field', 'management'],
      [
        '/v1/roles',
        { name: 'r', management: 'admin', resources: [{ type: 'db', uids: ['1'] }] },
        400,
        'invalid_field',
        'resources',
      ],
      ['/v1/redis_acls', { name: 'a' }, 400, 'missing_field', 'acl'],
      ['/v1/redis_acls', { acl: '+get' }, 400, 'missing_field', 'name'],
      ['/v1/redis_acls', { name: 'Read Only', acl: '+get' }, 409, 'name_already_exists', 'name'],
      ['/v1/redis_acls', { name: 'a', acl: '+gett ~*' }, 400, 'invalid_redis_acl', 'acl'],
      ['/v1/redis_acls', { name: 'a', acl: '+get ~* >password' }, 400, 'invalid_redis_acl', 'acl'],
      ['/v1/redis_acls', { name: 'a', acl: 'on +get ~*\nuser x on' }, 400, 'invalid_redis_acl', 'acl'],
      ['/v1/redis_acls/validate', { name: 'a', acl: '+@nothing' }, 400, 'invalid_redis_acl', 'acl'],
    ]
    for (const [path, body, status, code, field] of cases) {
      const reply = await api().post(path, body)
      const what = `${path} ${JSON.stringify(body)}: ${reply.text}`
      assert.deepEqual([reply.status, reply.json.error_code, reply.json.field], [status, code, field], what)
    }
    const validate = (body: object) => api().post('/v1/redis_acls/validate', body)
    assert.equal((await validate({ acl: '+@read ~app:* (+set ~own:*)' })).status, 200)
    const [acl] = (await api().get('/v1/redis_acls')).json
    const taken = await validate({ name: acl.name, acl: '+@read ~*' })
    assert.deepEqual([taken.status, taken.json.error_code, taken.json.field], [409, 'name_already_exists', 'name'])
    assert.equal(
      (await validate({ uid: acl.uid, name: acl.name, acl: '+@read ~*' })).status,
      200,
      'it keeps its own name',
    )
    for (const path of ['/v1/users/abc', '/v1/roles/0', '/v1/redis_acls/-1', '/v1/users/99999999999'])
      assert.equal((await api().get(path)).status, 404, path)
  })

  test('roles and ACLs in use stay, the full one cannot be changed', async () => {
    const { json: role } = await api().post('/v1/roles', { name: someName('role'), management: 'db_member' })
    const { json: acl } = await api().post('/v1/redis_acls', { name: someName('acl'), acl: '+get ~*' })
    const { uid } = await newUser({ role_uids: [role.uid] })
    const roles_permissions = [{ role_uid: role.uid, redis_acl_uid: acl.uid }]
    const database = await it().create({ name: someName('bound'), roles_permissions })
    assert.deepEqual(database.roles_permissions, roles_permissions)
    assert.equal((await api().delete(`/v1/roles/${role.uid}`)).json.error_code, 'role_in_use')
    assert.equal((await api().delete(`/v1/redis_acls/${acl.uid}`)).json.error_code, 'redis_acl_in_use')
    assert.equal((await api().put('/v1/redis_acls/1', { acl: '+get' })).json.error_code, 'redis_acl_read_only')
    assert.equal((await api().delete('/v1/redis_acls/1')).status, 409)
    await api().delete(`/v1/users/${uid}`)
    assert.equal((await api().delete(`/v1/roles/${role.uid}`)).status, 200)
    assert.deepEqual((await api().get(`/v1/bdbs/${database.uid}`)).json.roles_permissions, [])
    const unknown = { roles_permissions: [{ role_uid: 99_999, redis_acl_uid: acl.uid }] }
    assert.equal((await api().put(`/v1/bdbs/${database.uid}`, unknown)).json.field, 'roles_permissions')
  })

  test('the last administrator who can sign in cannot go, whichever way', async () => {
    const refused = (reply: Reply) =>
      assert.equal(reply.json?.error_code, 'change_last_admin_role_not_allowed', reply.text)
    for (const { uid } of (await api().get('/v1/users')).json) if (uid !== 1) await api().delete(`/v1/users/${uid}`)
    refused(await api().delete('/v1/users/1'))
    refused(await api().put('/v1/users/1', { role_uids: [2] }))
    refused(await api().put('/v1/users/1', { role: 'none' }))
    refused(await api().put('/v1/roles/1', { management: 'none' }))
    refused(await api().delete('/v1/roles/1'))
    const others = await Promise.all([newUser({ role: 'admin' }), newUser({ role: 'admin' })])
    // All but one of them at the same time: one must be left over.
    const uids = [1, ...others.map(({ uid }) => uid)]
    const [, auth = ''] = [undefined, others[0]?.auth]
    const auths = [api().auth, auth, others[1]?.auth ?? '']
    await Promise.all(
      uids.map((uid, at) => api().put(`/v1/users/${uid}`, { role_uids: [5] }, { auth: auths[at] ?? '' })),
    )
    const left = await Promise.all(
      [api().auth, auth, others[1]?.auth ?? ''].map((one) => api().get('/v1/users', { auth: one })),
    )
    const admins = left.filter(({ status }) => status === 200)
    assert.equal(admins.length, 1)
    const winner = [api().auth, auth, others[1]?.auth ?? ''][left.findIndex(({ status }) => status === 200)] ?? ''
    assert.equal((await api().put('/v1/users/1', { role_uids: [1] }, { auth: winner })).status, 200)
    assert.equal(await signsIn(`${USER}:${PASSWORD}`), 200)
  })

  test('a token is as good as a password, until the password changes', async () => {
    const { uid, auth } = await newUser({ role: 'cluster_viewer' })
    const ask = (path: string, authorization: string, body?: object) =>
      api().call(body ? 'POST' : 'GET', path, { auth: null, headers: { authorization }, body })
    const { json, text } = await api().post('/v1/users/authorize', { ttl: 60 }, { auth })
    assert.match(json.access_token, /^[\w-]+\.[\w-]+\.[\w-]+$/, text)
    assert.equal((await ask('/v1/bdbs', `Bearer ${json.access_token}`)).status, 200)
    assert.equal((await ask('/v1/users', `JWT ${json.access_token}`)).status, 403)
    const fresh = await ask('/v1/users/refresh_jwt', `JWT ${json.access_token}`, {})
    assert.equal((await ask('/v1/bdbs', `Bearer ${fresh.json.access_token}`)).status, 200)
    assert.equal((await api().post('/v1/users/refresh_jwt', {}, { auth })).status, 401)
    for (const ttl of [0, 86_401, 1.5, '60', null])
      assert.equal((await api().post('/v1/users/authorize', { ttl }, { auth })).json.field, 'ttl')
    await api().put(`/v1/users/${uid}`, { password: 'secret two' })
    for (const token of [json.access_token, fresh.json.access_token])
      assert.equal((await ask('/v1/bdbs', `Bearer ${token}`)).status, 401)
  })

  test('passwords are hashed anew with another algorithm, while everybody signs in and tokens stay good', async () => {
    const path = '/v1/cluster/change_password_hashing_algorithm'
    const algorithm = async () => (await api().get('/v1/cluster')).json.password_hashing_algorithm
    const { uid, auth } = await newUser({ role: 'admin' })
    const { access_token: token } = (await api().post('/v1/users/authorize', { ttl: 600 }, { auth })).json
    assert.equal(await algorithm(), 'argon2id')
    for (const [body, code] of [
      [{}, 'missing_field'],
      [{ algorithm: 'SHA-256' }, 'invalid_field'],
      [{ algorithm: ['PBKDF2'] }, 'invalid_field'],
      [{ algorithm: 'PBKDF2', rounds: 1 }, 'unknown_field'],
      [{ algorithm: 'argon2id' }, 'hashing_algorithm_already_set'],
    ] as const) {
      const refused = await api().call('PATCH', path, { body })
      assert.deepEqual([refused.status, refused.json.error_code], [400, code], refused.text)
    }
    assert.equal((await api().call('PATCH', `${path}?dry_run`, { body: { algorithm: 'PBKDF2' } })).status, 200)
    assert.equal(await algorithm(), 'argon2id')
    const { auth: viewer } = await newUser()
    assert.equal((await api().call('PATCH', path, { auth: viewer, body: { algorithm: 'PBKDF2' } })).status, 403)
    for (const wanted of ['PBKDF2', 'argon2id']) {
      assert.equal((await api().call('PATCH', path, { body: { algorithm: wanted } })).status, 200)
      assert.equal(await algorithm(), wanted)
      assert.equal(await signsIn(auth), 200)
      assert.equal(await signsIn(`${auth}!`), 401)
      assert.equal((await api().get('/v1/cluster', { headers: { authorization: `Bearer ${token}` } })).status, 200)
      await it().kill()
      await it().start()
      assert.equal(await signsIn(auth), 200)
      assert.equal((await api().get('/v1/cluster', { headers: { authorization: `Bearer ${token}` } })).status, 200)
    }
    const changed = await api().put('/v1/users/password', { new_password: 'secret two' }, { auth })
    assert.equal(changed.status, 200, changed.text)
    assert.equal(await signsIn(auth), 401)
    assert.equal((await api().get(`/v1/users/${uid}`)).json.status, 'active')
  })

  test('a management role’s permissions can be read, and which one is one’s own', async () => {
    const { auth } = await newUser({ role_uids: [5, 2] })
    assert.deepEqual((await api().get('/v1/users/role', { auth })).json, { role: 'cluster_member' })
    const { json } = await api().get('/v1/users/permissions', { auth })
    assert.equal(json.admin.includes('update_cluster'), true)
    assert.deepEqual((await api().get('/v1/users/permissions/none', { auth })).json, { none: [] })
    assert.equal((await api().get('/v1/users/permissions/king', { auth })).status, 404)
  })

  test('dry_run says what would come of it, and changes nothing', async () => {
    const uids = async () => (await api().get('/v1/users')).json.map(({ uid }: { uid: number }) => uid)
    const before = await uids()
    const reply = await api().post('/v1/users?dry_run=true', { email: 'dry@example.com', password: 'x', role: 'admin' })
    assert.deepEqual([reply.status, reply.json.email], [200, 'dry@example.com'])
    assert.deepEqual(await uids(), before)
  })
})
