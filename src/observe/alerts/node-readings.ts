/**
 * What is found out about one node: from its agent, and from what is sampled of it and of its shards.
 */
import type { Reading } from '#model/alerts/evaluate.ts'
import type { Agent, HostReadings, NodeCheck } from '#plan/agent.ts'
import type { State } from '#store/state.ts'
import type { CertificateExpiry } from './cluster-readings.ts'
import type { DelayedFsyncs } from './delayed-fsyncs.ts'
import type { Figures } from './figures.ts'

export type NodeFacts = {
  readonly uid: number
  readonly state: State
  /** Undefined: it cannot be reached. */
  readonly agent: Agent | undefined
  readonly figures: Figures
  readonly expiry: CertificateExpiry
  readonly nowMs: number
  /** Undefined: they have not been looked at yet. */
  readonly checks: readonly NodeCheck[] | undefined
  /** It is brought up to date. */
  readonly fsyncs: DelayedFsyncs
}

export async function nodeReadings(facts: NodeFacts): Promise<Map<string, Reading>> {
  const { uid, agent, figures, checks, expiry, state, nowMs } = facts
  const readings = new Map<string, Reading>([['node_failed', { value: !agent }]])
  if (!agent) return readings
  const host = await agent.readings().catch(() => undefined)
  if (host) {
    readings.set('node_persistent_storage', storage(host.persistentStorageBytes, host.persistentStorageFreeBytes))
    readings.set('node_ephemeral_storage', storage(host.ephemeralStorageBytes, host.ephemeralStorageFreeBytes))
    readings.set('node_memory', { value: share(agent.host.totalMemoryBytes, host.freeMemoryBytes) })
    readings.set('node_insufficient_disk_aofrw', roomToRewrite(agent, host, figures))
  }
  const sampled = figures.node(uid)
  if (sampled) {
    readings.set('node_cpu_utilization', { value: sampled.cpuPercent })
    readings.set('node_net_throughput', { value: sampled.networkBytesPerSecond })
  }
  if (checks) readings.set('node_checks_error', checked(checks))
  readings.set('node_aof_slow_disk_io', { value: delayed(facts, agent) })
  const first = expiry.first(state, nowMs, ({ isOwn }) => isOwn)
  readings.set('node_internal_certs_about_to_expire', first ?? { value: false })
  return readings
}

function storage(totalBytes: number, freeBytes: number): Reading {
  return { value: share(totalBytes, freeBytes) }
}

/** The percentage that is in use. */
function share(totalBytes: number, freeBytes: number): number {
  return totalBytes === 0 ? 0 : (100 * (totalBytes - freeBytes)) / totalBytes
}

function checked(checks: readonly NodeCheck[]): Reading {
  const failed = checks.find(({ problem }) => problem !== null)
  return failed ? { value: true, facts: { check: failed.name, error: failed.problem ?? '' } } : { value: false }
}

/** A log that is written anew is about as large as the data, and lies beside the old one until it is whole. */
function roomToRewrite(agent: Agent, host: HostReadings, figures: Figures): Reading {
  let needed = 0
  for (const { uid, spec } of agent.observed().values()) {
    if (spec?.persistence.kind !== 'aof') continue
    needed += figures.shard(uid)?.usedMemoryBytes ?? 0
  }
  const free = host.persistentStorageFreeBytes
  // Without such a log nothing is missing, however full the disk is.
  const missing = needed === 0 ? -free : needed - free
  return { value: missing, facts: { needed, free, disk: host.persistentStorageBytes } }
}

function delayed({ figures, fsyncs, nowMs }: NodeFacts, agent: Agent): number {
  const uids = [...agent.observed().keys()]
  return fsyncs.take(new Map(uids.map((uid) => [uid, figures.shard(uid)?.delayedFsyncs])), nowMs)
}
