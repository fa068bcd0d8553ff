/**
 * LDAP as the API has it: the configuration of the directory, the mappings of its groups, and its people signing in.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { type Instance, PASSWORD, USER } from './support/instance.ts'
import {
  ADMINS,
  GROUP_ATTRIBUTE,
  GROUP_QUERY,
  type LdapServer,
  QUERY,
  READER,
  startLdapServer,
  TEMPLATE,
  VIEWERS,
} from './support/ldap-server.ts'
import { freePort } from './support/ports.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

const LDAP = '/v1/cluster/ldap'
const MAPPINGS = '/v1/ldap_mappings'
const DEFAULTS = {
  bind_dn: '',
  bind_pass: '',
  ca_cert: '',
  cache_ttl: 300,
  cba: false,
  cba_identity_oid: '',
  control_plane: false,
  data_plane: false,
  directory_timeout_s: 5,
  dn_group_attr: '',
  dn_group_query: {},
  starttls: false,
  uris: [],
  user_dn_query: {},
  user_dn_template: '',
}

onEachStore('LDAP', (it, store) => {
  const api = () => it().api
  const cleanUps: (() => Promise<void>)[] = []
  const here = { after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) }
  let server: LdapServer

  before(async () => {
    server = await startLdapServer(here)
  })
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })

  /** From nothing: what was configured before is gone. */
  const configure = async (settings: Record<string, unknown>) => {
    assert.equal((await api().delete(LDAP)).status, 200)
    const reply = await api().put(LDAP, { uris: [server.uri], control_plane: true, ...READER, ...settings })
    assert.equal(reply.status, 200, reply.text)
    return reply.json
  }
  const map = async (name: string, dn: string, ...role_uids: number[]): Promise<number> => {
    const reply = await api().post(MAPPINGS, { name, dn, role_uids })
    assert.equal(reply.status, 200, reply.text)
    return reply.json.uid
  }
  const unmapAll = async () => {
    for (const { uid } of (await api().get(MAPPINGS)).json) await api().delete(`${MAPPINGS}/${uid}`)
  }
  const as = (name: string, password = `${name}-pass`) => api().get('/v1/users/role', { auth: `${name}:${password}` })
  const bearer = (token: string) => ({ auth: null, headers: { authorization: `Bearer ${token}` } })
  const codeOf = async (reply: ReturnType<typeof as>) => {
    const { status, json } = await reply
    return [status, json.error_code]
  }

  test('nothing is configured at first, and deleting that is no error', async () => {
    assert.deepEqual((await api().get(LDAP)).json, DEFAULTS)
    assert.equal((await api().delete(LDAP)).status, 200)
    assert.deepEqual((await api().get(MAPPINGS)).json, [])
  })

  test('the configuration is changed in parts, read back, and cleared', async () => {
    const made = await configure({ ...QUERY, ...GROUP_ATTRIBUTE })
    const wanted = { ...DEFAULTS, control_plane: true, uris: [server.uri], ...READER, ...QUERY, ...GROUP_ATTRIBUTE }
    assert.deepEqual(made, { ...wanted, bind_pass: '***' })
    assert.deepEqual((await api().get(LDAP)).json, made)
    // What was read may be sent back as it is.
    assert.deepEqual((await api().put(LDAP, made)).json, made)
    const part = await api().put(LDAP, { cache_ttl: 7, directory_timeout_s: 60 })
    assert.deepEqual(part.json, { ...made, cache_ttl: 7, directory_timeout_s: 60 })
    // Of two that exclude each other the one that is set last stays.
    const other = { ...part.json, user_dn_query: {}, ...TEMPLATE, dn_group_attr: '', ...GROUP_QUERY }
    assert.deepEqual((await api().put(LDAP, { ...TEMPLATE, ...GROUP_QUERY })).json, other)
    const anonymous = { ...other, bind_dn: '', bind_pass: '' }
    assert.deepEqual((await api().put(LDAP, { bind_dn: '' })).json, anonymous)
    assert.deepEqual((await api().put(`${LDAP}?dry_run=true`, { cache_ttl: 9 })).json, { ...anonymous, cache_ttl: 9 })
    assert.deepEqual((await api().get(LDAP)).json, anonymous)
    assert.equal((await api().delete(LDAP)).status, 200)
    assert.deepEqual((await api().get(LDAP)).json, DEFAULTS)
  })

  test('what does not go together, or cannot be, is refused with the field that is wrong', async () => {
    const query = QUERY.user_dn_query
    const whole = { uris: [server.uri], ...TEMPLATE, ...GROUP_ATTRIBUTE, control_plane: true }
    assert.equal((await api().put(LDAP, whole)).status, 200)
    const before = (await api().get(LDAP)).json
    const together = 'illegal_fields_combination'
    for (const [body, code, field, status = 400] of [
      [{ ...TEMPLATE, ...QUERY }, together, 'user_dn_query'],
      [{ ...GROUP_ATTRIBUTE, ...GROUP_QUERY }, together, 'dn_group_query'],
      [{ user_dn_template: '' }, together, 'user_dn_template'],
      [{ dn_group_attr: '' }, together, 'dn_group_attr'],
      [{ uris: [] }, together, 'uris'],
      [{ uris: ['ldap://a:389', 'ldaps://b:636'] }, together, 'uris'],
      [{ uris: ['ldap://a:70000'] }, together, 'uris'],
      [{ uris: ['ldaps://a:636'], starttls: true }, together, 'starttls'],
      [{ bind_dn: 'cn=a' }, together, 'bind_pass'],
      [{ bind_pass: 'a' }, together, 'bind_dn'],
      [{ user_dn_template: 'cn=ada,dc=example' }, together, 'user_dn_template'],
      [{ user_dn_template: '%u' }, together, 'user_dn_template'],
      [{ user_dn_query: { base: 'dc=x' } }, together, 'user_dn_query'],
      [{ user_dn_query: { ...query, filter: '(cn=ada)' } }, together, 'user_dn_query.filter'],
      [{ dn_group_query: { ...query, filter: '(member=x)' } }, together, 'dn_group_query.filter'],
      [{ user_dn_query: { ...query, filter: '(cn=%u' } }, 'invalid_field', 'user_dn_query.filter'],
      [{ user_dn_query: { ...query, scope: 'sub' } }, 'invalid_field', 'user_dn_query.scope'],
      [{ user_dn_query: { ...query, more: 1 } }, 'unknown_field', 'user_dn_query.more'],
      [{ uris: ['http://a:80'] }, 'invalid_field', 'uris[0]'],
      [{ uris: ['ldap://a:389/dc=x'] }, 'invalid_field', 'uris[0]'],
      [{ uris: 'ldap://a:389' }, 'invalid_field', 'uris'],
      [{ directory_timeout_s: 4 }, 'invalid_field', 'directory_timeout_s'],
      [{ directory_timeout_s: 61 }, 'invalid_field', 'directory_timeout_s'],
      [{ cache_ttl: -1 }, 'invalid_field', 'cache_ttl'],
      [{ ca_cert: 'no certificate' }, 'invalid_field', 'ca_cert'],
      [{ ca_cert: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }, 'invalid_field', 'ca_cert'],
      [{ control_plane: 'yes' }, 'invalid_field', 'control_plane'],
      [{ data_plane: true }, 'unsupported_feature', 'data_plane', 406],
      [{ cba: true }, 'unsupported_feature', 'cba', 406],
      [{ nonsense: 1 }, 'unknown_field', 'nonsense'],
      [[], 'invalid_json', undefined],
    ] as const) {
      const { json, ...reply } = await api().put(LDAP, body)
      const told = [reply.status, json.error_code, json.field || undefined]
      assert.deepEqual(told, [status, code, field], `${JSON.stringify(body)}: ${reply.text}`)
    }
    const told = await api().put(LDAP, { bind_pass: { not: 'told-again' } })
    assert.ok(told.status === 400 && !told.text.includes('told-again'), told.text)
    assert.deepEqual((await api().get(LDAP)).json, before)
  })

  test('mappings are made, read, changed and deleted', async () => {
    const made = await api().post(MAPPINGS, {
      name: 'Admins',
      dn: ADMINS,
      email: 'a@example.com',
      role_uids: [1, 1, 2],
    })
    assert.equal(made.status, 200, made.text)
    const { uid } = made.json
    const wanted = {
      ...{ uid, name: 'Admins', dn: ADMINS, email: 'a@example.com', role_uids: [1, 2], account_id: 0 },
      ...{ email_alerts: true, bdbs_email_alerts: [], cluster_email_alerts: false },
    }
    assert.deepEqual(made.json, wanted)
    assert.deepEqual((await api().get(`${MAPPINGS}/${uid}`)).json, wanted)
    assert.deepEqual((await api().get(MAPPINGS)).json, [wanted])
    const changes = { dn: VIEWERS, bdbs_email_alerts: ['1', '2'], role_uids: [5] }
    assert.deepEqual((await api().put(`${MAPPINGS}/${uid}`, changes)).json, { ...wanted, ...changes })
    assert.deepEqual((await api().put(`${MAPPINGS}/${uid}`, { ...wanted, action_uid: 'x' })).json, {
      ...wanted,
      bdbs_email_alerts: [],
    })
    assert.equal((await api().delete(`${MAPPINGS}/${uid}`)).status, 200)
    for (const method of ['GET', 'PUT', 'DELETE'])
      for (const gone of [uid, 0, 'x']) {
        const { status, json } = await api().call(method, `${MAPPINGS}/${gone}`, { body: {} })
        assert.deepEqual([status, json.error_code], [404, 'ldap_mapping_not_exist'])
      }
    assert.ok((await map('Admins', ADMINS, 1)) > uid, 'numbers are never given twice')
    await unmapAll()
  })

  test('mappings that cannot be are refused with the documented codes', async () => {
    const whole = { name: 'one', dn: ADMINS, role_uids: [1] }
    await map('taken', ADMINS, 1)
    const uid = await map('mine', ADMINS, 1)
    for (const [part, code, status = 400] of [
      [{ name: 'taken' }, 'name_already_exists', 409],
      [{ name: '' }, 'invalid_name_param'],
      [{ name: 'a/b' }, 'invalid_name_param'],
      [{ name: 'a'.repeat(256) }, 'invalid_name_param'],
      [{ dn: '' }, 'invalid_dn_param'],
      [{ dn: 'admins' }, 'invalid_dn_param'],
      [{ dn: 5 }, 'invalid_dn_param'],
      [{ role_uids: [] }, 'invalid_role_uids_param'],
      [{ role_uids: [4_711] }, 'invalid_role_uids_param'],
      [{ role_uids: ['1'] }, 'invalid_role_uids_param'],
      [{ account_id: 'x' }, 'invalid_account_id_param'],
      [{ email: 'nobody' }, 'invalid_field'],
      [{ nonsense: 1 }, 'unknown_field'],
    ] as const) {
      for (const reply of [
        await api().post(MAPPINGS, { ...whole, ...part }),
        await api().put(`${MAPPINGS}/${uid}`, part),
      ])
        assert.deepEqual([reply.status, reply.json.error_code], [status, code], JSON.stringify(part))
    }
    for (const name of ['name', 'dn', 'role_uids'] as const) {
      const { [name]: _, ...rest } = whole
      const { status, json } = await api().post(MAPPINGS, rest)
      assert.deepEqual([status, json.error_code, json.field], [400, 'missing_field', name])
    }
    await unmapAll()
  })

  test('a role that a mapping gives cannot be deleted', async () => {
    const { json: role } = await api().post('/v1/roles', { name: 'given', management: 'db_viewer' })
    const mapping = await map('giver', ADMINS, role.uid)
    const refused = await api().delete(`/v1/roles/${role.uid}`)
    assert.deepEqual([refused.status, refused.json.error_code], [406, 'role_in_use'])
    await api().delete(`${MAPPINGS}/${mapping}`)
    assert.equal((await api().delete(`/v1/roles/${role.uid}`)).status, 200)
  })

  test('people of the directory do what the roles of their groups allow, and no more', async () => {
    await configure({ ...QUERY, ...GROUP_QUERY })
    assert.deepEqual(await codeOf(as('ada')), [401, 'unauthorized'], 'in no group that is mapped')
    const admins = await map('admins', ADMINS, 1)
    await map('viewers', VIEWERS, 5)
    assert.deepEqual((await as('ada')).json, { role: 'admin' })
    assert.deepEqual((await as('bob')).json, { role: 'db_viewer' })
    assert.equal((await api().get('/v1/users', { auth: 'ada:ada-pass' })).status, 200)
    assert.equal((await api().get('/v1/users', { auth: 'bob:bob-pass' })).status, 403)
    const refusals = []
    for (const [name, password] of [
      ['ada', 'wrong'],
      ['nobody'],
      ['eve'],
      ['*'],
      ['ada)(cn=*', 'ada-pass'],
      ['ada', ''],
    ])
      refusals.push((await as(name ?? '', password)).text)
    assert.deepEqual([...new Set(refusals)].length, 1, 'all are refused with the same words')
    assert.deepEqual(await codeOf(as('ada', '')), [401, 'unauthorized'])

    const auth = 'ada:ada-pass'
    const { json: login } = await api().post('/v1/users/authorize', { ttl: 60 }, { auth })
    const { json: next } = await api().post('/v1/users/refresh_jwt', {}, bearer(login.access_token))
    const byToken = async () => (await api().get('/v1/users/role', bearer(next.access_token))).json
    assert.deepEqual(await byToken(), { role: 'admin' })
    await api().put(`${MAPPINGS}/${admins}`, { role_uids: [3] })
    assert.deepEqual(await byToken(), { role: 'cluster_viewer' })
    assert.deepEqual((await as('ada')).json, { role: 'cluster_viewer' })
    assert.equal((await api().put('/v1/cluster', { email_alerts: true }, { auth })).status, 403)
    await api().delete(`${MAPPINGS}/${admins}`)
    assert.equal((await as('ada')).status, 401)
    assert.equal((await byToken()).error_code, 'unauthorized')
    assert.equal((await as('bob')).status, 200)
    await api().put(LDAP, { control_plane: false })
    assert.equal((await as('bob')).status, 401)
    await unmapAll()
  })

  test('a user of the cluster is never looked for in the directory', async () => {
    await configure({ ...TEMPLATE, ...GROUP_ATTRIBUTE })
    await map('admins', ADMINS, 1)
    assert.equal((await as('ada')).status, 200)
    const user = { email: 'ada', name: 'ada', password: 'of the cluster', role: 'db_viewer' }
    const { json } = await api().post('/v1/users', user)
    assert.equal((await as('ada')).status, 401)
    assert.equal((await as('ADA', 'ada-pass')).status, 401)
    assert.deepEqual((await as('ada', 'of the cluster')).json, { role: 'db_viewer' })
    await api().delete(`/v1/users/${json.uid}`)
    assert.deepEqual((await as('ada')).json, { role: 'admin' })
    await unmapAll()
  })

  test('a directory that is away or silent keeps its people out, and nobody else', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket.on('error', () => undefined)))
    const port = await freePort()
    await new Promise<void>((resolve) => silent.listen(port, '127.0.0.1', resolve))
    here.after(async () => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })
    await configure({ ...TEMPLATE, ...GROUP_ATTRIBUTE, uris: [`ldap://127.0.0.1:${port}`] })
    await map('admins', ADMINS, 1)
    const answered: string[] = []
    const waiting = ['ada', 'bob', 'nobody'].map(async (name) => {
      const { status, json } = await as(name)
      answered.push(name)
      assert.deepEqual([status, json.error_code], [503, 'ldap_unreachable'])
    })
    await until('the directory to be asked', () => sockets.length > 0)
    assert.equal((await as(USER, PASSWORD)).status, 200)
    assert.equal((await as(USER, 'wrong')).status, 401)
    assert.deepEqual(answered, [], 'the others still wait for the directory')
    await Promise.all(waiting)

    await configure({ ...TEMPLATE, ...GROUP_ATTRIBUTE, cache_ttl: 0 })
    assert.equal((await as('ada')).status, 200)
    await server.kill()
    assert.deepEqual(await codeOf(as('ada')), [503, 'ldap_unreachable'])
    assert.equal((await as(USER, PASSWORD)).status, 200)
    await server.start()
    assert.equal((await as('ada')).status, 200)
    await unmapAll()
  })

  test('the configuration survives kill -9, and its password is found nowhere', async () => {
    const { ca } = await server.certificates()
    const made = await configure({ ...QUERY, ...GROUP_QUERY, uris: [server.tlsUri], ca_cert: ca })
    await map('admins', ADMINS, 1)
    assert.equal((await as('ada')).status, 200)
    assert.equal((await as('ada', 'a-wrong-guess')).status, 401)
    await it().kill()
    for (const [where, text] of await everythingStored(it()))
      for (const secret of [READER.bind_pass, 'ada-pass', 'a-wrong-guess'])
        for (const form of [secret, Buffer.from(secret).toString('hex'), Buffer.from(secret).toString('base64')])
          assert.ok(!text.includes(form), `${secret} in ${where}`)
    await it().start()
    assert.deepEqual((await api().get(LDAP)).json, made)
    assert.equal((await as('ada')).status, 200)
    assert.ok(!it().output.includes(READER.bind_pass))
    await unmapAll()
  })

  /** Everything that the instance has written anywhere. */
  async function everythingStored(instance: Instance): Promise<[string, string][]> {
    const files = await readdir(instance.dataDir, { recursive: true, withFileTypes: true })
    const stored: [string, string][] = []
    for (const file of files) {
      const path = join(file.parentPath, file.name)
      if (file.isFile()) stored.push([path, await readFile(path, 'latin1')])
    }
    if (store === 'etcd') {
      const range = { key: 'AA==', range_end: 'AA==' }
      const reply = await fetch(`${instance.etcd?.url}/v3/kv/range`, { method: 'POST', body: JSON.stringify(range) })
      const { kvs } = Object(await reply.json())
      for (const { key, value = '' } of kvs)
        stored.push([Buffer.from(key, 'base64').toString(), Buffer.from(value, 'base64').toString('latin1')])
    }
    assert.ok(
      stored.some(([, text]) => text.includes('cn=reader')),
      'the configuration is among it',
    )
    return stored
  }
})
