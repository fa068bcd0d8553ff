/**
 * promote-shard: a replica becomes the primary and takes over the endpoint's port. The least that lets applications in
 * again comes first; whatever else differs is brought by configure-shard afterwards.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseClusterNodes } from '#engine/cluster-nodes.ts'
import type { ControlConnection } from '#engine/control-connection.ts'
import { commonSlots, slotsOf } from '#model/slots.ts'
import { StepFailed } from '#plan/agent.ts'
import type { Step, UnheardSlots } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { applySettings, CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import { checkTerm, replicationInfo } from '../role.ts'
import { endpointSettings } from '../tls.ts'

/** What the old primary sent before it ended is read from the socket within a few milliseconds. */
const DRAIN_MS = 200

export async function promoteShard(
  { shard, options, signal }: StepContext,
  { spec, moving, elsewhere }: Extract<Step, { kind: 'promote-shard' }>,
): Promise<void> {
  const { role } = spec
  if (role.kind !== 'primary') throw new StepFailed('engine', `shard ${spec.uid} is not to be the primary`)
  checkTerm(shard, spec)
  const connection = shard.requireConnection()
  shard.promotedAtOffset = await drained(connection, signal)
  if (spec.cluster) await takeSlotsOver(connection, { moving, elsewhere })
  else await connection.call(['REPLICAOF', 'NO', 'ONE'], { timeoutMs: CONTROL_TIMEOUT_MS })
  const settings = await endpointSettings(options, spec, shard.record?.spec ?? null)
  await applySettings(connection, settings, { together: true })
  await shard.keepChanged({ spec, specDigest: null, completeTerm: role.term })
  shard.observe({ role: 'primary', isLinked: false, linkLostAt: null })
  if (spec.cluster) await lookAtCluster(shard, connection)
}

/**
 * Without asking the others: they may be too few to agree. In one piece with the slots that are on their way, so that no
 * client is told in between that keys which have moved are not there. Slots that somebody else has by now are forgotten
 * before: it would claim them at once, and their owner would drop their keys. It hears of the owner a moment later.
 */
export async function takeSlotsOver(connection: ControlConnection, { moving, elsewhere }: UnheardSlots): Promise<void> {
  const { role } = await replicationInfo(connection)
  const nodes = parseClusterNodes(
    textOf(await connection.call(['CLUSTER', 'NODES'], { timeoutMs: CONTROL_TIMEOUT_MS })) ?? '',
  )
  const follows = nodes.find(({ isMyself }) => isMyself)?.follows
  const stale = slotsOf(commonSlots(nodes.find(({ id }) => id === follows)?.slots ?? [], elsewhere)).map(String)
  const forgetting = stale.length > 0 ? [['CLUSTER', 'DELSLOTS', ...stale]] : []
  const reopened = moving.map(({ slot, kind, nodeId }) => [
    ...['CLUSTER', 'SETSLOT', String(slot)],
    ...[kind === 'to' ? 'MIGRATING' : 'IMPORTING', nodeId],
  ])
  const takeover = role === 'slave' ? [...forgetting, ['CLUSTER', 'FAILOVER', 'TAKEOVER']] : []
  await Promise.all(connection.send([...takeover, ...reopened], { timeoutMs: CONTROL_TIMEOUT_MS }))
}

/** While its link is up, there may still be writes of the old primary to come. Returns how far it has read. */
async function drained(connection: ControlConnection, signal: AbortSignal): Promise<number> {
  const deadline = performance.now() + DRAIN_MS
  for (;;) {
    const { role, master_link_status, slave_repl_offset, master_repl_offset } = await replicationInfo(connection)
    const isDone = role !== 'slave' || master_link_status !== 'up' || performance.now() >= deadline
    if (isDone) return Number(slave_repl_offset ?? master_repl_offset)
    await delay(1, undefined, { signal })
  }
}
