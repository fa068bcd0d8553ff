/**
 * forget-shards: nodes that are gone for good are not asked for, and not told to clients, any more.
 */
import { EngineError } from '#engine/control-connection.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'

export async function forgetShards({ shard, signal }: StepContext, nodeIds: readonly string[]): Promise<void> {
  const connection = shard.requireConnection()
  const words = nodeIds.map((id) => ['CLUSTER', 'FORGET', id])
  const replies = await Promise.allSettled(connection.send(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal }))
  for (const reply of replies) {
    // It may have forgotten it by itself meanwhile.
    const isGone =
      reply.status === 'rejected' && reply.reason instanceof EngineError && /unknown node/i.test(reply.reason.message)
    if (reply.status === 'rejected' && !isGone) throw reply.reason
  }
  await lookAtCluster(shard, connection)
}
