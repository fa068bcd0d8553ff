/**
 * Callers of the API who show a certificate: instead of a password, or as well.
 */
import assert from 'node:assert/strict'
import { request } from 'node:https'
import { test } from 'node:test'
import { type Issued, makeAuthority } from './support/certificates.ts'
import { onEachStore } from './support/suite.ts'
import { until } from './support/wait.ts'

onEachStore('client certificates of the API', (it) => {
  /** The status, or why there was none. Each call is a connection of its own. */
  const ask = (path: string, options: { shows?: Issued; auth?: string; method?: string; body?: object } = {}) =>
    new Promise<{ status: number; text: string }>((resolve, reject) => {
      const { shows, auth, method = 'GET', body } = options
      const payload = body === undefined ? undefined : JSON.stringify(body)
      const sent = request(
        {
          host: '127.0.0.1',
          port: it().ports.api,
          path,
          method,
          agent: false,
          rejectUnauthorized: false,
          ...(auth === undefined ? {} : { auth }),
          ...(shows ? { cert: shows.certificate, key: shows.key } : {}),
          ...(payload === undefined ? {} : { headers: { 'content-type': 'application/json' } }),
        },
        (response) => {
          let text = ''
          response.on('data', (chunk) => {
            text += chunk
          })
          response.on('end', () => resolve({ status: response.statusCode ?? 0, text }))
        },
      )
      sent.on('error', reject)
      sent.end(payload)
    })
  const status = async (...args: Parameters<typeof ask>) => (await ask(...args)).status
  const put = async (path: string, body: object, wanted = 200) => {
    const reply = await it().api.put(path, body)
    assert.equal(reply.status, wanted, reply.text)
    return reply.json
  }

  test('who shows a certificate that is trusted is the user whose subject it has, and nobody else', async () => {
    const authority = await makeAuthority('company')
    const stranger = await makeAuthority('stranger')
    const [jane, nobody, expired] = await Promise.all([
      authority.issue('jane'),
      authority.issue('nobody'),
      authority.issue('jane', -1),
    ])
    const forged = await stranger.issue('jane')
    assert.equal(await status('/v1/bdbs', { shows: jane }), 401)

    await put('/v1/cluster', { mtls_certificate_authentication: true }, 406)
    await put('/v1/cluster', { control_plane_basic_authentication: false }, 406)
    await put('/v1/cluster/certificates', {
      certificates: [{ name: 'mtls_trusted_ca', certificate: authority.certificate }],
    })
    const user = { email: 'jane@example.com', name: 'jane', auth_method: 'certificate', role: 'admin' }
    assert.equal((await it().api.post('/v1/users', user)).json.field, 'certificate_subject_line')
    const made = await it().api.post('/v1/users', { ...user, certificate_subject_line: 'CN=jane' })
    assert.equal(made.status, 200, made.text)
    assert.equal(made.json.auth_method, 'certificate')

    await until('the authority to be trusted', async () => (await status('/v1/bdbs', { shows: jane })) === 200)
    for (const shows of [nobody, expired, forged]) assert.equal(await status('/v1/bdbs', { shows }), 401)
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth }), 200)
    assert.equal(await status('/v1/bdbs', { auth: 'jane@example.com:' }), 401)

    // Everybody must show one now, and may still need a password.
    await put('/v1/cluster', { mtls_certificate_authentication: true })
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth }), 401)
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth, shows: forged }), 401)
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth, shows: nobody }), 200)
    assert.equal(await status('/v1/bdbs', { auth: 'x:y', shows: jane }), 401)
    const asJane = (body: object) => ask('/v1/cluster', { shows: jane, method: 'PUT', body })
    const rules: [body: object, jane: number][] = [
      [
        {
          mtls_client_cert_subject_validation_type: 'san_cn',
          mtls_authorized_subjects: [{ CN: 'jane' }, { CN: 'admin' }],
        },
        200,
      ],
      [{ mtls_client_cert_subject_validation_type: 'full_subject', mtls_authorized_subjects: [{ CN: 'jane' }] }, 200],
      [{ mtls_client_cert_subject_validation_type: 'disabled', mtls_certificate_authentication: false }, 200],
    ]
    for (const [body, wanted] of rules) {
      assert.equal((await asJane(body)).status, 200)
      assert.equal(await status('/v1/bdbs', { shows: jane }), wanted)
      const isOpen = 'mtls_certificate_authentication' in body
      assert.equal(await status('/v1/bdbs', { auth: it().api.auth, shows: nobody }), isOpen ? 200 : 401)
    }

    assert.equal((await asJane({ control_plane_basic_authentication: false })).status, 200)
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth }), 401)
    assert.equal(await status('/v1/bdbs', { shows: jane }), 200)
    const last = await ask(`/v1/users/${made.json.uid}`, { shows: jane, method: 'DELETE' })
    assert.match(last.text, /change_last_admin_role_not_allowed/)
    const needed = await ask('/v1/cluster/certificates/mtls_trusted_ca', { shows: jane, method: 'DELETE' })
    assert.equal(needed.status, 403)
    await it().kill()
    await it().start()
    assert.equal(await status('/v1/bdbs', { shows: jane }), 200)
    assert.equal((await asJane({ control_plane_basic_authentication: true })).status, 200)
    assert.equal(await status('/v1/bdbs', { auth: it().api.auth }), 200)
  })
})
