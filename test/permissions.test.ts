/**
 * Who may call what: every route of the table, tried by every management role, in and out of reach of its databases.
 * Each request is one that could never succeed (a field that nobody knows, a lock that never fits), so that whoever is
 * allowed gets an error of the route itself, and nothing changes meanwhile.
 */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import { isPermission, MANAGEMENT_ROLES, type ManagementRole, permissionsOf } from '#model/permissions.ts'
import { type Access, databaseParameter, type Route } from '#server/http/route.ts'
import { refusalsOf } from '#server/openapi.ts'
import { ROUTES } from '#server/routes.ts'
import type { Reply } from './support/api.ts'
import type { Instance } from './support/instance.ts'
import { withInstance } from './support/suite.ts'

type Somebody = { readonly auth: string; readonly management: ManagementRole; readonly limited: boolean }
type Reach = 'in reach' | 'out of reach'

withInstance('permissions', {}, (it) => {
  const uids: Record<Reach, number> = { 'in reach': 0, 'out of reach': 0 }
  const people: Somebody[] = []

  before(async () => {
    for (const reach of ['in reach', 'out of reach'] as const)
      uids[reach] = (await it().create({ name: reach.replaceAll(' ', '-'), memory_size: 5_000_000 })).uid
    for (const management of MANAGEMENT_ROLES) people.push(await somebody(it(), management, undefined))
    for (const management of ['db_member', 'db_viewer'] as const)
      people.push(await somebody(it(), management, uids['in reach']))
  })

  for (const route of ROUTES) {
    test(`${route.method} ${route.path} asks for ${route.access}`, async () => {
      for (const who of people) {
        for (const reach of ['in reach', 'out of reach'] as const) {
          const name = `${who.limited ? 'limited ' : ''}${who.management}, ${reach}`
          const reply = await tryIt(it(), route, who, uids[reach])
          const code = reply.status < 400 ? undefined : reply.json.error_code
          assert.notEqual(code, 'internal_error', name)
          assert.ok(
            code === undefined || refusalsOf(route).has(code),
            `${name}: it says nowhere that it answers ${code}`,
          )
          const refused =
            reply.json?.error_code === 'insufficient_permissions' && /permission/.test(reply.json.description)
          assert.equal(!refused, isAllowed(route, who, reach), `${name}: ${reply.status} ${reply.text.slice(0, 200)}`)
          if (refused) assert.equal(reply.status, 403)
        }
      }
    })
  }

  test('nobody gets in without credentials, except where the table says so', async () => {
    for (const route of ROUTES) {
      const reply = await tryIt(it(), route, { auth: null }, uids['in reach'])
      assert.equal(reply.status !== 401, route.access === 'open', `${route.method} ${route.path}: ${reply.status}`)
    }
  })

  test('lists show what is in reach, and no secrets to those who may only look', async () => {
    const [limitedMember, limitedViewer] = people.filter(({ limited }) => limited)
    assert.ok(limitedMember && limitedViewer)
    for (const { auth } of [limitedMember, limitedViewer]) {
      for (const query of ['', '?extended=true', '?fields=uid,name']) {
        const { json } = await it().api.get(`/v1/bdbs${query}`, { auth })
        assert.deepEqual(
          json.map(({ uid }: { uid: number }) => uid),
          [uids['in reach']],
        )
      }
      const { json: shards } = await it().api.get('/v1/shards', { auth })
      assert.deepEqual(
        shards.map(({ bdb_uid }: { bdb_uid: number }) => bdb_uid),
        [uids['in reach']],
      )
      const { json: actions } = await it().api.get('/v2/actions', { auth })
      const about = new Set(
        actions.map((one: { additional_info: { object_uid: string } }) => one.additional_info.object_uid),
      )
      assert.deepEqual([...about], [String(uids['in reach'])])
      const all = await it().api.get('/v1/shards')
      const other = all.json.find(({ bdb_uid }: { bdb_uid: number }) => bdb_uid === uids['out of reach'])
      assert.equal((await it().api.get(`/v1/shards/${other.uid}`, { auth })).status, 404)
    }
    const path = `/v1/bdbs/${uids['in reach']}`
    const { json: whole } = await it().api.get(path)
    const secret = whole.authentication_admin_pass
    assert.match(secret, /^[\w-]{20,}$/)
    for (const { auth, management } of people) {
      const { status, json, text } = await it().api.get(path, { auth })
      if (status !== 200) continue
      const maySee = permissionsOf(management).has('view_redis_pass')
      assert.equal(json.authentication_admin_pass, maySee ? secret : '********', management)
      assert.equal(text.includes(secret), maySee)
      assert.equal((await it().api.get('/v1/bdbs', { auth })).text.includes(secret), maySee)
    }
  })
})

function isAllowed({ access, path }: Route, { management, limited }: Somebody, reach: Reach): boolean {
  if (!isPermission(access)) return true
  if (!permissionsOf(management).has(access)) return false
  if (!limited) return true
  if (access === 'create_bdb') return false
  return databaseParameter(path) === undefined || reach === 'in reach'
}

/** Whose routes look at the caller themselves: what they refuse is not about a permission. */
const OWN_CHECKS: ReadonlySet<Access> = new Set(['signed-in', 'own-password'])

function tryIt(it: Instance, route: Route, who: { auth: string | null }, databaseUid: number): Promise<Reply> {
  const parameter = databaseParameter(route.path)
  const path = route.path.replace(/\{(\w+)\}/g, (_all, name: string) => {
    if (name === parameter) return String(databaseUid)
    return { action: 'flush', role: 'admin' }[name] ?? '999999'
  })
  const headers = OWN_CHECKS.has(route.access) ? {} : { 'if-match': '"never"', 'cluster-state-id': '1' }
  const body = route.method === 'GET' ? {} : { body: { no_such_field: true } }
  return it.api.call(route.method, path, { auth: who.auth, headers, ...body })
}

async function somebody(it: Instance, management: ManagementRole, databaseUid: number | undefined): Promise<Somebody> {
  const name = `${management}${databaseUid === undefined ? '' : '-limited'}`
  const resources = databaseUid === undefined ? {} : { resources: [{ type: 'db', uids: [String(databaseUid)] }] }
  const role = await it.api.post('/v1/roles', { name: `test ${name}`, management, ...resources })
  assert.equal(role.status, 200, role.text)
  const email = `${name}@roles.example.com`
  const user = await it.api.post('/v1/users', { email, name, password: `of-${name}`, role_uids: [role.json.uid] })
  assert.equal(user.status, 200, user.text)
  return { auth: `${email}:of-${name}`, management, limited: databaseUid !== undefined }
}
