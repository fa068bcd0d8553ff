/**
 * No more replicas copy all data at a time than `max_slave_full_syncs` allows, of whatever databases: told from what the
 * replicas themselves have written about it.
 */
import assert from 'node:assert/strict'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'node:test'
import type { Instance } from './support/instance.ts'
import { change, clientOf, ended, fill, inStep } from './support/sharded.ts'
import { withInstance } from './support/suite.ts'

const KEYS = 200
/** For each key that is sent: so that a copy takes a second, and those that may run together do. */
const KEY_DELAY_US = 5_000

type Copy = { readonly from: number; readonly to: number }

withInstance('full copies', {}, (it) => {
  for (const { title, policy, node, atMost } of [
    { title: 'one at a time, where the policy says so', policy: 1, node: -1, atMost: 1 },
    { title: 'two at a time, where the node has a limit of its own', policy: 1, node: 2, atMost: 2 },
    { title: 'all at a time, where nobody limits them', policy: 0, node: -1, atMost: Number.POSITIVE_INFINITY },
  ])
    test(`replicas of several databases copy ${title}`, async (t) => {
      await set(it(), '/v1/cluster/policy', policy)
      await set(it(), '/v1/nodes/1', node)
      const uids: number[] = []
      for (const body of [{}, {}, {}, { sharding: true, shards_count: 3 }]) {
        const { uid, endpoints } = await it().create({ memory_size: 50_000_000, ...body })
        await fill(clientOf(t, endpoints[0].port), KEYS)
        const words = { command: 'CONFIG', args: ['SET', 'rdb-key-save-delay', String(KEY_DELAY_US)] }
        const { status, text } = await it().api.post(`/v1/bdbs/${uid}/command`, words)
        assert.equal(status, 200, text)
        uids.push(uid)
      }
      const before = (await copies(it())).length
      const actions = await Promise.all(uids.map((uid) => change(it(), uid, { replication: true })))
      for (const action of actions) await ended(it(), action)
      for (const uid of uids) await inStep(it(), uid)
      const made = (await copies(it())).slice(before)
      assert.equal(made.length, 6)
      const most = Math.max(...made.map(({ from }) => made.filter((one) => one.from <= from && from < one.to).length))
      assert.ok(most <= atMost, `${most} at a time`)
      if (atMost > 2) assert.ok(most > 1, 'they took turns although nobody told them to')
    })
})

async function set({ api }: Instance, path: string, limit: number): Promise<void> {
  const { status, text } = await api.put(path, { max_slave_full_syncs: limit })
  assert.equal(status, 200, text)
}

/** All that have been made, by the time at which they began. */
async function copies({ dataDir }: Instance): Promise<Copy[]> {
  const folder = join(dataDir, 'shards')
  const logs = await Promise.all(
    (await readdir(folder)).map((uid) => readFile(join(folder, uid, 'redis.log'), 'utf8').catch(() => '')),
  )
  return logs.flatMap(copiesIn).sort((one, other) => one.from - other.from)
}

function copiesIn(log: string): Copy[] {
  const made: Copy[] = []
  let from: number | undefined
  for (const [, at = '', what] of log.matchAll(/^\d+:S (.{24}) \* MASTER <-> REPLICA sync(.*)$/gm)) {
    if (what === ' started') from ??= Date.parse(at)
    if (what !== ': Finished with success' || from === undefined) continue
    made.push({ from, to: Date.parse(at) })
    from = undefined
  }
  return made
}
