/**
 * A replica that takes over before it has heard that its primary gave a slot away: the slot and its keys stay where they are.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { takeSlotsOver } from '#agent/steps/promote-shard.ts'
import { ControlConnection } from '#engine/control-connection.ts'
import { hashSlot } from '#resp/hash-slot.ts'
import { textOf } from '#resp/value.ts'
import { type ClusterNode, startCluster } from './support/redis-cluster.ts'
import { until } from './support/wait.ts'

const KEY = '{06S}x'

test('a successor that has not heard of it does not claim back what its primary gave away', async (t) => {
  const cluster = await startCluster(t, 3)
  const [primary, other, replica] = [cluster.node(0), cluster.node(1), cluster.node(2)]
  const idOf = async (node: ClusterNode) => textOf(await node.call('CLUSTER', 'MYID')) ?? ''
  const [primaryId, otherId, replicaId] = [await idOf(primary), await idOf(other), await idOf(replica)]
  const slot = hashSlot(KEY)
  const [range] = replica.slots
  assert.ok(range)
  for (const node of cluster.nodes) await node.call('CLUSTER', 'DELSLOTSRANGE', ...range)
  await primary.call('CLUSTER', 'ADDSLOTSRANGE', ...range)
  const says = (node: ClusterNode, words: string[], wanted: RegExp) =>
    until(`${words.join(' ')} to be ${wanted}`, async () => wanted.test(textOf(await node.call(...words)) ?? ''))
  await says(replica, ['CLUSTER', 'REPLICATE', primaryId], /^OK/)
  await says(replica, ['INFO', 'replication'], /master_link_status:up/)
  await says(other, ['CLUSTER', 'NODES'], new RegExp(`${replicaId}.* slave ${primaryId}`))

  // Whom it has forgotten it does not hear.
  await replica.call('CLUSTER', 'FORGET', otherId)
  await other.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', primaryId)
  for (const node of [other, primary])
    assert.equal(textOf(await node.call('CLUSTER', 'SETSLOT', slot, 'NODE', otherId)), 'OK')
  assert.equal(textOf(await other.call('SET', KEY, 'kept')), 'OK')
  // Its claims would be newer than the owner's.
  const [epoch = ''] = /cluster_current_epoch:\d+/.exec(textOf(await other.call('CLUSTER', 'INFO')) ?? '') ?? []
  await says(replica, ['CLUSTER', 'INFO'], new RegExp(`${epoch}\\s`))
  await primary.kill()

  const connection = await ControlConnection.open(replica.socket)
  t.after(() => connection.close())
  await takeSlotsOver(connection, { moving: [], elsewhere: [{ first: slot, last: slot }] })
  // Everybody has heard of the successor, and so of what it claims.
  await says(other, ['CLUSTER', 'NODES'], new RegExp(`${replicaId}.* master .*connected .*\\d`))
  assert.equal(textOf(await other.call('GET', KEY)), 'kept')
})
