/**
 * move-slots: hash slots go to another shard with their keys, while clients read and write. The engines redirect each
 * client to whoever has the key at that moment; a slot has a new owner when its last key has gone. Carried out again after
 * it was cut off anywhere, it goes on from there: what was said is said again, and of a key that is at both the owner's is
 * the newer one.
 */
import type { ControlConnection } from '#engine/control-connection.ts'
import { type SlotRange, slotsOf } from '#model/slots.ts'
import type { ShardAddress } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { CONTROL_USER, controlPassword } from '../accounts.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import type { Shard } from '../shard.ts'

/** So long a step moves slots before it lets the planner look again: a failover waits for nothing longer. */
const TURN_MS = 100
/** Each change of slots is written to disk by the engine, once for all that come together. */
const SLOTS_TOGETHER = 16
/** While keys are on their way neither shard answers: few at a time. */
const KEYS_TOGETHER = 50
/** A key so large that it takes longer would keep both from everybody for that time. */
const MIGRATE_TIMEOUT_MS = 10_000

export async function moveSlots(
  { shard, options, signal }: StepContext,
  receiver: Shard,
  { to, slots }: { readonly to: ShardAddress; readonly slots: readonly SlotRange[] },
): Promise<void> {
  const own = shard.requireConnection()
  const other = receiver.requireConnection()
  const ids = { own: shard.observed.cluster?.nodeId ?? '', other: to.nodeId }
  const password = controlPassword(options.controlSecret, to.shardUid)
  const began = performance.now()
  const left = slotsOf(slots).map(String)
  while (left.length > 0 && performance.now() - began < TURN_MS) {
    const some = left.splice(0, SLOTS_TOGETHER)
    await tell(other, some, ['IMPORTING', ids.own], signal)
    await tell(own, some, ['MIGRATING', ids.other], signal)
    for (const slot of some) await moveKeys(own, slot, { to, password }, signal)
    // The new owner first: as long as it does not know, the old one must send everybody there.
    await tell(other, some, ['NODE', ids.other], signal)
    await tell(own, some, ['NODE', ids.other], signal)
  }
  await Promise.all([lookAtCluster(shard, own), lookAtCluster(receiver, other)])
}

/** close-slots: ends what a shard still believes to be on its way. */
export async function closeSlots({ shard, signal }: StepContext, slots: readonly SlotRange[]): Promise<void> {
  const connection = shard.requireConnection()
  await tell(connection, slotsOf(slots).map(String), ['STABLE'], signal)
  await lookAtCluster(shard, connection)
}

async function tell(
  connection: ControlConnection,
  slots: readonly string[],
  state: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const words = slots.map((slot) => ['CLUSTER', 'SETSLOT', slot, ...state])
  await Promise.all(connection.send(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal }))
}

async function moveKeys(
  connection: ControlConnection,
  slot: string,
  { to, password }: { readonly to: ShardAddress; readonly password: string },
  signal: AbortSignal,
): Promise<void> {
  const options = { timeoutMs: MIGRATE_TIMEOUT_MS + CONTROL_TIMEOUT_MS, signal }
  const target = [to.host, String(to.ports.clients), '', '0', String(MIGRATE_TIMEOUT_MS)]
  for (;;) {
    const keys = await connection.call(['CLUSTER', 'GETKEYSINSLOT', slot, String(KEYS_TOGETHER)], options)
    if (keys.kind !== 'array' || keys.items.length === 0) return
    const words = keys.items.map((item) => (item.kind === 'bulk' ? item.bytes : (textOf(item) ?? '')))
    await connection.call(['MIGRATE', ...target, 'REPLACE', 'AUTH2', CONTROL_USER, password, 'KEYS', ...words], options)
  }
}
