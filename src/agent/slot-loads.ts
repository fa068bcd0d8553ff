/**
 * What each hash slot of a shard weighs: its keys, and the time that the engine works for it. Only Valkey counts that time,
 * from 8.0 on, and only when it is told to: so it is told for the moment of the look. Callers: the agent.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { countSlots, type SlotRange, slotsOf } from '#model/slots.ts'
import { StepFailed } from '#plan/agent.ts'
import type { SlotLoad, SlotLoads } from '#plan/balance.ts'
import { toEngineReply } from './replies.ts'
import type { Shard } from './shard.ts'
import { countKeys } from './steps/move-keys.ts'
import { asStepFailed } from './trouble.ts'

const SWITCH = 'cluster-slot-stats-enabled'
/** What is counted from the start says little of now, and a slot that moved is counted anew. */
const LOOK_MS = 1_000
/** What the engine tells within a millisecond. */
const SLOTS_TOGETHER = 500
/** How many look at the moment: whoever is through must not end the counting for the others. */
const lookers = new WeakMap<ControlConnection, number>()

type Options = { readonly timeoutMs: number; readonly signal: AbortSignal }

/** Of these slots, which should be its own. Takes a second where time is counted. Rejects with StepFailed. */
export async function slotLoads(
  shard: Pick<Shard, 'uid' | 'connection' | 'observed'>,
  slots: readonly SlotRange[],
  options: Options,
): Promise<SlotLoads> {
  const { connection } = shard
  if (!connection) throw new StepFailed('missing', `shard ${shard.uid} does not run`, shard.observed.lastWords)
  try {
    return (await timed(connection, slots, options)) ?? (await counted(connection, slots, options))
  } catch (error) {
    throw asStepFailed(error, `asking shard ${shard.uid} for its hash slots`, options.signal)
  }
}

/** Null: the engine cannot tell. */
async function timed(connection: ControlConnection, slots: readonly SlotRange[], options: Options) {
  const turn = (to: 'yes' | 'no') => connection.call(['CONFIG', 'SET', SWITCH, to], options)
  const join = (more: 1 | -1) => {
    const count = (lookers.get(connection) ?? 0) + more
    lookers.set(connection, count)
    return count
  }
  join(1)
  let isCounting = false
  try {
    await turn('yes')
    isCounting = true
    const before = await told(connection, slots, options)
    const beganAtMs = performance.now()
    await delay(LOOK_MS, undefined, { signal: options.signal })
    const after = await told(connection, slots, options)
    const tookUs = (performance.now() - beganAtMs) * 1_000
    const busy = (slot: number, us: number) => Math.max(0, us - (before.get(slot)?.us ?? us)) / tookUs
    return new Map([...after].map(([slot, { keys, us }]): [number, SlotLoad] => [slot, { keys, busy: busy(slot, us) }]))
  } catch (error) {
    if (!isCounting && error instanceof EngineError) return null
    throw error
  } finally {
    if (join(-1) === 0 && isCounting) await turn('no')
  }
}

async function told(connection: ControlConnection, slots: readonly SlotRange[], options: Options) {
  const loads = new Map<number, { keys: number; us: number }>()
  for (const { first, last } of slots.flatMap(pieces)) {
    const words = ['CLUSTER', 'SLOT-STATS', 'SLOTSRANGE', String(first), String(last)]
    const reply = toEngineReply(await connection.call(words, options))
    for (const item of Array.isArray(reply) ? reply : []) {
      const [slot, fields] = Array.isArray(item) ? item : []
      // One that is not counted is not told at all.
      const field = (name: string) => {
        const at = Array.isArray(fields) ? fields.indexOf(name) : -1
        return Array.isArray(fields) && at >= 0 ? Number(fields[at + 1]) : 0
      }
      loads.set(Number(slot), { keys: field('key-count'), us: field('cpu-usec') })
    }
  }
  return loads
}

function pieces({ first, last }: SlotRange): SlotRange[] {
  const count = Math.ceil(countSlots([{ first, last }]) / SLOTS_TOGETHER)
  return Array.from({ length: count }, (_, index) => {
    const start = first + index * SLOTS_TOGETHER
    return { first: start, last: Math.min(last, start + SLOTS_TOGETHER - 1) }
  })
}

async function counted(connection: ControlConnection, slots: readonly SlotRange[], { signal }: Options) {
  const own = slotsOf(slots)
  const keys = await countKeys(connection, own, signal)
  return new Map(own.map((slot, index): [number, SlotLoad] => [slot, { keys: keys[index] ?? 0, busy: 0 }]))
}
