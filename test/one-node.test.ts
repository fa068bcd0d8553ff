/**
 * What a cluster of one node, on open engines, says to those who ask for more: lists are empty, what has a name and is
 * not there is 404, and what cannot be done is refused with what is in its way. Nothing changes by it.
 */
import assert from 'node:assert/strict'
import { before, test } from 'node:test'
import type { Reply } from './support/api.ts'
import { withInstance } from './support/suite.ts'

const GUID = '552bbccb-99f3-4142-bd17-93d245f0bc79'

type Case = readonly [method: string, path: string, body: unknown, status: number, code: string, field?: string]

withInstance('one node', {}, (it) => {
  let uid = 0
  let limited = ''

  before(async () => {
    uid = (await it().create({ name: 'one' })).uid
    const other = (await it().create({ name: 'other' })).uid
    const resources = [{ type: 'db', uids: [String(other)] }]
    const role = await it().api.post('/v1/roles', { name: 'of the other', management: 'db_member', resources })
    const person = { email: 'limited@example.com', name: 'limited', password: 'of-limited', role_uids: [role.json.uid] }
    assert.equal((await it().api.post('/v1/users', person)).status, 200)
    limited = 'limited@example.com:of-limited'
  })

  async function refused(cases: readonly Case[]): Promise<void> {
    for (const [method, path, body, status, code, field] of cases) {
      const reply = await it().api.call(method, path, body === undefined ? {} : { body })
      const what = `${method} ${path} ${JSON.stringify(body)}: ${reply.text}`
      assert.deepEqual([reply.status, reply.json.error_code, reply.json.field], [status, code, field], what)
      assert.match(reply.json.description, /[.:]/, what)
    }
  }

  async function answered(path: string, wanted: unknown): Promise<void> {
    const reply: Reply = await it().api.get(path)
    assert.deepEqual([reply.status, reply.json], [200, wanted], path)
  }

  test('no action runs on a node, and its only one neither leaves nor makes way', async () => {
    await answered('/v1/nodes/actions', { actions: [] })
    await answered('/v1/nodes/1/actions', { actions: [] })
    const at = '/v1/nodes/1/actions'
    await refused([
      ['GET', '/v1/nodes/9/actions', undefined, 404, 'node_not_found'],
      ['GET', `${at}/remove`, undefined, 404, 'action_not_exist'],
      ['DELETE', `${at}/remove`, undefined, 404, 'action_not_exist'],
      ['POST', '/v1/nodes/9/actions/remove', {}, 404, 'node_not_found'],
      ['POST', `${at}/explode`, {}, 404, 'unknown_action'],
      ['POST', `${at}/constructor`, {}, 404, 'unknown_action'],
      ['POST', `${at}/remove`, undefined, 406, 'only_node'],
      ['POST', `${at}/remove`, { wait_for_persistence: true }, 406, 'only_node'],
      ['POST', `${at}/remove`, { wait_for_persistence: 'yes' }, 400, 'invalid_field', 'wait_for_persistence'],
      ['POST', `${at}/remove`, { evict_dbs: [] }, 400, 'unknown_field', 'evict_dbs'],
      ['POST', `${at}/maintenance_on`, { overwrite_snapshot: true, evict_dbs: ['1'] }, 406, 'only_node'],
      ['POST', `${at}/maintenance_on`, { evict_dbs: [1] }, 400, 'invalid_field', 'evict_dbs[0]'],
      ['POST', `${at}/maintenance_off`, { skip_shards_restore: true }, 406, 'not_in_maintenance'],
      ['POST', `${at}/maintenance_off`, { snapshot_name: 'a' }, 404, 'snapshot_not_exist', 'snapshot_name'],
      ['POST', `${at}/enslave_node`, {}, 406, 'only_node'],
      ['POST', `${at}/enslave_node`, [], 400, 'invalid_json'],
    ])
    assert.equal((await it().api.get('/v1/nodes/1')).json.status, 'active')
  })

  test('a node that was never in maintenance has no snapshots', async () => {
    await answered('/v1/nodes/1/snapshots', [])
    await refused([
      ['GET', '/v1/nodes/9/snapshots', undefined, 404, 'node_not_found'],
      ['DELETE', '/v1/nodes/9/snapshots/a', undefined, 404, 'node_not_found'],
      ['DELETE', '/v1/nodes/1/snapshots/a', undefined, 404, 'snapshot_not_exist'],
    ])
  })

  test('no other node can become the primary one', async () => {
    await answered('/v1/cluster/actions', { actions: [] })
    const path = '/v1/cluster/actions/change_master'
    await refused([
      ['GET', path, undefined, 404, 'action_not_exist'],
      ['DELETE', path, undefined, 404, 'action_not_exist'],
      ['POST', path, undefined, 400, 'missing_field', 'node_uid'],
      ['POST', path, { node_uid: '2' }, 404, 'node_not_found', 'node_uid'],
      ['POST', path, { node_uid: { a: 1 } }, 404, 'node_not_found', 'node_uid'],
      ['POST', path, { node_uid: '1', by: 'force' }, 400, 'unknown_field', 'by'],
      ['POST', path, { node_uid: '1' }, 406, 'only_node'],
      ['POST', path, { node_uid: 1 }, 406, 'only_node'],
      ['POST', '/v1/cluster/actions/explode', {}, 400, 'bad_request'],
    ])
  })

  test('the name of the cluster is the suffix of all names, in any case', async () => {
    const [endpoint] = (await it().api.get(`/v1/bdbs/${uid}`)).json.endpoints
    const { json: suffixes } = await it().api.get('/v1/suffixes')
    assert.equal(suffixes.length, 1)
    const [{ name, default: isDefault }] = suffixes
    assert.equal(isDefault, true)
    assert.ok(endpoint.dns_name.endsWith(`.${name}`), endpoint.dns_name)
    await answered(`/v1/suffix/${name}`, suffixes[0])
    await answered(`/v1/suffix/${name.toUpperCase()}`, suffixes[0])
    await refused([
      ['GET', `/v1/suffix/internal.${name}`, undefined, 404, 'suffix_not_exist'],
      ['GET', '/v1/suffix/%22%0A', undefined, 404, 'suffix_not_exist'],
    ])
  })

  test('only the empty licence can be installed, and the cluster stays as it is', async () => {
    const before = (await it().api.get('/v1/license')).text
    assert.equal((await it().api.put('/v1/license', { license: '' })).status, 200)
    await refused([
      ['PUT', '/v1/license', {}, 400, 'missing_field', 'license'],
      ['PUT', '/v1/license', { license: 7 }, 400, 'invalid_field', 'license'],
      ['PUT', '/v1/license', { license: '----- LICENSE START -----' }, 406, 'invalid_license', 'license'],
      ['PUT', '/v1/license', { license: '', key: '' }, 400, 'unknown_field', 'key'],
    ])
    assert.equal((await it().api.get('/v1/license')).text, before)
  })

  test('there are no modules, and none comes in', async () => {
    await answered('/v1/modules', [])
    await answered('/v1/cluster/module-capabilities', { all_capabilities: [] })
    await answered('/v2/local/modules/user-defined/artifacts', [])
    await refused([
      ['GET', '/v1/modules/1', undefined, 404, 'module_not_exist'],
      ['DELETE', '/v1/modules/1', undefined, 404, 'module_not_exist'],
      ['DELETE', '/v2/modules/1', undefined, 404, 'module_not_exist'],
      ['DELETE', '/v2/modules/user-defined/1', undefined, 404, 'module_not_exist'],
      ['DELETE', '/v2/local/modules/user-defined/artifacts/a/1', undefined, 404, 'module_not_exist'],
      ['POST', '/v2/modules/user-defined', { module_name: 'a' }, 406, 'unsupported_feature'],
    ])
    const parts = '--x\r\nContent-Disposition: form-data; name="module"; filename="a.zip"\r\n\r\nPK\r\n--x--\r\n'
    for (const path of ['/v2/local/modules/user-defined/artifacts', '/v2/modules', '/v1/modules']) {
      const headers = { 'content-type': 'multipart/form-data; boundary=x' }
      const upload = await it().api.call('POST', path, { raw: parts, headers })
      assert.deepEqual([upload.status, upload.json.error_code], [406, 'unsupported_feature'], path)
    }
  })

  test('a database has no modules to set up or to change', async () => {
    const search = { module_name: 'search', module_args: 'MINPREFIX 3' }
    for (const pathOf of [
      (id: number) => `/v1/bdbs/${id}/modules/config`,
      (id: number) => `/v1/modules/config/bdb/${id}`,
    ]) {
      const path = pathOf(uid)
      assert.equal((await it().api.post(path, { modules: [] })).status, 200)
      await refused([
        ['POST', path, {}, 400, 'missing_field', 'modules'],
        ['POST', path, { modules: [{ module_name: 'search' }] }, 400, 'invalid_field', 'modules[0].module_args'],
        [
          'POST',
          path,
          { modules: [{ ...search, module_args: 'a>b' }] },
          400,
          'invalid_field',
          'modules[0].module_args',
        ],
        ['POST', path, { modules: [search] }, 404, 'module_not_exist', 'modules[0].module_name'],
        ['POST', pathOf(999), { modules: [search] }, 404, 'db_not_exist'],
      ])
    }
    const path = `/v1/bdbs/${uid}/modules/upgrade`
    await refused([
      ['POST', path, { preserve_roles: true }, 400, 'missing_field', 'modules'],
      ['POST', path, { modules: [{ new_module: 'a' }], preserve_roles: 1 }, 400, 'invalid_field', 'preserve_roles'],
      ['POST', path, { modules: [{ new_module: 'a' }] }, 406, 'missing_module', 'modules[0].new_module'],
    ])
  })

  test('there are no Active-Active databases, and none can be made', async () => {
    await answered('/v1/crdbs', { crdbs: [] })
    await answered('/v1/crdb_tasks', [])
    const one = `/v1/crdbs/${GUID}`
    await refused([
      ['POST', '/v1/crdbs', { name: 'a', default_db_config: { memory_size: 1 } }, 406, 'unsupported_feature'],
      ['POST', '/v1/crdbs?dry_run=true', { name: 'a' }, 406, 'unsupported_feature'],
      ['POST', '/v1/crdbs?dry_run=perhaps', { name: 'a' }, 400, 'invalid_query', 'dry_run'],
      ['POST', '/v1/crdbs', 'a', 400, 'invalid_json'],
      ['GET', one, undefined, 404, 'crdb_not_exist'],
      ['GET', `${one}?instance_id=1`, undefined, 404, 'crdb_not_exist'],
      ['GET', `${one}?instance_id=x`, undefined, 400, 'invalid_query', 'instance_id'],
      ['PATCH', one, {}, 404, 'crdb_not_exist'],
      ['DELETE', one, undefined, 404, 'crdb_not_exist'],
      ['PUT', `${one}/flush`, undefined, 404, 'crdb_not_exist'],
      ['PUT', `${one}/flush?async_flush=2`, undefined, 400, 'invalid_query', 'async_flush'],
      ['GET', `${one}/health_report`, undefined, 404, 'crdb_not_exist'],
      ['PUT', `${one}/purge`, { instances: [1] }, 404, 'crdb_not_exist'],
      ['POST', `${one}/updates`, {}, 404, 'crdb_not_exist'],
      ['POST', `${one}/upgrade`, {}, 404, 'crdb_not_exist'],
      ['GET', '/v1/crdb_tasks/1?verbose=true', undefined, 404, 'crdb_task_not_exist'],
      ['GET', '/v1/crdb_tasks/1?verbose=x', undefined, 400, 'invalid_query', 'verbose'],
      ['POST', '/v1/crdb_tasks/1/actions/cancel?force', undefined, 404, 'crdb_task_not_exist'],
    ])
  })

  test('nothing is copied from elsewhere, and who may not see a database does not hear that it is there', async () => {
    await refused([
      ['GET', `/v1/bdbs/${uid}/syncer_state`, undefined, 406, 'db_not_active_active'],
      ['GET', `/v1/bdbs/${uid}/syncer_state/crdt`, undefined, 406, 'db_not_active_active'],
      ['GET', `/v1/bdbs/${uid}/syncer_state/replica`, undefined, 404, 'source_not_exist'],
      ['GET', '/v1/bdbs/999/syncer_state', undefined, 404, 'db_not_exist'],
      ['GET', `/v1/migrations/${uid}`, undefined, 404, 'source_not_exist'],
      ['GET', '/v1/migrations/999', undefined, 404, 'db_not_exist'],
    ])
    const hidden = await it().api.get(`/v1/migrations/${uid}`, { auth: limited })
    assert.deepEqual([hidden.status, hidden.json.error_code], [404, 'db_not_exist'])
  })
})
