/**
 * follow-shard: makes one of several shards the replica of another. The engine refuses to let go of keys for that; here
 * they are of no worth, because the planner only sends replicas to follow, and whatever they have is replaced by the copy.
 */
import { EngineError } from '#engine/control-connection.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'

export async function followShard({ shard, signal }: StepContext, nodeId: string): Promise<void> {
  const connection = shard.requireConnection()
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  await shard.keepChanged({ completeTerm: null })
  await call('CLUSTER', 'REPLICATE', nodeId).catch(async (error: unknown) => {
    if (!(error instanceof EngineError) || !error.message.includes('must be empty')) throw error
    await call('FLUSHALL', 'ASYNC')
    await call('CLUSTER', 'REPLICATE', nodeId)
  })
  await lookAtCluster(shard, connection)
}
