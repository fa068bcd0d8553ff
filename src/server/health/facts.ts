/**
 * The facts about one database that its health is told from: what it is to be, what is measured, and what its processes
 * answer at this moment.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import { connectionLimit } from '#plan/shard-spec.ts'
import { type Probed, probeDatabase } from '../databases/availability.ts'
import { passwordsOf } from '../databases/passwords.ts'
import type { Parts } from '../parts.ts'
import type { DatabaseFacts } from './advice.ts'

/** As for availability that looks at replicas too. */
const TOLERANCE_MS = 1_000
const LOOPBACK = /^(127\.|::1$|localhost$)/

export type Examined = { readonly probed: Probed; readonly facts: DatabaseFacts }

export async function examine(parts: Parts, database: DatabaseDocument): Promise<Examined> {
  const { state, statistics, around } = parts
  const { uid, config } = database
  const probed = await probeDatabase(parts, database, TOLERANCE_MS)
  const sample = statistics.latest({ kind: 'database', uid })
  const status = state.statuses.get(uid)?.value
  const facts: DatabaseFacts = {
    isReachable: probed.reachable,
    isBound: probed.bound,
    isTrafficStopped: database.isTrafficStopped === true,
    replicasKeepUp: probed.inStep,
    waitingFor: status?.phase === 'converged' ? '' : (status?.reason ?? ''),
    isReplicated: config.replication,
    isPersistent: config.data_persistence !== 'disabled',
    evicts:
      config.eviction_policy.startsWith('allkeys') ||
      (config.eviction_policy.startsWith('volatile') && (sample?.named('no_of_expires') ?? 0) > 0),
    isOpenToOthers: config.default_user && passwordsOf(database).length === 0 && !LOOPBACK.test(around.listenHost),
    memoryLimitBytes: config.memory_size,
    usedMemoryBytes: sample?.named('used_memory'),
    residentBytes: sample?.named('used_memory_rss'),
    hitsPerSecond: sample?.named('read_hits'),
    missesPerSecond: sample?.named('read_misses'),
    evictionsPerSecond: sample?.named('evicted_objects'),
    connections: sample?.named('conns'),
    connectionLimit: connectionLimit(config),
  }
  return { probed, facts }
}
