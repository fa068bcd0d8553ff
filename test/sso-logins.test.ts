/**
 * What a login by SSO is worth, and when it ends; and passwords where nothing but SSO counts.
 */
import assert from 'node:assert/strict'
import { after, before, describe, test } from 'node:test'
import { expiredRecords } from '#server/reconciler/retention.ts'
import { ApiClient } from './support/api.ts'
import {
  LOGIN_URL,
  LOGOUT_URL,
  makeSamlProvider,
  PROVIDER_ID,
  type Said,
  type SamlProvider,
} from './support/saml-provider.ts'
import { type Served, serve } from './support/served.ts'

const SSO = '/v1/cluster/sso'
const HOUR_MS = 3_600_000
const ISSUER = { id: PROVIDER_ID, login_url: LOGIN_URL, logout_url: LOGOUT_URL }

describe('logins by SSO', () => {
  const cleanUps: (() => Promise<void>)[] = []
  let provider: SamlProvider
  let served: Served
  before(async () => {
    const t = { after: (cleanUp: () => Promise<void>) => void cleanUps.push(cleanUp) }
    served = await serve(t)
    provider = await makeSamlProvider(t)
    await turnOn()
  })
  after(async () => {
    for (const cleanUp of cleanUps.reverse()) await cleanUp()
  })
  const fine = async (reply: Promise<{ status: number; text: string }>) => {
    const { status, text } = await reply
    assert.equal(status, 200, text)
  }
  const turnOn = async () => {
    const { api } = served
    const service = { certificate: await provider.read('service.crt'), key: await provider.read('service.key') }
    const certificates = [
      { name: 'sso_service', ...service },
      { name: 'sso_issuer', certificate: await provider.read('provider.crt') },
    ]
    await fine(api.put('/v1/cluster/certificates', { certificates }))
    await fine(api.put(SSO, { control_plane: true, issuer: ISSUER }))
    provider.trust((await api.get(`${SSO}/saml/metadata/sp`)).text)
  }
  const post = async (said: Partial<Said>) =>
    await served.api.post(`${SSO}/saml/acs`, undefined, {
      auth: null,
      raw: new URLSearchParams({ SAMLResponse: await provider.answer(said) }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    })
  const signIn = async (said: Partial<Said> = {}): Promise<string> => {
    const { status, json, text } = await post(said)
    assert.equal(status, 200, text)
    return json.access_token
  }
  const bearer = (token: string) => ({ auth: null, headers: { authorization: `Bearer ${token}` } })
  const look = async (token: string) => (await served.api.get('/v1/cluster', bearer(token))).status
  const lookAs = async (auth: string) => (await served.api.get('/v1/cluster', { auth })).status
  const refresh = async (token: string, ttl: number) =>
    await served.api.post('/v1/users/refresh_jwt', { ttl }, bearer(token))
  const endOf = (token: string): number =>
    JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8')).exp * 1000

  test('a token can be renewed until the login ends, and no longer', async () => {
    const long = (await refresh(await signIn(), 86_400)).json.access_token
    assert.ok(endOf(long) <= Date.now() + 8 * HOUR_MS)
    assert.ok(endOf(long) > Date.now() + 7 * HOUR_MS)

    const token = await signIn({ sessionMs: 100_000 })
    assert.ok(endOf(token) <= Date.now() + 100_000)
    const renewed = (await refresh(token, 300)).json.access_token
    assert.ok(endOf(renewed) <= Date.now() + 100_000)
    assert.deepEqual([await look(token), await look(renewed)], [200, 200])
    const { ssoLogins, view } = served.state
    const last = [...ssoLogins.values()].find(({ value }) => value.endsAtMs < Date.now() + 100_000)
    assert.ok(last)
    const changes = [ssoLogins.put(last.id, { ...last.value, endsAtMs: Date.now() })]
    await view.commit({ compare: [], changes, configuration: false })
    assert.deepEqual([await look(token), await look(renewed), (await refresh(token, 300)).status], [401, 401, 401])
    assert.equal(await look(long), 200)
  })

  test('a logout ends one login at once, with every token of it, and says where it ends at the identity provider', async () => {
    const [token, other] = [await signIn(), await signIn()]
    const renewed = (await refresh(token, 600)).json.access_token
    assert.deepEqual([await look(token), await look(renewed), await look(other)], [200, 200, 200])
    const { status, json } = await served.api.post(`${SSO}/saml/logout`, undefined, bearer(token))
    assert.equal(status, 200)
    assert.ok(json.logout_url.startsWith(`${LOGOUT_URL}?`))
    assert.deepEqual(await provider.readLogout(json.logout_url), {
      nameId: 'ada@example.com',
      sessionIndex: 'session-7',
    })
    assert.deepEqual([await look(token), await look(renewed), await look(other)], [401, 401, 200])
    assert.equal((await served.api.post(`${SSO}/saml/logout`, undefined, bearer(token))).status, 401)
    const none = await served.api.post(`${SSO}/saml/logout`)
    assert.deepEqual([none.status, none.json.error_code], [409, 'no_sso_login'])
    assert.equal((await served.api.get(`${SSO}/saml/slo?SAMLResponse=eA`, { auth: null })).status, 200)
    const theirs = await served.api.get(`${SSO}/saml/slo?SAMLRequest=eA`, { auth: null })
    assert.deepEqual([theirs.status, theirs.json.error_code], [406, 'unsupported_feature'])
    await fine(served.api.put(SSO, { issuer: { logout_url: '' } }))
    const nowhere = await served.api.post(`${SSO}/saml/logout`, undefined, bearer(other))
    assert.deepEqual(nowhere.json, { logout_url: '' })
    assert.equal(await look(other), 401)
    await fine(served.api.put(SSO, { issuer: ISSUER }))
  })

  test('logins end when SSO is turned off, or when another identity provider becomes the one, and do not come back', async () => {
    const token = await signIn()
    assert.equal(await look(token), 200)
    await fine(served.api.put(SSO, { control_plane: false }))
    assert.equal(await look(token), 401)
    await fine(served.api.put(SSO, { control_plane: true }))
    assert.equal(await look(token), 401)
    const next = await signIn()
    await fine(served.api.put(SSO, { issuer: { id: 'urn:sso:other' } }))
    assert.equal(await look(next), 401)
    await fine(served.api.put(SSO, { issuer: ISSUER }))
    assert.equal(await look(next), 401)
  })

  test('logins end when the identity provider gets another certificate, and stay with the same', async () => {
    const { api } = served
    const issuer = async (file: string) => ({ name: 'sso_issuer', certificate: await provider.read(file) })
    const put = async (file: string) =>
      await fine(api.put('/v1/cluster/certificates', { certificates: [await issuer(file)] }))
    const token = await signIn()
    await put('provider.crt')
    assert.equal(await look(token), 200)
    await put('service.crt')
    assert.equal(await look(token), 401)
    await put('provider.crt')
    assert.equal(await look(token), 401)
    const next = await signIn()
    assert.equal(await look(next), 200)
    await fine(api.put(SSO, { enforce_control_plane: false }))
    assert.equal(await look(next), 200)
  })

  test('who changes SSO while a certificate of it is replaced is not overruled', async () => {
    const { api, state } = served
    const commit = state.view.commit.bind(state.view)
    state.view.commit = async (wanted) => {
      if (!wanted.configuration) return await commit(wanted)
      state.view.commit = commit
      await fine(api.put(SSO, { issuer: { logout_url: '' } }))
      return await commit(wanted)
    }
    const before = state.certificates.get('sso_issuer')
    const certificate = await provider.read('service.crt')
    const busy = await api.put('/v1/cluster/update_cert', { name: 'sso_issuer', certificate })
    state.view.commit = commit
    assert.deepEqual([busy.status, busy.json.error_code], [409, 'busy'])
    assert.equal(state.certificates.get('sso_issuer'), before)
    await fine(api.put(SSO, { issuer: ISSUER }))
  })

  test('logins end with their user, or when they are given a password', async () => {
    const { api, state } = served
    const made = await api.post('/v1/users', { email: 'grace@example.com', auth_method: 'sso', role: 'cluster_viewer' })
    assert.equal(made.status, 200, made.text)
    assert.equal(made.json.auth_method, 'sso')
    const said = { email: 'grace@example.com', roles: [] }
    const token = await signIn(said)
    assert.equal(await look(token), 200)
    assert.equal(await lookAs('grace@example.com:'), 401)
    await fine(api.put(`/v1/users/${made.json.uid}`, made.json))
    await fine(api.put(`/v1/users/${made.json.uid}`, { password: 'correct-horse', auth_method: 'regular' }))
    assert.equal(await look(token), 401)
    const next = await signIn(said)
    await fine(api.delete(`/v1/users/${made.json.uid}`))
    assert.equal(await look(next), 401)
    assert.equal((await post(said)).status, 401)
    const { size } = state.ssoLogins
    assert.ok(size > 0)
    const ofLogins = (nowMs: number) => expiredRecords(state, nowMs).filter(({ key }) => key.startsWith('sso-logins/'))
    // One that could still be shown again is kept, whatever has become of its user.
    assert.equal(ofLogins(Date.now()).length, 0)
    assert.equal(ofLogins(Date.now() + 9 * HOUR_MS).length, size)
  })

  test('where nothing but SSO counts, passwords and their tokens are for administrators alone', async () => {
    const { api } = served
    const eve = { email: 'eve@example.com', password: 'correct-horse', role: 'cluster_viewer' }
    await fine(api.post('/v1/users', eve))
    await fine(api.post('/v1/users', { email: 'root@example.com', password: 'correct-horse', role: 'admin' }))
    const [asEve, asRoot] = ['eve@example.com:correct-horse', 'root@example.com:correct-horse']
    const token = (await api.post('/v1/users/authorize', {}, { auth: asEve })).json.access_token
    assert.deepEqual([await lookAs(asEve), await lookAs(asRoot), await look(token)], [200, 200, 200])
    await fine(api.put(SSO, { enforce_control_plane: true }))
    assert.deepEqual([await lookAs(asEve), await lookAs(asRoot), await look(token)], [401, 200, 401])
    const right = await api.get('/v1/cluster', { auth: asEve })
    const wrong = await api.get('/v1/cluster', { auth: 'eve@example.com:wrong-horse' })
    assert.equal(right.text, wrong.text)
    assert.equal((await api.post('/v1/users/authorize', {}, { auth: asEve })).status, 401)
    const bySso = await signIn({ email: 'eve@example.com' })
    assert.deepEqual([await look(bySso), (await refresh(bySso, 60)).status], [200, 200])
    await fine(api.put(SSO, { control_plane: false }))
    assert.deepEqual([await lookAs(asEve), await look(token)], [200, 200])
    await fine(api.put(SSO, { control_plane: true, enforce_control_plane: false }))
  })

  test('a password of somebody who signs in by SSO does not outlive the identity provider', async () => {
    const { api } = served
    const bySso = await signIn({ email: 'eve@example.com' })
    const password = { new_password: 'battery-staple' }
    await fine(api.post('/v1/users/password', password, bearer(bySso)))
    assert.equal(await lookAs('eve@example.com:battery-staple'), 200)
    const asEve = { auth: 'eve@example.com:battery-staple' }
    const token = (await api.post('/v1/users/authorize', {}, asEve)).json.access_token
    assert.equal(await look(token), 200)

    const users: { uid: number; email: string }[] = (await api.get('/v1/users')).json
    const uidOf = (email: string) => users.find((user) => user.email === email)?.uid
    for (const email of ['eve@example.com', 'root@example.com'])
      await fine(api.put(`/v1/users/${uidOf(email)}`, { auth_method: 'sso' }))
    const [right, wrong] = [
      await api.get('/v1/cluster', asEve),
      await api.get('/v1/cluster', { auth: 'eve@example.com:wrong' }),
    ]
    assert.deepEqual([right.status, right.text], [401, wrong.text])
    assert.equal(await look(token), 401)
    assert.equal((await api.post('/v1/users/authorize', {}, asEve)).status, 401)
    assert.equal(await lookAs('root@example.com:correct-horse'), 200, 'administrators keep their way in')
    assert.equal(await look(await signIn({ email: 'eve@example.com' })), 200)

    await fine(api.put(`/v1/users/${uidOf('eve@example.com')}`, { auth_method: 'regular' }))
    assert.equal(await lookAs('eve@example.com:battery-staple'), 200)
  })

  test('whoever posts without end keeps nobody else out', async () => {
    const far = new ApiClient(served.port, '', { from: '127.0.0.2', sockets: 1 })
    const raw = new URLSearchParams({ SAMLResponse: Buffer.from('<a/>').toString('base64') }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const path = `${SSO}/saml/acs`
    const many = Array.from({ length: 300 }, () => served.api.post(path, undefined, { auth: null, raw, headers }))
    const good = new URLSearchParams({ SAMLResponse: await provider.answer() }).toString()
    const reply = await far.post(path, undefined, { auth: null, raw: good, headers })
    far.close()
    assert.equal(reply.status, 200, reply.text)
    const seen = new Set((await Promise.all(many)).map(({ status, json }) => `${status} ${json.error_code}`))
    seen.delete('503 too_many_logins')
    assert.deepEqual([...seen], ['401 sso_login_failed'])
  })

  test('deleting it takes the certificates along, and leaves nothing on', async () => {
    const { api, state } = served
    const token = await signIn()
    const dry = await api.delete(`${SSO}?dry_run=true`)
    assert.equal(dry.status, 200)
    assert.deepEqual([await look(token), (await api.get(SSO)).json.control_plane], [200, true])
    await fine(api.delete(SSO))
    assert.equal(await look(token), 401)
    assert.equal((await api.get(SSO)).json.control_plane, false)
    assert.deepEqual(
      [state.certificates.get('sso_service'), state.certificates.get('sso_issuer')],
      [undefined, undefined],
    )
    assert.equal((await post({})).json.error_code, 'sso_off')
    await fine(api.delete(SSO))
    await turnOn()
    assert.equal(await look(token), 401)
    assert.equal(await look(await signIn()), 200)
  })
})
