/**
 * restart-shard: saves, stops and starts again with another spec, for what an engine cannot change while it runs. A
 * shard that runs with this spec already was restarted before we were; a shard that is down is only started.
 */
import { specDigest } from '#plan/spec-digest.ts'
import type { ShardSpec } from '#plan/step.ts'
import type { StepContext } from '../context.ts'
import { checkStart, startShard } from './start-shard.ts'
import { stopShard } from './stop-shard.ts'

export async function restartShard(context: StepContext, spec: ShardSpec): Promise<void> {
  const { shard } = context
  if (shard.isUp && shard.record?.specDigest === specDigest(spec)) return
  checkStart(context, spec)
  if (shard.isUp) await stopShard(context, { save: true })
  await startShard(context, spec)
}
