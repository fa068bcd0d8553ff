/**
 * What people do to servers: hold connections open, send what never ends, guess, forge, and write requests that two
 * readers would read differently. Nobody is kept out by it but themselves.
 */
import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { type TestContext, test } from 'node:test'
import { ApiClient } from './support/api.ts'
import { PASSWORD, USER } from './support/instance.ts'
import { answersIn, openPlain, openTls, type RawConnection, talk } from './support/raw.ts'
import { serve } from './support/served.ts'
import { withInstance } from './support/suite.ts'
import { until } from './support/wait.ts'

const AUTHORIZATION = `authorization: Basic ${Buffer.from(`${USER}:${PASSWORD}`).toString('base64')}\r\n`
const DRIP_MS = 10

/** One byte at a time until it is closed; never ends by itself. */
function drip(t: TestContext, { socket, closed }: RawConnection): Promise<void> {
  const timer = setInterval(() => socket.write('x'), DRIP_MS)
  t.after(() => {
    clearInterval(timer)
    socket.destroy()
  })
  return closed.finally(() => clearInterval(timer))
}

test('headers that never end are cut off, with an answer that says why', async (t) => {
  const { port } = await serve(t, { headersMs: 200, requestMs: 60_000 })
  const connection = await openTls(port)
  connection.socket.write('GET /v1/bdbs HTTP/1.1\r\nhost: x\r\nx-slow: ')
  await drip(t, connection)
  assert.deepEqual(answersIn(connection.received()), { statuses: [408], code: 'request_timeout' })
})

test('bodies that never end are cut off', async (t) => {
  const { port } = await serve(t, { requestMs: 300, headersMs: 300 })
  for (const framing of ['content-length: 100000\r\n', 'transfer-encoding: chunked\r\n']) {
    const connection = await openTls(port)
    connection.socket.write(`PUT /v1/cluster HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}${framing}\r\n`)
    if (framing.startsWith('transfer')) connection.socket.write('fffff\r\n')
    await drip(t, connection)
    assert.deepEqual(answersIn(connection.received()), { statuses: [408], code: 'request_timeout' })
  }
})

test('connections on which nobody says anything are closed', async (t) => {
  const { port } = await serve(t, { handshakeMs: 100, headersMs: 150, requestMs: 150, keepAliveMs: 100 })
  const [plain, secure, used] = [await openPlain(port), await openTls(port), await openTls(port)]
  used.socket.write(`GET /v1/cluster HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}\r\n`)
  await Promise.all([plain.closed, secure.closed, used.closed])
  assert.deepEqual(answersIn(used.received()).statuses, [200])
})

test('of too many connections the idlest give way, and those that are being answered stay', async (t) => {
  const { port, api } = await serve(t, { connectionsEach: 40 })
  const busy = await openTls(port)
  busy.socket.write(`PUT /v1/cluster HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}content-length: 2\r\n\r\n`)
  assert.equal((await api.get('/v1/cluster')).status, 200, 'by now the other request has begun')
  const open = new Set<RawConnection>()
  for (let number = 0; number < 200; number++) {
    const connection = number % 4 === 0 ? await openTls(port) : await openPlain(port)
    open.add(connection)
    void connection.closed.then(() => open.delete(connection))
    if (number % 20 === 0) assert.equal((await api.get('/v1/cluster')).status, 200)
  }
  t.after(() => open.forEach(({ socket }) => void socket.destroy()))
  await until('all but the last to be closed', () => open.size < 40)
  busy.socket.write('{}')
  await until('the answer', () => answersIn(busy.received()).statuses.length > 0)
  assert.deepEqual(answersIn(busy.received()).statuses, [200])
  busy.socket.destroy()
})

test('guessing from one address keeps nobody else out, remembered or not', async (t) => {
  const { port, api, parts } = await serve(t, {}, { atOnce: 1, waiting: 10 })
  const made = await api.post('/v1/users', { email: 'jane@example.com', password: 'of-jane-1', role: 'admin' })
  assert.equal(made.status, 200, made.text)
  const statuses = new Map<number, number>()
  let isOver = false
  const guesser = async (number: number) => {
    for (let guess = 0; !isOver; guess++) {
      const auth = `${number % 2 ? USER : `nobody${number}`}:guess ${number} ${guess}`
      const { status } = await crowd.get('/v1/bdbs', { auth })
      statuses.set(status, (statuses.get(status) ?? 0) + 1)
    }
  }
  const crowd = new ApiClient(port, 'unused', { sockets: 30 })
  const neighbour = new ApiClient(port, 'jane@example.com:of-jane-1', { from: '127.0.0.2' })
  const guessers = Array.from({ length: 25 }, (_, number) => guesser(number))
  await until('the line to be full', () => (statuses.get(503) ?? 0) > 0)
  assert.equal((await neighbour.get('/v1/cluster')).status, 200, 'the first try of somebody else gets in')
  const check = parts.credentials.check(`Basic ${Buffer.from('jane@example.com:of-jane-1').toString('base64')}`, {})
  assert.ok(check && !(check instanceof Promise), 'and from then on nothing is waited for')
  isOver = true
  await Promise.all(guessers)
  assert.deepEqual([...statuses.keys()].sort(), [401, 503])
  crowd.close()
  neighbour.close()
})

withInstance('abuse', {}, (it) => {
  test('headers and bodies beyond measure are refused in our own words', async () => {
    const port = it().ports.api
    const huge = await talk(port, `GET /v1/bdbs HTTP/1.1\r\nhost: x\r\nx-huge: ${'x'.repeat(40_000)}\r\n\r\n`)
    assert.deepEqual(answersIn(huge), { statuses: [431], code: 'headers_too_large' })
    const path = await talk(port, `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nhost: x\r\n\r\n`)
    assert.deepEqual(answersIn(path), { statuses: [431], code: 'headers_too_large' })
    const head = `PUT /v1/cluster HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}`
    const declared = await talk(port, `${head}content-length: 999999999999\r\n\r\n{`)
    assert.deepEqual(answersIn(declared), { statuses: [413], code: 'body_too_large' })
    const chunk = `${(100_000).toString(16)}\r\n${'x'.repeat(100_000)}\r\n`
    const endless = await talk(port, `${head}transfer-encoding: chunked\r\n\r\n${chunk.repeat(12)}`)
    assert.deepEqual(answersIn(endless), { statuses: [413], code: 'body_too_large' })
  })

  test('whoever is refused while they still send, and reads only then, learns why', async () => {
    const body = 'x'.repeat(16_000_000)
    const nobody = `authorization: Basic ${Buffer.from('nobody:x').toString('base64')}\r\n`
    for (const [path, authorization, code] of [
      ['/v1/bdbs', AUTHORIZATION, 'body_too_large'],
      ['/v1/bdbs', nobody, 'unauthorized'],
      ['/v2/local/modules/user-defined/artifacts', AUTHORIZATION, 'unsupported_feature'],
    ] as const) {
      const { socket, received, closed } = await openTls(it().ports.api)
      socket.pause()
      socket.write(`POST ${path} HTTP/1.1\r\nhost: x\r\n${authorization}content-length: ${body.length}\r\n\r\n`)
      await Promise.race([new Promise((resolve) => socket.write(body, resolve)), closed])
      socket.resume()
      await closed
      assert.equal(answersIn(received()).code, code, path)
    }
  })

  test('who asks before they send is told to go on, or why not', async () => {
    const ask = (path: string, length: number, authorization = AUTHORIZATION) =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\n${authorization}content-type: application/json\r\n` +
      `expect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`
    const port = it().ports.api
    assert.deepEqual(answersIn(await talk(port, ask('/v1/bdbs', 5_000_000))), {
      statuses: [413],
      code: 'body_too_large',
    })
    assert.deepEqual(answersIn(await talk(port, ask('/v1/bdbs', 2, ''))), { statuses: [401], code: 'unauthorized' })
    assert.deepEqual(answersIn(await talk(port, ask('/v1/nothing', 2))), { statuses: [404], code: 'not_found' })
    const { socket, received } = await openTls(port)
    socket.write(ask('/v1/bdbs', 2))
    await until('it to be told to go on', () => received().includes('HTTP/1.1 100 Continue'))
    socket.write('{}')
    await until('the answer', () => answersIn(received()).code !== undefined)
    assert.deepEqual(answersIn(received()), { statuses: [100, 406], code: 'missing_db_name' })
    socket.destroy()
  })

  test('a request that two readers would read differently is refused, and nothing after it is read', async () => {
    const port = it().ports.api
    const smuggled = `GET /v1/cluster HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}\r\n`
    const head = `POST /v1/bdbs?dry_run HTTP/1.1\r\nhost: x\r\n${AUTHORIZATION}`
    const cases = [
      `${head}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`,
      `${head}transfer-encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n`,
      `${head}content-length: 0\r\ncontent-length: 5\r\n\r\n`,
      `${head}content-length: +5\r\n\r\n`,
      `${head}content-length: 5 5\r\n\r\n`,
      `${head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n`,
      `${head}transfer-encoding : chunked\r\n\r\n0\r\n\r\n`,
      `${head}x-folded: a\r\n\u0000b\r\n\r\n`,
      `${head}transfer-encoding: chunked\r\n\r\nzz\r\n`,
      `${head}x: a\rcontent-length: 5\r\n\r\n`,
    ]
    for (const text of cases) {
      const { statuses } = answersIn(await talk(port, text + smuggled))
      assert.deepEqual(statuses, [400], JSON.stringify(text))
    }
  })

  test('nothing that somebody sends becomes a header of the answer', async () => {
    const { api } = it()
    const evil = encodeURIComponent('1\r\nset-cookie: evil=1\r\n\r\n')
    for (const path of [`/v1/bdbs/${evil}`, `/v1/${evil}`, `/v1/bdbs?fields=${evil}`, `/v1/logs?stime=${evil}`]) {
      const { headers } = await api.get(path)
      assert.equal(headers['set-cookie'], undefined, path)
    }
    const { headers } = await api.put('/v1/cluster?dry_run', {}, { headers: { 'x-request-id': 'a b\tc' } })
    assert.match(String(headers['x-request-id']), /^[0-9a-f-]{36}$/)
  })

  test('names that reach behind an object, deep nests and long lists are refused, and change nothing', async () => {
    const { api } = it()
    const bodies = [
      '{"name":"x","memory_size":1000000,"__proto__":{"admin":true}}',
      '{"constructor":{"prototype":{"admin":true}}}',
      '{"email":"a@example.com","password":"long-enough","__proto__":{"role_uids":[1]}}',
      `${'['.repeat(500_000)}${']'.repeat(500_000)}`,
      `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
      '['.repeat(1_000_000),
      `{"name":"x","memory_size":1000000,"tags":[${'1,'.repeat(500_000)}1]}`,
      `{"roles_permissions":[${'{},'.repeat(300_000)}{}]}`,
      `[${'0,'.repeat(500_000)}0]`,
    ]
    for (const raw of bodies) {
      for (const [method, path] of [
        ['POST', '/v1/bdbs'],
        ['POST', '/v1/users'],
        ['POST', '/v1/roles'],
        ['PUT', '/v1/cluster'],
        ['PUT', '/v1/cluster/policy'],
        ['POST', '/v1/users/authorize'],
      ] as const) {
        const { status, text } = await api.call(method, path, { raw })
        const what = `${method} ${path} with ${raw.slice(0, 40)}: ${status} ${text.slice(0, 200)}`
        assert.ok(path.endsWith('authorize') ? status < 500 : status >= 400 && status < 500, what)
        assert.ok(text.length < 2_000, what)
      }
    }
    assert.equal((await api.get('/v1/bdbs')).text, '[]')
    const text = { debuginfo_path: '['.repeat(100) }
    assert.equal((await api.put('/v1/cluster?dry_run', text)).status, 200, 'texts may hold any')
  })

  test('no token but our own lets anybody in', async () => {
    const { api } = it()
    const { json: user } = await api.post('/v1/users', {
      email: 'gone@example.com',
      password: 'of-gone-1',
      role: 'admin',
    })
    const own = { auth: 'gone@example.com:of-gone-1' }
    const { access_token: token } = (await api.post('/v1/users/authorize', { ttl: 100 }, own)).json
    const [head = '', claims = ''] = token.split('.')
    const claimed = JSON.parse(Buffer.from(claims, 'base64url').toString())
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
    const signed = (header: object, body: object, key: string) => {
      const text = `${encode(header)}.${encode(body)}`
      return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`
    }
    const hs256 = { alg: 'HS256', typ: 'JWT' }
    const bad = [
      'x',
      '..',
      'a.b.c',
      'x'.repeat(10_000),
      `${head}.${claims}.`,
      `${encode({ alg: 'none' })}.${claims}.`,
      `${encode({ alg: 'None' })}.${claims}.${encode({})}`,
      signed(hs256, claimed, ''),
      signed(hs256, claimed, 'another key'),
      signed({ ...hs256, alg: 'HS512' }, claimed, 'another key'),
      signed({ ...hs256, jwk: { kty: 'oct', k: encode({}) } }, claimed, 'x'),
      `${head}.${encode({ ...claimed, sub: '1' })}.${token.split('.')[2]}`,
      `${head}.${encode({ ...claimed, exp: claimed.exp + 1_000_000 })}.${token.split('.')[2]}`,
    ]
    const status = async (scheme: string, credentials: string) =>
      (await api.get('/v1/cluster', { auth: null, headers: { authorization: `${scheme} ${credentials}` } })).status
    assert.equal(await status('Bearer', token), 200)
    assert.equal(await status('JWT', token), 200)
    for (const one of bad)
      for (const scheme of ['Bearer', 'JWT', 'Basic', 'Digest'])
        assert.equal(await status(scheme, one), 401, `${scheme} ${one.slice(0, 60)}`)
    const { access_token: short } = (await api.post('/v1/users/authorize', { ttl: 1 }, own)).json
    await until('the token to expire', async () => (await status('Bearer', short)) === 401)
    await api.delete(`/v1/users/${user.uid}`)
    assert.equal(await status('Bearer', token), 401, 'a deleted user')
  })

  test('wrong name, wrong password, locked out: the same words', async () => {
    const { api } = it()
    await api.post('/v1/users', { email: 'locked@example.com', password: 'of-locked-1', role: 'admin' })
    for (let tries = 0; tries < 6; tries++) await api.get('/v1/cluster', { auth: 'locked@example.com:wrong' })
    await until('the lock-out', async () => {
      const { json } = await api.get('/v1/users')
      return json.find(({ email }: { email: string }) => email === 'locked@example.com').status === 'locked'
    })
    const replies = await Promise.all(
      ['nobody@example.com:wrong', `${USER}:wrong`, 'locked@example.com:wrong', 'locked@example.com:of-locked-1'].map(
        (auth) => api.get('/v1/cluster', { auth }),
      ),
    )
    const shapes = replies.map(({ status, text, headers }) => {
      const { date: _date, 'x-request-id': _id, 'x-envoy-upstream-service-time': _time, ...rest } = headers
      return JSON.stringify([status, text, rest])
    })
    assert.equal(new Set(shapes).size, 1, shapes.join('\n'))
  })

  test('three thousand idle connections take bounded memory, and keep nobody out', async (t) => {
    const { api, pid, ports } = it()
    await api.get('/v1/cluster')
    const before = await residentMegabytes(pid)
    const open = new Set<RawConnection>()
    t.after(() => open.forEach(({ socket }) => void socket.destroy()))
    const visitor = new ApiClient(ports.api, `${USER}:${PASSWORD}`)
    t.after(async () => visitor.close())
    for (let batch = 0; batch < 30; batch++) {
      const opened = await Promise.all(
        Array.from({ length: 100 }, (_, number) => (number < 5 ? openTls(ports.api) : openPlain(ports.api))),
      )
      for (const connection of opened) {
        open.add(connection)
        void connection.closed.then(() => open.delete(connection))
      }
      assert.equal((await api.get('/v1/cluster')).status, 200)
      assert.equal((await visitor.get('/v1/cluster')).status, 200)
    }
    await until('no more than 1,024 to be left', () => open.size <= 1_024)
    const grown = (await residentMegabytes(pid)) - before
    assert.ok(grown < 300, `it grew by ${grown} MB`)
  })
})

async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024
}
