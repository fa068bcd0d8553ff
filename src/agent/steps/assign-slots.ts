/**
 * assign-slots: a primary takes slots that nobody has. Each primary of a new cluster gets a number of its own as its
 * epoch, so that they need not quarrel about it once they meet.
 */
import { EngineError } from '#engine/control-connection.ts'
import type { SlotRange } from '#model/slots.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'

export async function assignSlots({ shard, signal }: StepContext, slots: readonly SlotRange[]): Promise<void> {
  const connection = shard.requireConnection()
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  const ranges = slots.flatMap(({ first, last }) => [String(first), String(last)])
  await call('CLUSTER', 'ADDSLOTSRANGE', ...ranges)
  await call('CLUSTER', 'SET-CONFIG-EPOCH', String(shard.uid)).catch((error: unknown) => {
    // Somebody who knows others already has an epoch, or agrees on one with them.
    if (!(error instanceof EngineError)) throw error
  })
  await lookAtCluster(shard, connection)
}
