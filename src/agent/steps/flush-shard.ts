/**
 * flush-shard: removes all data, once for each time the database was told to. ASYNC: to clients the data is gone at
 * once either way, and a shard of many gigabytes does not stand still while its memory is given back.
 */
import type { ShardSpec } from '#plan/step.ts'
import type { StepContext } from '../context.ts'

export async function flushShard({ shard, signal }: StepContext, spec: ShardSpec): Promise<void> {
  if (shard.isUp) await shard.until(['running', 'exited', 'stopped'], { signal })
  const connection = shard.requireConnection()
  if ((shard.record?.flushes ?? 0) >= spec.flushes) return
  // A replica has done it with its primary, and only has to know.
  if (spec.role.kind === 'primary') await connection.call(['FLUSHALL', 'ASYNC'], { signal })
  await shard.keepChanged({ flushes: spec.flushes })
}
