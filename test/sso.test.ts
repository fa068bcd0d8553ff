/**
 * Single sign-on, as browsers and scripts meet it: set up, in and out both ways, and everybody who must not get in.
 */
import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import {
  LOGIN_URL,
  LOGOUT_URL,
  makeSamlProvider,
  PROVIDER_ID,
  type Said,
  type SamlProvider,
  SHA1,
  type Signing,
} from './support/saml-provider.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const SSO = '/v1/cluster/sso'

withInstance('SSO', {}, (it) => {
  const api = () => it().api
  const cleanUps = new CleanUpList()
  let provider: SamlProvider
  before(async () => {
    provider = await makeSamlProvider(cleanUps)
  }, HOOK)
  after(() => cleanUps.run(), HOOK)
  const fine = async (reply: Promise<{ status: number; text: string }>) => {
    const { status, text } = await reply
    assert.equal(status, 200, text)
  }
  const upload = async (name: string, certificate: string, key?: string) =>
    await api().put('/v1/cluster/certificates', { certificates: [{ name, certificate, ...(key && { key }) }] })
  const post = (response: string, headers = {}) =>
    api().post(`${SSO}/saml/acs`, undefined, {
      auth: null,
      raw: new URLSearchParams({ SAMLResponse: response, RelayState: 'anything' }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded', ...headers },
    })
  const bearer = (token: string) => ({ auth: null, headers: { authorization: `Bearer ${token}` } })
  const beginLogin = async () => {
    const { status, headers } = await api().get(`${SSO}/saml/login`, {
      auth: null,
      headers: { accept: 'text/html,*/*' },
    })
    assert.equal(status, 302)
    const location = String(headers.location)
    assert.ok(location.startsWith(`${LOGIN_URL}?`), location)
    return await provider.readRequest(location)
  }
  const signIn = async (said: Parameters<SamlProvider['answer']>[0]) => {
    const { status, json, text } = await post(await provider.answer(said))
    assert.equal(status, 200, text)
    assert.deepEqual(Object.keys(json), ['access_token'])
    return json.access_token
  }

  test('is off at first, and cannot be on without an identity provider and certificates', async () => {
    const { json } = await api().get(SSO)
    const base = json.service.saml2.entity_id.replace(/\/sp$/, '')
    assert.match(base, /^https:\/\/[\w.-]+:\d+$/)
    assert.deepEqual(json, {
      control_plane: false,
      enforce_control_plane: false,
      protocol: 'saml2',
      issuer: { id: '', login_url: '', logout_url: '', metadata: '' },
      service: {
        address: '',
        saml2: {
          entity_id: `${base}/sp`,
          acs_url: `${base}/v1/cluster/sso/saml/acs`,
          slo_url: `${base}/v1/cluster/sso/saml/slo`,
        },
      },
    })
    const issuer = { id: PROVIDER_ID, login_url: LOGIN_URL }
    for (const [body, status, code, field] of [
      [{ control_plane: true }, 400, 'missing_param', 'issuer.id'],
      [{ control_plane: true, issuer: { id: 'x' } }, 400, 'missing_param', 'issuer.login_url'],
      [{ control_plane: true, issuer }, 406, 'missing_certificate', 'control_plane'],
      [{ issuer: { login_url: 'ftp://a' } }, 400, 'invalid_field', 'issuer.login_url'],
      [{ service: { address: 'https://a:99999' } }, 400, 'invalid_field', 'service.address'],
      [{ protocol: 'oidc' }, 400, 'invalid_field', 'protocol'],
      [{ sso: true }, 400, 'unknown_field', 'sso'],
    ] as const) {
      const reply = await api().put(SSO, body)
      assert.deepEqual([reply.status, reply.json.error_code, reply.json.field], [status, code, field], reply.text)
    }
    assert.deepEqual((await api().get(SSO)).json, json)
    assert.equal((await api().get(`${SSO}/saml/metadata/sp`)).json.error_code, 'missing_certificate')
    assert.equal((await api().get(`${SSO}/saml/login`, { auth: null })).json.error_code, 'sso_off')
    assert.equal((await post('eA==')).json.error_code, 'sso_off')
  })

  test('takes RSA certificates alone', async () => {
    const { json } = await api().get('/v1/cluster/certificates')
    const refused = await upload('sso_issuer', json.proxy_cert)
    assert.deepEqual([refused.status, refused.json.error_code], [400, 'invalid_certificate'])
    assert.match(refused.json.description, /RSA/)
    await fine(upload('sso_service', await provider.read('service.crt'), await provider.read('service.key')))
    await fine(upload('sso_issuer', await provider.read('provider.crt')))
  })

  test('takes what the identity provider is from its metadata, and says what is wrong with it', async () => {
    const inBase64 = (text: string) => Buffer.from(text).toString('base64')
    const metadata = await provider.metadata()
    for (const [text, code] of [
      ['', 'missing_param'],
      ['not base64!', 'saml_metadata_parsing_error'],
      [inBase64('no xml'), 'saml_metadata_parsing_error'],
      [inBase64(`<!DOCTYPE a [<!ENTITY b "c">]>${metadata}`), 'saml_metadata_parsing_error'],
      [inBase64('<a/>'), 'saml_metadata_validation_error'],
      [inBase64(metadata.replace(/entityID="[^"]*"/, '')), 'saml_metadata_validation_error'],
      [inBase64(metadata.replaceAll('IDPSSODescriptor', 'SPSSODescriptor')), 'saml_metadata_validation_error'],
      [inBase64(metadata.replaceAll('SingleSignOnService', 'Other')), 'saml_metadata_validation_error'],
      [inBase64(metadata.replace(LOGIN_URL, 'javascript:alert(1)')), 'saml_metadata_validation_error'],
    ] as const) {
      const { status, json } = await api().post(`${SSO}/saml/metadata/idp`, { idp_metadata: text })
      assert.deepEqual([status, json.error_code], [400, code], text)
    }
    const idp_metadata = inBase64(metadata)
    const { status, json } = await api().post(`${SSO}/saml/metadata/idp`, { idp_metadata })
    assert.equal(status, 200)
    assert.deepEqual(json.issuer, {
      id: PROVIDER_ID,
      login_url: LOGIN_URL,
      logout_url: LOGOUT_URL,
      metadata: idp_metadata,
    })
    await fine(api().put(SSO, { service: json.service, issuer: json.issuer }))
    assert.deepEqual((await api().get(SSO)).json, json)
  })

  test('tells the identity provider what it has to know, and is on', async () => {
    const accept = { accept: 'application/samlmetadata+xml' }
    const { status, headers, text } = await api().get(`${SSO}/saml/metadata/sp`, { headers: accept })
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'application/xml')
    provider.trust(text)
    await fine(api().put(SSO, { control_plane: true }))
    const needed = await api().delete('/v1/cluster/certificates/sso_issuer')
    assert.deepEqual([needed.status, needed.json.error_code], [403, 'certificate_required'])
  })

  test('lets in who was sent by us, and who comes from the identity provider: new users with the roles it names', async () => {
    const { json: roles } = await api().get('/v1/roles')
    const viewer = roles.find((role: { management: string }) => role.management === 'cluster_viewer')
    const token = await signIn({
      inResponseTo: await beginLogin(),
      email: 'ada@example.com',
      roles: [String(viewer.uid)],
    })
    assert.equal((await api().get('/v1/cluster', bearer(token))).status, 200)
    assert.equal((await api().put('/v1/cluster', { email_alerts: true }, bearer(token))).status, 403)
    const { json: users } = await api().get('/v1/users')
    const ada = users.find((user: { email: string }) => user.email === 'ada@example.com')
    assert.deepEqual([ada.auth_method, ada.role_uids, ada.name], ['sso', [viewer.uid], 'ada@example.com'])
    await until('the login to be seen', async () => (await api().get(`/v1/users/${ada.uid}`)).json.last_login > 0)
    // Whoever is a user stays as they are, whatever the identity provider says of their roles.
    await signIn({ email: 'Ada@example.com', roles: ['1'] })
    assert.deepEqual((await api().get(`/v1/users/${ada.uid}`)).json.role_uids, [viewer.uid])
    await signIn({ email: 'ada@example.com', roles: [] })
    const encrypted = await provider.answer({}, { isEncrypted: true })
    assert.match(Buffer.from(encrypted, 'base64').toString('utf8'), /EncryptedAssertion/)
    assert.equal((await post(encrypted)).status, 200)
    const events = (await api().get('/v1/logs?limit=1000')).json
    const seen = events.filter(
      ({ type, originator }: Record<string, string>) =>
        type === 'user_token_issued' && originator === 'ada@example.com',
    )
    assert.deepEqual(
      seen.map(({ user_uid, path }: Record<string, unknown>) => [user_uid, path]),
      Array.from({ length: 4 }, () => [ada.uid, `${SSO}/saml/acs`]),
    )
    const created = events.filter(({ type }: { type: string }) => type === 'user_created')
    assert.deepEqual(
      created.map(({ originator, object_uid }: Record<string, string>) => [originator, object_uid]),
      [['ada@example.com', String(ada.uid)]],
    )
  })

  /** Why nobody got in, as the log has it; the caller learns the same in every case. */
  const refused = async (response: string): Promise<string> => {
    const { status, json, text } = await post(response)
    assert.deepEqual([status, json.error_code, json.field], [401, 'sso_login_failed', undefined], text)
    assert.equal(text, REFUSED)
    const log = await readFile(join(it().dataDir, 'logs/holdfast.log'), 'utf8')
    const told = log.split('\n').filter((line) => line.includes('somebody could not sign in by SSO'))
    return JSON.parse(told.at(-1) ?? '{}').reason
  }
  const changed = async (change: (xml: string) => string, said: Partial<Said> = {}) => {
    const xml = Buffer.from(await provider.answer(said), 'base64').toString('utf8')
    const after_ = change(xml)
    assert.notEqual(after_, xml)
    return Buffer.from(after_).toString('base64')
  }

  for (const [what, said, signing, why] of [
    ['by somebody else', {}, { signer: 'stranger' }, /signature/i],
    ['with SHA-1', {}, { algorithm: SHA1 }, /rsa-sha1, which is not accepted/],
    ['the response alone', {}, { only: 'response' }, /signature/i],
    ['the assertion alone', {}, { only: 'assertion' }, /signature/i],
    ['by us of another issuer', { issuer: 'urn:sso:other' }, {}, /from urn:sso:other/],
    ['by somebody else, and encrypted', {}, { signer: 'stranger', isEncrypted: true }, /signature/i],
    ['and encrypted, for another audience', { audience: 'https://other/sp' }, { isEncrypted: true }, /audience/i],
    ['for another audience', { audience: 'https://other/sp' }, {}, /audience/i],
    ['for another recipient', { recipient: 'https://other/acs' }, {}, /is for https:\/\/other\/acs/],
    ['for another destination', { destination: 'https://other/acs' }, {}, /is for https:\/\/other\/acs/],
    ['for no destination', { destination: '' }, {}, /is for nobody/],
    ['long ago', { fromMs: -600_000, untilMs: -120_000 }, {}, /any more|expired/],
    ['too early', { fromMs: 120_000 }, {}, /not yet|not valid yet/],
    ['to last for ever', { issuedMs: -3_700_000, untilMs: 86_400_000 }, {}, /is old/],
    ['in the future', { issuedMs: 120_000 }, {}, /from the future/],
    ['of a session that is over', { sessionMs: -1 }, {}, /session .* is over/],
    ['of somebody who was refused', { status: 'urn:oasis:names:tc:SAML:2.0:status:AuthnFailed' }, {}, /AuthnFailed/],
    ['to a request that nobody made', { inResponseTo: '_request' }, {}, /no request of ours/],
    ['to no request, but for one', { confirmationInResponseTo: '_request' }, {}, /different requests/],
    ['of somebody new without a role', { email: 'new@example.com', roles: [] }, {}, /names no role/],
    ['of somebody new with a role that is none', { email: 'new@example.com', roles: ['1', '999'] }, {}, /names 999/],
    ['of somebody new with a role by name', { email: 'new@example.com', roles: ['admin'] }, {}, /names admin/],
    ['of somebody new without an address', { email: 'newcomer', roles: ['1'] }, {}, /is no address/],
    ['of nobody', { email: '' }, {}, /one attribute email/],
  ] satisfies [string, Partial<Said>, Signing, RegExp][])
    test(`what is signed ${what} lets nobody in`, async () => {
      assert.match(await refused(await provider.answer(said, signing)), why)
      assert.doesNotMatch((await api().get('/v1/users')).text, /new/)
    })

  test('what was changed after it was signed lets nobody in, however it is wrapped', async () => {
    const evil = 'admin@holdfast.local'
    const assertionIn = (xml: string) => /<saml:Assertion[\s\S]*<\/saml:Assertion>/.exec(xml)?.[0] ?? ''
    const unsigned = (xml: string) => xml.replace(/<ds:Signature[\s\S]*?<\/ds:Signature>/g, '')
    const forged = (xml: string) => unsigned(assertionIn(xml)).replaceAll('ada@example.com', evil)
    const named = (xml: string, id: string) => xml.replace(/ ID="[^"]*"/, ` ID="${id}"`)
    const wrapped = [
      (xml: string) => unsigned(xml),
      (xml: string) => xml.replaceAll('ada@example.com', evil),
      (xml: string) => xml.replace(/Destination="[^"]*"/, 'Destination="https://other/acs"'),
      // Another assertion before, behind and around the one that is signed, with an id of its own and with the same.
      (xml: string) => xml.replace('<saml:Assertion', `${named(forged(xml), '_evil')}<saml:Assertion`),
      (xml: string) => xml.replace('</samlp:Response>', `${forged(xml)}</samlp:Response>`),
      (xml: string) => xml.replace(assertionIn(xml), named(forged(xml), '_evil')),
      (xml: string) =>
        xml.replace(
          assertionIn(xml),
          named(forged(xml), '_evil').replace(
            '</saml:Issuer>',
            `</saml:Issuer><saml:Advice>${assertionIn(xml)}</saml:Advice>`,
          ),
        ),
      // The signed response within a forged one, as the object of its own signature.
      (xml: string) => {
        const signature = /<\/saml:Issuer>(<ds:Signature[\s\S]*?<\/ds:Signature>)/.exec(xml)?.[1] ?? ''
        const whole = signature.replace('</ds:Signature>', `<ds:Object>${xml}</ds:Object></ds:Signature>`)
        return named(xml, '_evil').replaceAll('ada@example.com', evil).replace(signature, whole)
      },
    ]
    const written = [
      (xml: string) => xml.replace('ada@example.com<', 'ada@example.com<!-- -->.evil<'),
      (xml: string) => `<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "c">]>${xml}`,
    ]
    for (const change of wrapped) assert.match(await refused(await changed(change)), /invalid (?:document )?signature/i)
    for (const change of written)
      assert.match(await refused(await changed(change)), /document type, a comment or CDATA/)
  })

  test('what is hostile costs little and lets nobody in', async () => {
    const inBase64 = (text: string) => Buffer.from(text).toString('base64')
    const bomb = '<!DOCTYPE l [<!ENTITY a "aaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><l>&b;</l>'
    const response = '<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="a">'
    for (const [xml, why] of [
      [bomb, /document type/],
      [response + '<a>'.repeat(1_900), /nests more than 32 levels/],
      [response + '<a b="/>">'.repeat(100), /nests more than 32 levels/],
      [response + '<a>'.repeat(200_000), /more than/],
      [`${response}<a ${Array.from({ length: 10_000 }, (_, at) => `a${at}="b"`).join(' ')}/>`, /more than/],
      ['x'.repeat(600_000), /more than/],
      [`${response}</samlp:Response>`, /signature/],
      ['', /no XML|well-formed/],
      ['<a', /no XML|well-formed/],
      ['<a/>', /no SAML response/],
    ] as const)
      assert.match(await refused(inBase64(xml) || '!'), why)
    const json = await api().post(`${SSO}/saml/acs`, { SAMLResponse: 'a' }, { auth: null })
    assert.deepEqual([json.status, json.json.error_code], [415, 'unsupported_media_type'])
    assert.deepEqual([(await post('x'.repeat(1_100_000))).status, (await post('')).status], [413, 400])
  })

  test('an assertion is used once, also after a crash, and by one of many at the same time', async () => {
    const response = await provider.answer()
    const replies = await Promise.all(Array.from({ length: 8 }, () => post(response)))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, ...Array.from({ length: 7 }, () => 401)])
    await it().kill()
    await it().start()
    assert.match(await refused(response), /used before/)
    // Nor does asking for nothing to happen make it count without being written down.
    const other = await provider.answer()
    const raw = new URLSearchParams({ SAMLResponse: other }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    assert.equal(
      (await api().post(`${SSO}/saml/acs?dry_run=true`, undefined, { auth: null, raw, headers })).status,
      200,
    )
    assert.match(await refused(other), /used before/)
  })

  test('somebody who is locked out stays out', async () => {
    await fine(api().put('/v1/cluster', { password_min_length: 8 }))
    await fine(api().put('/v1/cluster/policy', { login_lockout_threshold: 2 }))
    await fine(api().post('/v1/users', { email: 'eve@example.com', password: 'correct-horse', role: 'db_viewer' }))
    await signIn({ email: 'eve@example.com' })
    await until('eve to be locked out', async () => {
      await api().get('/v1/cluster', { auth: 'eve@example.com:wrong' })
      const { json } = await api().get('/v1/users')
      return json.some((user: Record<string, string>) => user.email === 'eve@example.com' && user.status === 'locked')
    })
    assert.match(await refused(await provider.answer({ email: 'eve@example.com' })), /locked out/)
  })
})

const REFUSED = JSON.stringify({
  error_code: 'sso_login_failed',
  description: 'The identity provider let nobody in that this cluster lets in; the log of the cluster says why.',
  message: 'The identity provider let nobody in that this cluster lets in; the log of the cluster says why.',
})
