/**
 * meet-shards: makes other shards known to this one; through it they come to know each other. Whom it knows already, or
 * is about to know, it is told of without effect.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { ShardAddress } from '#plan/step.ts'
import { lookAtCluster } from '../cluster-view.ts'
import type { StepContext } from '../context.ts'
import { CONTROL_TIMEOUT_MS } from '../live-settings.ts'

export async function meetShards({ shard, signal }: StepContext, others: readonly ShardAddress[]): Promise<void> {
  const connection = shard.requireConnection()
  const words = others.map(({ host, ports }) => ['CLUSTER', 'MEET', host, String(ports.clients), String(ports.bus)])
  await Promise.all(connection.send(words, { timeoutMs: CONTROL_TIMEOUT_MS, signal }))
  const known = () => others.every(({ nodeId }) => shard.observed.cluster?.peers.includes(nodeId))
  // They shake hands ten times a second; the planner asks again if it takes longer.
  for (let looks = 0; looks < LOOKS && !known(); looks++) {
    await delay(LOOK_MS, undefined, { signal })
    await lookAtCluster(shard, connection)
  }
}

const LOOKS = 30
const LOOK_MS = 10
