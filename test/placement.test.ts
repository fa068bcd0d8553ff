/**
 * Which hash slots go together, and where: blueprints, rebalancing, revamps, and moves to nodes that there are or are not.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { hasSlot, slotsIn } from '#model/slots.ts'
import { hashSlot } from '#resp/hash-slot.ts'
import { shardsOf } from './support/replicas.ts'
import { change, check, clientOf, ended, fill, primariesOf, slotCounts } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'

const KEYS = 2_000
const master = { node_uid: '1', role: 'master' }
const slave = { node_uid: '1', role: 'slave' }
type Shown = { slot_range: string; nodes: { node_uid: string; role: string }[] }

withInstance('placement', {}, (it) => {
  const sharded = (body: object = {}) =>
    it().create({ sharding: true, shards_count: 2, memory_size: 400_000_000, ...body })
  const rangesOf = async (uid: number) =>
    (await primariesOf(it(), uid)).map(({ assigned_slots }) => assigned_slots).sort()

  test('a blueprint says which slots each shard gets, when it is created and later', async (t) => {
    const blueprint = ['0-99', '100-16383'].map((slot_range) => ({ slot_range, nodes: [master] }))
    const { uid, endpoints } = await sharded({ shards_blueprint: blueprint })
    assert.deepEqual(await rangesOf(uid), ['0-99', '100-16383'])
    const client = clientOf(t, endpoints[0].port)
    await fill(client, KEYS)
    const other = ['0-9,8000-16383', '10-7999'].map((slot_range) => ({ slot_range, nodes: [master] }))
    await ended(it(), await change(it(), uid, { shards_blueprint: other }))
    assert.deepEqual(await rangesOf(uid), ['0-9,8000-16383', '10-7999'])
    await check(client, KEYS)
    const { json } = await it().api.get(`/v1/bdbs/${uid}`)
    assert.equal(json.shards_blueprint, undefined)
  })

  test('what is proposed can be had, and is refused when the cluster has changed meanwhile', async () => {
    const { uid } = await sharded({ replication: true })
    const path = `/v1/bdbs/${uid}/actions/optimize_shards_placement`
    const proposed = await it().api.get(`${path}?shards_count=3&memory_size=300000000`)
    assert.equal(proposed.status, 200, proposed.text)
    assert.equal(proposed.json.length, 3)
    assert.ok(proposed.json.every(({ nodes }: Shown) => nodes.map(({ role }) => role).join() === 'master,slave'))
    await ended(it(), await change(it(), uid, { shards_count: 3, shards_blueprint: proposed.json }))
    const wanted = proposed.json.map(({ slot_range }: Shown) => slot_range)
    assert.deepEqual(await rangesOf(uid), wanted.sort())
    assert.equal((await shardsOf(it(), uid)).length, 6)
    const headers = { 'cluster-state-id': String(proposed.headers['cluster-state-id']) }
    const late = await it().api.put(`/v1/bdbs/${uid}`, { shards_blueprint: proposed.json }, { headers })
    assert.equal(late.json.error_code, 'wrong_cluster_state_id', late.text)
    for (const query of ['shards_count=0', 'shards_count=x', 'replication=perhaps', 'shards_placement=odd'])
      assert.ok((await it().api.get(`${path}?${query}`)).status >= 400, query)
  })

  test('a blueprint that does not fit is refused, with what would be right', async () => {
    const { uid } = await sharded()
    const of = (...ranges: string[]) => ranges.map((slot_range) => ({ slot_range, nodes: [master] }))
    const cases: [blueprint: unknown, says: RegExp][] = [
      ['all', /must be a list/],
      [[], /must be a list/],
      [of('0-8191', '8193-16383'), /every slot/],
      [of('0-8191', '8191-16383'), /every slot/],
      [of('0-16383'), /as many/],
      [of('0-8191', '16383-8192'), /slot_range/],
      [[{ slot_range: '0-16383' }], /nodes must be a list/],
      [[...of('0-8191'), { slot_range: '8192-16383', nodes: [master, slave] }], /replication is false/],
      [[...of('0-8191'), { slot_range: '8192-16383', nodes: [{ node_uid: '9', role: 'master' }] }], /no node 9/],
      [[...of('0-8191'), { slot_range: '8192-16383', nodes: [{ node_uid: '1', role: 'boss' }] }], /role/],
    ]
    for (const [shards_blueprint, says] of cases) {
      const { status, json, text } = await it().api.put(`/v1/bdbs/${uid}`, { shards_blueprint })
      assert.deepEqual([status, json.error_code], [406, 'bad_shards_blueprint'], text)
      assert.match(json.description, says)
    }
  })

  test('a rebalance evens out slots, and keys where one shard has far too many', async (t) => {
    const skewed = ['0-999', '1000-16383'].map((slot_range) => ({ slot_range, nodes: [master] }))
    const { uid, endpoints } = await sharded({ shards_blueprint: skewed })
    const path = `/v1/bdbs/${uid}/actions/rebalance`
    const dry = await it().api.put(`${path}?dry_run=true`)
    assert.equal(dry.status, 200, dry.text)
    assert.equal(dry.json.length, 2)
    assert.deepEqual(await rangesOf(uid), ['0-999', '1000-16383'])
    const failovers = await it().api.put(`${path}?only_failovers=true`)
    await ended(it(), failovers.json.action_uid)
    assert.deepEqual(await rangesOf(uid), ['0-999', '1000-16383'])
    await ended(it(), (await it().api.put(path)).json.action_uid)
    assert.deepEqual(slotCounts(await primariesOf(it(), uid)), [8192, 8192])
    const client = clientOf(t, endpoints[0].port)
    // All in the slots of one shard.
    const tags = Array.from({ length: 50_000 }, (_, index) => `{${index}}`).filter((tag) => hashSlot(tag) < 4_000)
    for (const tag of tags.slice(0, 4_000)) await client.set(tag, 'x')
    await ended(it(), (await it().api.put(path)).json.action_uid)
    const [first = ''] = await rangesOf(uid)
    const share = slotsIn(first) ?? []
    const stayed = tags.slice(0, 4_000).filter((tag) => hasSlot(share, hashSlot(tag))).length
    assert.ok(Math.abs(stayed - 2_000) < 50, `${stayed} of 4,000 keys stayed`)
    assert.equal(await client.dbsize(), 4_000)
    assert.equal((await it().api.put(`${path}?max_operations=2`)).json.error_code, 'invalid_query')
    assert.equal((await it().api.put('/v1/bdbs/999/actions/rebalance')).status, 404)
  })

  test('a revamp changes how many there are, and nothing else', async () => {
    const { uid } = await sharded()
    const path = `/v1/bdbs/${uid}/actions/revamp`
    const wanted = { shards_count: 3, replication: true }
    const dry = await it().api.put(`${path}?dry_run=true`, wanted)
    assert.equal(dry.json.length, 3, dry.text)
    assert.equal((await shardsOf(it(), uid)).length, 2)
    const asked = await it().api.put(path, wanted)
    assert.equal(asked.status, 200, asked.text)
    await ended(it(), asked.json.action_uid)
    assert.equal((await shardsOf(it(), uid)).length, 6)
    for (const [query, body, code] of [
      ['', { name: 'other' }, 'unknown_field'],
      ['', { shards_count: 0 }, 'invalid_field'],
      ['', { avoid_nodes: ['1'] }, 'unsupported_feature'],
      ['?pause_persistence=true', {}, 'unsupported_feature'],
    ] as const)
      assert.equal((await it().api.put(`${path}${query}`, body)).json.error_code, code)
  })

  test('a shard moves to the node that it is on, and to no other', async () => {
    const { uid } = await sharded()
    const [shard] = await shardsOf(it(), uid)
    const one = `/v1/shards/${shard?.uid}/actions/migrate`
    const done = await it().api.post(one, { target_node_uid: 1 })
    assert.equal(done.json.description, 'Migrate was triggered', done.text)
    await ended(it(), done.json.action_uid)
    for (const [path, body, status, code] of [
      [one, {}, 404, 'node_not_found'],
      [one, { target_node_uid: 9 }, 404, 'node_not_found'],
      [one, { target_node_uid: 1, preserve_roles: 'yes' }, 400, 'invalid_field'],
      [one, { target_node_uid: 1, to: 1 }, 400, 'unknown_field'],
      ['/v1/shards/99999/actions/migrate', { target_node_uid: 1 }, 404, 'shard_not_exist'],
      ['/v1/shards/actions/migrate', { target_node_uid: 1 }, 404, 'shard_uids_required'],
    ] as const) {
      const { status: got, json, text } = await it().api.post(path, body)
      assert.deepEqual([got, json.error_code], [status, code], text)
    }
    const both = { shard_uids: (await shardsOf(it(), uid)).map((each) => each.uid), target_node_uid: 1 }
    assert.equal((await it().api.post('/v1/shards/actions/migrate', { ...both, dry_run: true })).status, 200)
    await ended(it(), (await it().api.post('/v1/shards/actions/migrate', both)).json.action_uid)
  })
})
