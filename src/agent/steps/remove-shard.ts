/**
 * remove-shard: ends the process without saving and removes the folder with all data. Nothing is asked of the engine:
 * what it would still say or write is about to be removed.
 */
import type { StepContext } from '../context.ts'
import { removeFolder } from '../folder.ts'
import { killShard } from './stop-shard.ts'

export async function removeShard({ shard, signal }: StepContext): Promise<void> {
  shard.stopping = true
  try {
    if (shard.record) await shard.keepChanged({ stopped: true }).catch(() => {})
    await killShard(shard, signal)
    await removeFolder(shard.folder)
  } finally {
    shard.stopping = false
  }
}
