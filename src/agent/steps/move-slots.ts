/**
 * move-slots: hash slots go to another shard with their keys, while clients read and write. The engines redirect each
 * client to whoever has the key at that moment; a slot has a new owner when its last key has gone. Carried out again after
 * it was cut off anywhere, it goes on from there: what was said is said again, and of a key that is at both the owner's is
 * the newer one.
 */
import type { ControlConnection } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { hasSlot, type SlotRange, slotsOf } from '#model/slots.ts'
import { StepFailed } from '#plan/agent.ts'
import type { ShardAddress } from '#plan/step.ts'
import { textOf } from '#resp/value.ts'
import { controlPassword } from '../accounts.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import type { Shard } from '../shard.ts'
import { countKeys, type Listed, listKeys, type Road, sendKeys } from './move-keys.ts'

/** After so long a step begins no more portions, and lets the planner look again: a failover waits for the last of them. */
const TURN_MS = 100
/** Each change of slots is written to disk by the engine, once for all that come together. */
const SLOTS_TOGETHER = 512
/** While a slot is open its clients may have to ask twice: no more keys than are moved in a moment. */
const KEYS_TOGETHER = 2_000

export async function moveSlots(
  { shard, options, signal }: StepContext,
  receiver: Shard,
  { to, slots }: { readonly to: ShardAddress; readonly slots: readonly SlotRange[] },
): Promise<void> {
  const own = shard.requireConnection()
  const other = receiver.requireConnection()
  const ids = { own: shard.observed.cluster?.nodeId ?? '', other: to.nodeId }
  const road: Road = { own, to, password: controlPassword(options.controlSecret, to.shardUid), signal }
  await lookAtCluster(receiver, other)
  const unowned = receiver.observed.cluster?.unowned ?? []
  const began = performance.now()
  const isOver = () => performance.now() - began >= TURN_MS
  let left = slotsOf(slots)
  // Who has no slot is in no client's map, and clients that are sent there know nothing of it: one slot goes ahead.
  let isNew = receiver.observed.cluster?.slots.length === 0
  shard.isSending = true
  try {
    while (left.length > 0 && !isOver()) {
      const counts = await countKeys(own, left.slice(0, SLOTS_TOGETHER), signal)
      const some = isNew ? emptiest(left, counts) : portion(left, counts)
      isNew = false
      const taken = new Set(some)
      left = left.filter((slot) => !taken.has(slot))
      const listed = await listKeys(own, withKeys(some, counts), signal)
      await checkRoom(receiver, other, listed)
      // When their last owner was replaced while they were open, it has not heard by whom, and would refuse their keys.
      const orphans = some.filter((slot) => hasSlot(unowned, slot))
      await tell(other, orphans, ['NODE', ids.own], signal)
      await tell(other, some, ['IMPORTING', ids.own], signal)
      await tell(own, some, ['MIGRATING', ids.other], signal)
      const empty = await emptied(road, some, listed, isOver)
      // The new owner first: as long as it does not know, the old one must send everybody there.
      await tell(other, empty, ['NODE', ids.other], signal)
      await tell(own, empty, ['NODE', ids.other], signal)
    }
  } finally {
    shard.isSending = false
    // When one has died, what the other has now decides what its successor takes over.
    await Promise.allSettled([lookAtCluster(shard, own), lookAtCluster(receiver, other)])
  }
}

/** close-slots: ends what a shard still believes to be on its way. */
export async function closeSlots({ shard, signal }: StepContext, slots: readonly SlotRange[]): Promise<void> {
  const connection = shard.requireConnection()
  const all = slotsOf(slots)
  for (let from = 0; from < all.length; from += SLOTS_TOGETHER)
    await tell(connection, all.slice(from, from + SLOTS_TOGETHER), ['STABLE'], signal)
  await lookAtCluster(shard, connection)
}

/** The first ones, of which `counts` tells: as many as there are keys for, and at least one. */
function portion(slots: readonly number[], counts: readonly number[]): number[] {
  let keys = 0
  const end = counts.findIndex((count, index) => {
    keys += count
    return index > 0 && keys > KEYS_TOGETHER
  })
  return slots.slice(0, end < 0 ? counts.length : end)
}

/** One of those of which `counts` tells. */
function emptiest(slots: readonly number[], counts: readonly number[]): number[] {
  const at = counts.indexOf(Math.min(...counts))
  return slots.slice(at, at + 1)
}

function withKeys(slots: readonly number[], counts: readonly number[]): number[] {
  return slots.filter((_, index) => (counts[index] ?? 0) > 0)
}

/**
 * Sends every key of these slots, as far as the time goes. Returns the slots that are empty now, which they stay: nobody
 * can make a key in a slot that is leaving. The others stay open, and the next turn goes on with them.
 */
async function emptied(
  road: Road,
  slots: readonly number[],
  listed: readonly Listed[],
  isOver: () => boolean,
): Promise<number[]> {
  let keys = listed
  for (;;) {
    await sendKeys(road, keys)
    const counts = await countKeys(road.own, slots, road.signal)
    const full = withKeys(slots, counts)
    if (full.length === 0 || isOver()) return slots.filter((slot) => !full.includes(slot))
    keys = await listKeys(road.own, full, road.signal)
  }
}

/** Keys that the receiver would refuse in the middle of a slot could neither go on nor back. */
async function checkRoom(receiver: Shard, other: ControlConnection, listed: readonly Listed[]): Promise<void> {
  if (listed.length === 0 || receiver.record?.spec?.evictionPolicy !== 'noeviction') return
  const reply = await other.call(['INFO', 'memory'], { timeoutMs: CONTROL_TIMEOUT_MS })
  const { maxmemory, used_memory } = parseInfo(textOf(reply) ?? '')
  const needed = listed.reduce((sum, { bytes }) => sum + bytes, 0)
  if (Number(maxmemory) === 0 || Number(used_memory) + needed <= Number(maxmemory)) return
  const message = `shard ${receiver.uid} has no room for more keys: it uses ${used_memory} of ${maxmemory} bytes`
  throw new StepFailed('engine', message)
}

async function tell(
  connection: ControlConnection,
  slots: readonly number[],
  state: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const words = slots.map((slot) => ['CLUSTER', 'SETSLOT', String(slot), ...state])
  await Promise.all(connection.send(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal }))
}
