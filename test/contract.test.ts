/**
 * What every real client relies on at the edge of HTTP: statuses, headers, bodies, locks, repeats.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { connect } from 'node:tls'
import { startInstance } from './support/instance.ts'
import { withInstance } from './support/suite.ts'

withInstance('the HTTP contract', {}, (it) => {
  test('nobody gets in without the right name and password, and is told how', async () => {
    for (const auth of [null, 'admin@example.com:wrong', 'nobody:test-password', ':', 'admin@example.com:']) {
      const { status, headers, json } = await it().api.get('/v1/bdbs', { auth })
      assert.equal(status, 401)
      assert.match(String(headers['www-authenticate']), /^Basic /)
      assert.equal(json.error_code, 'unauthorized')
      assert.equal(json.description, json.message)
    }
    for (const header of ['Basic', 'Basic !!!', 'Bearer x', 'Basic Zm9v']) {
      const { status } = await it().api.get('/v1/bdbs', { auth: null, headers: { authorization: header } })
      assert.equal(status, 401)
    }
  })

  test('errors are JSON with a code, a description and the same as message', async () => {
    const cases: [string, string, object, number, string][] = [
      ['GET', '/v1/nothing', {}, 404, 'not_found'],
      ['GET', '/v1/bdbs/999', {}, 404, 'db_not_exist'],
      ['GET', '/v1/bdbs/abc', {}, 404, 'db_not_exist'],
      ['PATCH', '/v1/bdbs', {}, 405, 'method_not_allowed'],
      ['POST', '/v1/bdbs', { raw: '{', headers: { 'content-type': 'application/json' } }, 400, 'invalid_json'],
      [
        'POST',
        '/v1/bdbs',
        { raw: '<a/>', headers: { 'content-type': 'application/xml' } },
        415,
        'unsupported_media_type',
      ],
      ['POST', '/v1/bdbs', { body: [] }, 400, 'invalid_json'],
      ['POST', '/v1/bdbs', { body: { memory_size: 1 } }, 406, 'missing_db_name'],
      ['POST', '/v1/bdbs', { body: { name: 'x' } }, 406, 'missing_memory_size'],
      ['POST', '/v1/bdbs', { raw: `{"name":"${'x'.repeat(1_100_000)}"}` }, 413, 'body_too_large'],
      ['GET', '/v1/bdbs', { headers: { accept: 'text/html' } }, 400, 'invalid_header'],
      ['GET', '/v1/bdbs', { headers: { 'x-api-version': 'v9' } }, 505, 'unsupported_api_version'],
      ['GET', '/v1/bdbs?extended=perhaps', {}, 400, 'invalid_query'],
      ['GET', '/v1/shards/999', {}, 404, 'shard_not_exist'],
      ['GET', '/v1/nodes/9', {}, 404, 'node_not_found'],
      ['GET', '/v1/actions/none', {}, 404, 'action_not_exist'],
      ['GET', '/v1/jsonschema?object=none', {}, 406, 'unknown_object'],
      ['POST', '/v1/bootstrap/create_cluster', { body: {} }, 409, 'already_bootstrapped'],
    ]
    for (const [method, path, call, wanted, code] of cases) {
      const { status, json, headers } = await it().api.call(method, path, call)
      assert.equal(status, wanted, `${method} ${path}`)
      assert.equal(json.error_code, code, `${method} ${path}`)
      assert.equal(json.description, json.message)
      assert.equal(headers['content-type'], 'application/json')
    }
    const { headers } = await it().api.call('PATCH', '/v1/bdbs')
    assert.equal(headers.allow, 'GET, POST, HEAD, OPTIONS')
  })

  test('a field that nobody knows is refused with the nearest known one; what clients send in vain is ignored', async () => {
    const wrong = await it().api.post('/v1/bdbs', { name: 'x', memory_siz: 1 })
    assert.equal(wrong.status, 400)
    assert.equal(wrong.json.field, 'memory_siz')
    assert.match(wrong.json.description, /memory_size/)
    const ignored = {
      flash_enabled: false,
      oss_sharding: false,
      shards_placement: 'dense',
      account_id: 1,
      email_alerts: true,
    }
    const { status, text } = await it().api.post('/v1/bdbs?dry_run', { name: 'x', memory_size: 1_000_000, ...ignored })
    assert.equal(status, 200, text)
  })

  test('paths end with or without a slash, bodies come with or without a content type', async () => {
    assert.equal((await it().api.get('/v1/bdbs/')).status, 200)
    const headers = { 'content-type': 'application/json;charset=utf-8' }
    assert.equal((await it().api.get('/v1/bdbs', { headers })).status, 200)
    assert.equal((await it().api.call('DELETE', '/v1/bdbs/999', { headers })).status, 404)
    const head = await it().api.call('HEAD', '/v1/bdbs')
    assert.equal(head.status, 200)
    assert.equal(head.headers['content-length'], (await it().api.get('/v1/bdbs')).headers['content-length'])
    const options = await it().api.call('OPTIONS', '/v1/bdbs')
    assert.equal(options.headers.allow, 'GET, POST, HEAD, OPTIONS')
  })

  test('a refusal leaves the connection open for the next request', async () => {
    await it().api.get('/v1/bdbs')
    for (const path of ['/v1/jsonschema?object=none', '/v1/modules/1', '/v1/bdbs/999', '/v1/nothing']) {
      const { status, headers } = await it().api.get(path)
      assert.ok(status >= 400, path)
      assert.equal(headers.connection, 'keep-alive', path)
    }
    const { status, headers } = await it().api.put('/v1/license', {})
    assert.deepEqual([status, headers.connection], [400, 'keep-alive'])
  })

  test('something that is not HTTP gets an answer and loses the connection', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const socket = connect({ port: it().ports.api, host: '127.0.0.1', rejectUnauthorized: false }, () =>
        socket.write('NONSENSE\r\n\r\n'),
      )
      let text = ''
      socket.on('data', (data) => {
        text += data
      })
      socket.on('close', () => resolve(text))
      socket.on('error', reject)
    })
    assert.match(answer, /^HTTP\/1\.1 400 /)
    assert.match(answer, /cluster-state-id: \d+/)
    assert.match(answer, /bad_request/)
    const huge = await it().api.get('/v1/bdbs', { headers: { 'x-huge': 'x'.repeat(20_000) } })
    assert.deepEqual([huge.status, huge.json.error_code], [431, 'headers_too_large'])
  })

  test('the cluster-state-id and the ETag keep two writers apart', async () => {
    const { uid } = await it().create({ name: 'locked' })
    const read = await it().api.get(`/v1/bdbs/${uid}`)
    const stateId = String(read.headers['cluster-state-id'])
    const etag = String(read.headers.etag)
    const first = await it().api.put(
      `/v1/bdbs/${uid}`,
      { name: 'one' },
      { headers: { 'cluster-state-id': stateId, 'if-match': etag } },
    )
    assert.equal(first.status, 200)
    const late = await it().api.put(`/v1/bdbs/${uid}`, { name: 'two' }, { headers: { 'cluster-state-id': stateId } })
    assert.deepEqual([late.status, late.json.error_code], [409, 'wrong_cluster_state_id'])
    const lost = await it().api.put(`/v1/bdbs/${uid}`, { name: 'two' }, { headers: { 'if-match': etag } })
    assert.deepEqual([lost.status, lost.json.error_code], [412, 'etag_mismatch'])
    const next = { headers: { 'if-match': String(first.headers.etag) } }
    assert.equal((await it().api.put(`/v1/bdbs/${uid}`, { name: 'two' }, next)).status, 200)
    const bad = await it().api.put(`/v1/bdbs/${uid}`, { name: 'x' }, { headers: { 'cluster-state-id': 'new' } })
    assert.deepEqual([bad.status, bad.json.error_code], [400, 'invalid_header'])
  })

  test('a delete is locked like a change, and its refusal is no "busy" that would be tried again', async () => {
    const { uid } = await it().create({ name: 'kept' })
    const headers = { 'cluster-state-id': '1' }
    const refused = await it().api.delete(`/v1/bdbs/${uid}`, { headers })
    assert.deepEqual([refused.status, refused.json.error_code], [409, 'wrong_cluster_state_id'])
  })

  test('two databases that want the same port at the same time do not both get it', async () => {
    const [one, two] = await Promise.all([it().create({ name: 'one' }), it().create({ name: 'two' })])
    const port = it().ports.databases.high - 3
    const replies = await Promise.all([one, two].map(({ uid }) => it().api.put(`/v1/bdbs/${uid}`, { port })))
    assert.deepEqual(replies.map(({ status }) => status).sort(), [200, 406])
    assert.equal(replies.find(({ status }) => status === 406)?.json.error_code, 'port_unavailable')
  })

  test('what only people change moves the cluster-state-id: nothing that merely comes true', async () => {
    const created = await it().api.post('/v1/bdbs', { name: 'counted', memory_size: 1_000_000 })
    await it().active(created.json.uid)
    const after = await it().api.get('/v1/bdbs')
    assert.equal(after.headers['cluster-state-id'], created.headers['cluster-state-id'])
  })

  test('an Idempotency-Key makes a create safe to repeat', async () => {
    const headers = { 'idempotency-key': 'once' }
    const body = { name: 'once', memory_size: 1_000_000 }
    const answers = await Promise.all(Array.from({ length: 5 }, () => it().api.post('/v1/bdbs', body, { headers })))
    assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]))
    assert.equal(new Set(answers.map(({ json }) => json.uid)).size, 1)
    const other = await it().api.post('/v1/bdbs', { ...body, name: 'other' }, { headers })
    assert.deepEqual([other.status, other.json.error_code], [409, 'idempotency_key_reused'])
    const deep = `{"name":"deep","memory_size":1000000,"flash_enabled":${'['.repeat(200_000)}${']'.repeat(200_000)}}`
    const nested = await it().api.post('/v1/bdbs', undefined, { raw: deep, headers: { 'idempotency-key': 'deep' } })
    assert.deepEqual([nested.status, nested.json.error_code], [400, 'invalid_json'])
  })

  test('fields narrows to exactly those keys; extended shows modules as well', async () => {
    const { json } = await it().api.get('/v1/bdbs?fields=uid,name')
    for (const one of json) assert.deepEqual(Object.keys(one).sort(), ['name', 'uid'])
    const [{ uid }] = json
    const plain = await it().api.get(`/v1/bdbs/${uid}`)
    const extended = await it().api.get(`/v1/bdbs/${uid}?extended=true`)
    assert.equal('search' in plain.json, false)
    assert.equal('search' in extended.json, true)
  })

  test('dry_run says what would happen, and nothing does', async () => {
    await it().settled()
    const before = await it().api.get('/v1/bdbs')
    const create = await it().api.post('/v1/bdbs?dry_run=true', { name: 'dry', memory_size: 1_000_000 })
    assert.equal(create.status, 200)
    assert.equal(create.json.dry_run.processes_started, 1)
    const uid = before.json[0].uid
    const update = await it().api.put(`/v1/bdbs/${uid}?dry_run`, { memory_size: 77_000_000, name: 'dry' })
    assert.deepEqual(update.json.dry_run.changed_fields.sort(), ['memory_size', 'name'])
    assert.equal(update.json.dry_run.processes_reconfigured, 1)
    assert.deepEqual(update.json.dry_run.processes_restarted, [])
    assert.equal((await it().api.get('/v1/bdbs')).text, before.text)
  })

  test('availability is an empty 200, and an honest error otherwise', async () => {
    const { uid } = await it().create({ name: 'available' })
    for (const path of [
      `/v1/bdbs/${uid}/availability`,
      `/v1/local/bdbs/${uid}/endpoint/availability?extend_check=lag`,
    ]) {
      const { status, text, headers } = await it().api.get(path)
      assert.deepEqual([status, text, headers['content-length']], [200, '', '0'])
    }
    assert.equal((await it().api.get('/v1/bdbs/999/availability')).json.error_code, 'db_not_found')
  })

  test('the other objects have the fields that clients index without looking', async () => {
    await it().create({ name: 'indexed' })
    const need: [string, readonly string[]][] = [
      ['/v1/bdbs', ALWAYS.bdb],
      ['/v1/nodes', ALWAYS.node],
      ['/v1/shards', ALWAYS.shard],
    ]
    for (const [path, fields] of need) {
      for (const one of (await it().api.get(path)).json) {
        for (const field of fields) assert.ok(field in one, `${path}: ${field} is missing`)
      }
    }
    const { json: license } = await it().api.get('/v1/license')
    for (const field of ALWAYS.license) assert.ok(field in license, `license: ${field} is missing`)
    assert.equal(license.expired, false)
    const { json: cluster } = await it().api.get('/v1/cluster')
    assert.equal(cluster.name, 'cluster.local')
    const { json: actions } = await it().api.get('/v1/actions')
    assert.ok(Array.isArray(actions.actions) && Array.isArray(actions['state-machines']))
    assert.ok(Array.isArray((await it().api.get('/v2/actions')).json))
    const { json: schema } = await it().api.get('/v1/jsonschema?object=bdb')
    assert.equal(schema.properties.memory_size.type, 'integer')
    const { json: status } = await it().api.get('/v1/nodes/status')
    assert.equal(status['1'].node_status, 'active')
  })

  test('settings of the cluster, the policy and the node can be changed and are kept', async () => {
    assert.equal(
      (await it().api.put('/v1/cluster', { email_from: 'ops@example.com' })).json.email_from,
      'ops@example.com',
    )
    assert.equal((await it().api.put('/v1/cluster/policy', { default_shards_placement: 'sparse' })).status, 200)
    assert.equal((await it().api.put('/v1/nodes/1', { max_redis_servers: 200 })).json.max_redis_servers, 200)
    await it().kill()
    await it().start()
    assert.equal((await it().api.get('/v1/cluster')).json.email_from, 'ops@example.com')
    assert.equal((await it().api.get('/v1/cluster/policy')).json.default_shards_placement, 'sparse')
    assert.equal((await it().api.get('/v1/nodes/1')).json.max_redis_servers, 200)
  })
})

test('before there is a cluster only bootstrapping answers, without credentials', async (t) => {
  const instance = await startInstance(t, { args: ['--no-bootstrap'] })
  const { api } = instance
  const before = await api.get('/v1/bdbs')
  assert.deepEqual([before.status, before.json.error_code], [503, 'not_bootstrapped'])
  for (const path of ['/v1/bootstrap', '/v1/jsonschema', '/v1/local/node/master_healthcheck']) {
    assert.equal((await api.get(path, { auth: null })).status, 200, path)
  }
  const body = {
    action: 'create_cluster',
    cluster: { name: 'made.local', nodes: [] },
    node: { identity: { addr: '127.0.0.1' } },
    credentials: { username: 'me@example.com', password: 'x' },
    license: '',
  }
  for (const credentials of [{}, { username: 'a:b', password: 'x' }, { username: 'a', password: '' }]) {
    const bad = await api.post('/v1/bootstrap/create_cluster', { ...body, credentials }, { auth: null })
    assert.deepEqual([bad.status, bad.json.error_code], [406, 'config_error'])
  }
  const made = await api.post('/v1/bootstrap/create_cluster', body, { auth: null })
  assert.equal(made.status, 200, made.text)
  assert.equal((await api.post('/v1/bootstrap/create_cluster', body, { auth: null })).status, 409)
  assert.equal((await api.get('/v1/bootstrap', { auth: null })).status, 401)
  const auth = 'me@example.com:x'
  assert.equal((await api.get('/v1/bootstrap', { auth })).json.bootstrap_status.state, 'completed')
  assert.equal((await api.get('/v1/cluster', { auth })).json.name, 'made.local')
})

const ALWAYS = {
  bdb: `uid name type status port memory_size replication sharding shards_count shards_placement shard_key_regex
    shard_list implicit_shard_key oss_cluster oss_cluster_api_preferred_ip_type proxy_policy endpoints module_list
    data_persistence aof_policy snapshot_policy eviction_policy authentication_redis_pass authentication_admin_pass
    roles_permissions default_user tls_mode crdt crdt_replica_id bigstore backup rack_aware replica_sources sync_sources
    tags version redis_version created_time last_changed_time background_op conns sched_policy`.split(/\s+/),
  node: `uid status addr external_addr rack_id total_memory cores shard_count shard_list software_version os_version
    uptime accept_servers`.split(/\s+/),
  shard: `uid bdb_uid node_uid role status detailed_status assigned_slots loading redis_info report_timestamp`.split(
    /\s+/,
  ),
  license: `expired activation_date expiration_date shards_limit features`.split(/\s+/),
}
