/**
 * yield-shard: a primary hands over without losing a write that it answered. It pauses writes, waits until its successor
 * has read everything, closes the endpoint's port, follows, and sends its clients away: they find the successor at the
 * same port a moment later. Whatever goes wrong before it follows, it goes on as the primary. In a drill it is killed instead,
 * once its successor has everything.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ControlConnection } from '#engine/control-connection.ts'
import { isAlive } from '#engine/process.ts'
import { StepFailed } from '#plan/agent.ts'
import type { UnheardSlots } from '#plan/step.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import { bringRole, replicationInfo } from '../role.ts'
import type { Shard } from '../shard.ts'
import { takeSlotsOver } from './promote-shard.ts'

/** Longer than this applications must not wait for a write; the engine itself ends the pause. */
const PAUSE_MS = 3_000
/** Left for what comes after the waiting. */
const RESERVE_MS = 1_000
/** The shards tell each other within milliseconds who has taken over. */
const HEARSAY_MS = 5_000

export async function yieldShard(
  { shard, options, signal }: StepContext,
  successor: Shard,
  { dies, ...unheard }: UnheardSlots & { readonly dies: boolean },
): Promise<void> {
  const spec = shard.record?.spec
  const connection = shard.requireConnection()
  const next = successor.requireConnection()
  if (spec?.role.kind !== 'primary') throw new StepFailed('engine', `shard ${shard.uid} is not the primary`)
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  await shard.keepChanged({ specDigest: null })
  if (spec.cluster && !dies) return await handSlotsOver(shard, successor, unheard, signal)
  try {
    await call('CLIENT', 'PAUSE', String(PAUSE_MS), 'WRITE')
    await untilEqual(connection, next, signal)
    if (dies) return kill(shard)
    await call('CONFIG', 'SET', 'port', '0', ...(spec.tls ? ['tls-port', '0'] : []))
  } catch (error) {
    await call('CLIENT', 'UNPAUSE').catch(() => undefined)
    throw error
  }
  const of = { host: spec.listen.host, port: spec.tls?.port ?? spec.listen.port }
  const follower = { ...spec, role: { kind: 'replica' as const, term: spec.role.term, of } }
  await bringRole({ shard, connection, controlSecret: options.controlSecret }, follower)
  await call('CLIENT', 'KILL', 'TYPE', 'replica')
  await call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
  await call('CLIENT', 'KILL', 'TYPE', 'pubsub')
  await call('CLIENT', 'UNPAUSE')
}

/** In the middle of its life, as a crash would. */
function kill(shard: Shard): void {
  if (!shard.process || !isAlive(shard.process)) throw new StepFailed('missing', `shard ${shard.uid} does not run`)
  shard.drilling = true
  process.kill(shard.process.pid, 'SIGKILL')
}

/**
 * Of several shards: the successor takes the slots over without asking the others for their votes. They would refuse while
 * they do not know yet who follows whom, and then for a minute. What is recorded decides who leads, and writes are held
 * back until the old primary has heard of it, so that no vote is needed for what votes are for.
 */
async function handSlotsOver(
  shard: Shard,
  successor: Shard,
  unheard: UnheardSlots,
  signal: AbortSignal,
): Promise<void> {
  const connection = shard.requireConnection()
  const next = successor.requireConnection()
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  const isFollowing = async () => (await replicationInfo(next)).role === 'slave'
  if (await isFollowing()) {
    const pause = () => call('CLIENT', 'PAUSE', String(PAUSE_MS + HEARSAY_MS), 'WRITE')
    try {
      await renewed(pause, PAUSE_MS, async () => {
        await untilEqual(connection, next, signal)
        await takeSlotsOver(next, unheard)
        await untilItFollows(shard, connection, signal)
      })
    } catch (error) {
      // One that does not say what it is may have taken over: then the pause ends by itself.
      if (await isFollowing().catch(() => false)) await call('CLIENT', 'UNPAUSE').catch(() => undefined)
      throw error
    }
    await call('CLIENT', 'UNPAUSE')
  }
  // What is seen must not lag behind: the planner would ask for it once more.
  await Promise.all([lookAtCluster(shard, connection), lookAtCluster(successor, next)])
}

/** However long the successor takes to answer: a write that the old primary took meanwhile would be lost. */
async function renewed(pause: () => Promise<unknown>, everyMs: number, work: () => Promise<void>): Promise<void> {
  await pause()
  const renewal = setInterval(() => void pause().catch(() => undefined), everyMs)
  try {
    await work()
  } finally {
    clearInterval(renewal)
  }
}

async function untilItFollows({ uid }: Shard, connection: ControlConnection, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + HEARSAY_MS
  while (performance.now() < deadline) {
    if ((await replicationInfo(connection)).role === 'slave') return
    await delay(1, undefined, { signal })
  }
  throw new StepFailed('timeout', `shard ${uid} does not hear that another has taken over from it`)
}

/** Rejects with StepFailed when the successor does not get there in time. */
async function untilEqual(primary: ControlConnection, replica: ControlConnection, signal: AbortSignal): Promise<void> {
  const { master_repl_offset: wanted } = await replicationInfo(primary)
  const deadline = performance.now() + PAUSE_MS - RESERVE_MS
  for (;;) {
    const { slave_repl_offset: reached, master_link_status: link } = await replicationInfo(replica)
    if (link === 'up' && reached === wanted) return
    if (performance.now() > deadline) break
    await delay(1, undefined, { signal })
  }
  throw new StepFailed('timeout', 'the replica does not catch up with its primary while writes are paused')
}
