/**
 * Malformed input, generated over every endpoint and every field: never a 5xx, and nothing changes.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { DatabaseObject } from '#model/database/schema.ts'
import { refusalsOf } from '#server/openapi.ts'
import { ROUTES } from '#server/routes.ts'
import { withInstance } from './support/suite.ts'

/** Together well above two thousand requests. */
const RUNS_PER_ROUTE = 30
const RUNS_PER_FIELD = 8
/** What a path made of junk leads to when it is none of the route. */
const ELSEWHERE = new Set(['not_found', 'method_not_allowed'])

withInstance('hostile input', {}, (it) => {
  const junk = fc.oneof(
    fc.constantFrom(
      null,
      true,
      -1,
      1e308,
      0.5,
      '',
      'x'.repeat(5_000),
      '\u0000',
      '../../etc/passwd',
      '$(reboot)',
      "'; DROP",
      [],
    ),
    fc.jsonValue({ maxDepth: 3 }),
    fc.string({ unit: 'binary' }),
    fc.integer(),
    fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 5 }),
    fc.dictionary(
      fc.constantFrom('__proto__', 'constructor', 'uid', 'name', 'x', 'url', 'type'),
      fc.jsonValue({ maxDepth: 1 }),
    ),
  )
  const pathText = fc.oneof(
    fc.constantFrom('0', '-1', '1e3', '999999999999999999999', '%00', '%2e%2e', 'null', ' ', "'"),
    fc.string(),
  )
  let sent = 0

  test('to every route', async () => {
    await it().create({ name: 'bystander' })
    const before = await snapshot()
    for (const route of ROUTES) {
      await fc.assert(
        fc.asyncProperty(
          pathText,
          junk,
          fc.option(fc.string({ unit: 'binary', maxLength: 40 }), { nil: undefined }),
          fc.constantFrom(
            'application/json',
            'application/json; charset=utf-8',
            'text/plain',
            'multipart/form-data',
            '',
          ),
          async (segment, body, raw, contentType) => {
            const filled = route.path.replace(/\{(\w+)\}/g, (_match, name) => pick(name, segment))
            const query = `?fields=${encodeURIComponent(segment)}&dry_run=${encodeURIComponent(segment)}&extended=${encodeURIComponent(segment)}`
            const path = `${filled}${sent % 3 === 0 ? query : ''}`
            const hasBody = route.method !== 'GET'
            const payload = raw ?? JSON.stringify(body) ?? ''
            const { status, text, json, headers } = await it().api.call(route.method, path, {
              ...(hasBody ? { raw: payload } : {}),
              headers: contentType === '' ? {} : { 'content-type': contentType },
            })
            sent++
            assert.ok(
              status < 500,
              `${route.method} ${path} with ${payload.slice(0, 200)} was answered with ${status}: ${text}`,
            )
            const code = status >= 400 && json ? json.error_code : undefined
            const isDeclared = code === undefined || refusalsOf(route).has(code) || ELSEWHERE.has(code)
            assert.ok(isDeclared, `${route.method} ${path} with ${payload.slice(0, 200)} says nowhere: ${code}`)
            const isJson = headers['content-type'] === 'application/json'
            assert.ok(text === '' || !isJson || json !== undefined)
          },
        ),
        // What leaves everything out is among them each time.
        { numRuns: RUNS_PER_ROUTE, examples: [['', {}, undefined, 'application/json']] },
      )
    }
    assert.equal(await snapshot(), before)
  })

  test('to every field of a database', async () => {
    const before = await snapshot()
    const { json } = await it().api.get('/v1/bdbs?fields=uid')
    const uid = json[0].uid
    for (const name of [...Object.keys(DatabaseObject.properties), '__proto__', 'constructor', 'nonsense']) {
      await fc.assert(
        fc.asyncProperty(junk, async (value) => {
          const body = `{"name":"x","memory_size":1000000,${JSON.stringify(name)}:${JSON.stringify(value)}}`
          for (const [method, path] of [
            ['POST', '/v1/bdbs?dry_run'],
            ['PUT', `/v1/bdbs/${uid}?dry_run`],
          ] as const) {
            const { status, text } = await it().api.call(method, path, { raw: body })
            sent++
            assert.ok(status < 500, `${method} ${path} with ${body.slice(0, 300)} was answered with ${status}: ${text}`)
          }
        }),
        { numRuns: RUNS_PER_FIELD },
      )
    }
    assert.equal(await snapshot(), before)
  })

  test('more than two thousand requests in all', () => assert.ok(sent >= 2_000, `only ${sent} requests were sent`))

  /** Everything that a request could have changed. */
  async function snapshot(): Promise<string> {
    const paths = ['/v1/bdbs?extended=true', '/v1/cluster', '/v1/cluster/policy', '/v1/nodes/1']
    const texts = await Promise.all(paths.map(async (path) => (await it().api.get(path)).json))
    // These move by themselves.
    return JSON.stringify(texts, (key, value) => (key === 'uptime' || key === 'system_time' ? undefined : value))
  }

  /** Never a uid that exists: what is sent must be refused, or change nothing. */
  function pick(name: string, segment: string): string {
    if (name === 'action' && segment.length % 2 === 0) return 'flush'
    return encodeURIComponent(segment === '1' ? '2' : segment) || 'empty'
  }
})
