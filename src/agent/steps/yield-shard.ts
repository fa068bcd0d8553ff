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
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'
import { bringRole, replicationInfo } from '../role.ts'
import type { Shard } from '../shard.ts'

/** Longer than this applications must not wait for a write; the engine itself ends the pause. */
const PAUSE_MS = 3_000
/** Left for what comes after the waiting. */
const RESERVE_MS = 1_000
/** The engines give up by themselves after this long. */
const FAILOVER_MS = 5_000

export async function yieldShard(
  { shard, options, signal }: StepContext,
  successor: Shard,
  { dies }: { readonly dies: boolean },
): Promise<void> {
  const spec = shard.record?.spec
  const connection = shard.requireConnection()
  const next = successor.requireConnection()
  if (spec?.role.kind !== 'primary') throw new StepFailed('engine', `shard ${shard.uid} is not the primary`)
  const call = (...words: string[]) => connection.call(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  await shard.keepChanged({ specDigest: null })
  if (spec.cluster && !dies) return await failOver(next, signal)
  try {
    await call('CLIENT', 'PAUSE', String(PAUSE_MS), 'WRITE')
    await untilEqual(connection, next, signal)
    if (dies) return kill(shard)
    await call('CONFIG', 'SET', spec.tls ? 'tls-port' : 'port', '0')
  } catch (error) {
    await call('CLIENT', 'UNPAUSE').catch(() => undefined)
    throw error
  }
  const of = { host: spec.listen.host, port: spec.listen.port }
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
 * Of several shards the engines do it themselves, and no more loses a write: the primary holds back its clients until its
 * replica has everything, and the other primaries agree.
 */
async function failOver(successor: ControlConnection, signal: AbortSignal): Promise<void> {
  await successor.call(['CLUSTER', 'FAILOVER'], { timeoutMs: CONTROL_TIMEOUT_MS, signal })
  const deadline = performance.now() + FAILOVER_MS
  while (performance.now() < deadline) {
    if ((await replicationInfo(successor)).role === 'master') return
    await delay(5, undefined, { signal })
  }
  throw new StepFailed('timeout', 'the shards did not agree on the new primary')
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
