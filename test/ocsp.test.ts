/**
 * The certificate of the proxy checked by OCSP, as the API has it, against OpenSSL's own responder.
 */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { CleanUpList, HOOK } from './support/clean-ups.ts'
import { makeOcspAuthority, type OcspAuthority } from './support/ocsp-authority.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const DEFAULTS = {
  ocsp_functionality: false,
  query_frequency: 3_600,
  response_timeout: 1,
  recovery_frequency: 60,
  recovery_max_tries: 5,
  responder_url: '',
}

withInstance('OCSP', { args: ['--alert-period', '0.1'] }, (it) => {
  const api = () => it().api
  const cleanUps = new CleanUpList()
  let authority: OcspAuthority
  before(async () => {
    authority = await makeOcspAuthority(cleanUps)
  }, HOOK)
  after(() => cleanUps.run(), HOOK)
  const useCertificate = async (...chain: string[]) => {
    const certificate = (await Promise.all(chain.map((name) => authority.read(`${name}.crt`)))).join('\n')
    const proxy = { name: 'proxy', certificate, key: await authority.read(`${chain[0]}.key`) }
    const reply = await api().put('/v1/cluster/certificates', { certificates: [proxy] })
    assert.equal(reply.status, 200, reply.text)
  }
  const change = async (body: object) => {
    const reply = await api().put('/v1/ocsp', body)
    assert.equal(reply.status, 200, reply.text)
    return reply.json
  }
  const status = async () => (await api().get('/v1/ocsp/status')).json
  const eventually = (wanted: string) => until(wanted, async () => (await status()).cert_status === wanted)
  const events = async (type: string) =>
    (await api().get('/v1/logs?limit=1000')).json.filter((event: { type: string }) => event.type === type)

  test('is off at first, and cannot be on without somebody to ask', async () => {
    assert.deepEqual((await api().get('/v1/ocsp')).json, DEFAULTS)
    assert.deepEqual(await status(), { cert_status: 'UNKNOWN', responder_url: '' })
    for (const [body, code, field] of [
      [{ ocsp_functionality: true }, 'no_responder_url', 'ocsp_functionality'],
      [{ query_frequency: 59 }, 'invalid_field', 'query_frequency'],
      [{ response_timeout: 0 }, 'invalid_field', 'response_timeout'],
      [{ recovery_max_tries: 101 }, 'invalid_field', 'recovery_max_tries'],
      [{ recovery_frequency: '60' }, 'invalid_field', 'recovery_frequency'],
      [{ frequency: 60 }, 'unknown_field', 'frequency'],
    ] as const) {
      const { status: code_, json } = await api().put('/v1/ocsp', body)
      assert.deepEqual([code_, json.error_code, json.field], [400, code, field])
    }
    const { status: code, json } = await api().post('/v1/ocsp/test')
    assert.deepEqual([code, json.error_code], [400, 'no_responder_url'])

    await useCertificate('leaf')
    assert.equal((await api().get('/v1/ocsp')).json.responder_url, authority.url)
    assert.equal((await api().put('/v1/ocsp', { ocsp_functionality: true })).json.error_code, 'no_ocsp_issuer')
    assert.deepEqual((await api().get('/v1/ocsp')).json, { ...DEFAULTS, responder_url: authority.url })
  })

  test('what is asked while it is off is answered, and not kept', async () => {
    await useCertificate('leaf', 'authority')
    await authority.serve()
    const { status: code, json } = await api().post('/v1/ocsp/test')
    assert.equal(code, 200, JSON.stringify(json))
    assert.deepEqual([json.cert_status, json.responder_url], ['GOOD', authority.url])
    assert.match(json.this_update, /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$/)
    assert.equal((await status()).cert_status, 'UNKNOWN')
  })

  test('once it is on the responder is asked, and what it said is kept across a crash', async () => {
    const body = { ocsp_functionality: true, query_frequency: 600, response_timeout: 2 }
    const wanted = { ...DEFAULTS, ...body, responder_url: authority.url }
    assert.deepEqual(await change(body), wanted)
    await eventually('GOOD')
    const before = await status()
    // The responder reads its index again only when that is newer, by the second.
    await authority.stop()
    await it().kill()
    await it().start()
    assert.deepEqual((await api().get('/v1/ocsp')).json, wanted)
    assert.deepEqual(await status(), before)
  })

  test('a revoked certificate is told to the events, and again when it is replaced', async () => {
    await authority.decide('revoked')
    await authority.serve('delegate')
    const { json } = await api().post('/v1/ocsp/test')
    assert.deepEqual([json.cert_status, json.revocation_time], ['REVOKED', 'Wed, 24 Dec 2025 12:00:00 GMT'])
    assert.deepEqual(await status(), json)
    assert.equal((await events('ocsp_status_revoked')).length, 1)
    await api().post('/v1/ocsp/test')
    assert.equal((await events('ocsp_status_revoked')).length, 1)
    await authority.stop()
    await authority.decide('good')
    await authority.serve()
    await useCertificate('leaf', 'authority')
    assert.equal((await api().post('/v1/ocsp/test')).json.cert_status, 'GOOD')
    assert.deepEqual(
      (await events('ocsp_status_revoked')).map(({ severity }: { severity: string }) => severity).sort(),
      ['ERROR', 'INFO'],
    )
    await authority.stop()
  })

  test('no answer in time, none at all, or a forged one: an error with the reason, and the last answer stays', async () => {
    const fails = async (why: RegExp) => {
      const { status: code, json } = await api().post('/v1/ocsp/test')
      assert.deepEqual([code, json.error_code], [500, 'invalid_ocsp_response'])
      assert.match(json.description, why)
      assert.equal((await status()).cert_status, 'GOOD')
    }
    await fails(/cannot be reached.*ECONNREFUSED/)
    await authority.serve('stranger')
    await fails(/did not let answer/)
    authority.signal('SIGSTOP')
    await fails(/in time/)
    await authority.stop()
    assert.equal((await events('ocsp_query_failed')).length, 1)
    await authority.serve()
    assert.equal((await api().post('/v1/ocsp/test')).status, 200)
    assert.equal((await events('ocsp_query_failed')).length, 2)
  })

  test('a certificate that names nobody is not asked about, and said to be unknown', async () => {
    await useCertificate('upstart', 'authority')
    assert.deepEqual(await status(), { cert_status: 'UNKNOWN', responder_url: '' })
    await until('the trouble to be told', async () => (await events('ocsp_query_failed')).length === 3)
    await useCertificate('leaf', 'authority')
    await until('its end to be told', async () => (await events('ocsp_query_failed')).length === 4)
  })

  test('where the alert of a failed query is on, it alone tells of one', async () => {
    const alert_settings = { cluster_ocsp_query_failed: true }
    // What was so when alerts were last looked at is told as soon as one is switched on.
    await until('the trouble before it to be over for alerts, too', async () => {
      const { json } = await api().get('/v1/cluster/alerts?ignore_settings=true')
      return json.cluster_ocsp_query_failed.state === false
    })
    assert.equal((await api().put('/v1/cluster', { alert_settings })).status, 200)
    await useCertificate('upstart', 'authority')
    const raised = ({ state }: { state?: boolean }) => state === true
    await until('the alert', async () => (await events('ocsp_query_failed')).some(raised))
    assert.equal((await events('ocsp_query_failed')).length, 5)
    assert.equal((await change({ ocsp_functionality: false })).ocsp_functionality, false)
  })
})
