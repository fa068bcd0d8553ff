/**
 * How the API speaks TLS: the oldest version and the ciphers that the cluster chooses, from the next connection on.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ConnectionOptions, connect } from 'node:tls'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

withInstance('TLS of the API', {}, (it) => {
  /** `TLSv1.2 ECDHE-RSA-AES256-GCM-SHA384`, or why there was no connection. */
  const greet = (options: ConnectionOptions = {}) =>
    new Promise<string>((resolve) => {
      const socket = connect({ port: it().ports.api, host: '127.0.0.1', rejectUnauthorized: false, ...options })
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      socket.once('secureConnect', () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`)
        socket.destroy()
      })
    })
  const put = async (settings: object) => {
    const reply = await it().api.put('/v1/cluster', settings)
    assert.equal(reply.status, 200, reply.text)
  }

  test('TLS 1.2 is accepted until the cluster wants 1.3, and connections that are open stay', async () => {
    const old = { maxVersion: 'TLSv1.2' } as const
    assert.match(await greet(old), /^TLSv1\.2 /)
    await put({ min_control_TLS_version: '1.3' })
    await until('TLS 1.2 to be refused', async () => /ALERT|ECONNRESET/.test(await greet(old)))
    assert.match(await greet(), /^TLSv1\.3 /)
    await put({ min_control_TLS_version: '1.2' })
    await until('TLS 1.2 to be accepted', async () => (await greet(old)).startsWith('TLSv1.2 '))
  })

  test('ciphers of TLS 1.2 are those of the list, and a list of none is refused', async () => {
    // Its certificate has an elliptic curve or RSA: one of these fits.
    const only = 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES128-GCM-SHA256'
    await put({ control_cipher_suites: only })
    const old = { maxVersion: 'TLSv1.2' } as const
    await until('the ciphers to be those', async () => /AES128-GCM-SHA256$/.test(await greet(old)))
    const others = 'ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-AES256-GCM-SHA384'
    assert.match(await greet({ ...old, ciphers: others }), /ALERT|ECONNRESET/)
    assert.match(await greet(), /^TLSv1\.3 /)
    for (const field of ['control_cipher_suites', 'data_cipher_list']) {
      const { status, json } = await it().api.put('/v1/cluster', { [field]: 'NOTHING-OF-THE-KIND' })
      assert.equal(status, 406)
      assert.equal(json.field, field)
    }
    const { json } = await it().api.put('/v1/cluster', { data_cipher_suites_tls_1_3: ['TLS_NOTHING_SHA256'] })
    assert.equal(json.field, 'data_cipher_suites_tls_1_3')
    await put({ control_cipher_suites: '' })
  })
})
