/**
 * How often an engine looks after itself. Ten times a second, as engines do; once a second while no application is
 * connected, because a thousand idle engines would otherwise take a whole core for nothing. Callers: the local agent, each
 * time that an engine was read; the steps that wait for an engine's own clock hurry it.
 *
 * What an engine does late at the slow pace (a timeout, an expiry, the end of a child) needs somebody who waits for it.
 */
import { infoNumber, type ShardReading } from '#model/statistics/readings.ts'
import type { Pace, Shard } from './shard.ts'

const TIMEOUT_MS = 5_000
const PACES: Readonly<Record<Pace, string>> = { fast: '10', slow: '1' }

/** `patienceMs`: so long nobody was connected before an engine is slowed. An engine that cannot be told keeps its pace. */
export function keepPace(shard: Shard, reading: ShardReading, patienceMs: number): void {
  const now = performance.now()
  const isUsed = othersOf(reading) > 0
  shard.idleSince = isUsed ? null : (shard.idleSince ?? now)
  const isIdle = shard.idleSince !== null && now - shard.idleSince >= patienceMs
  const wanted = isUsed ? 'fast' : isIdle ? 'slow' : null
  if (wanted !== null && shard.pace !== wanted) bring(shard, wanted).catch(() => undefined)
}

/** Who is connected but us: clients, and replicas. To a replica its primary is a client. */
function othersOf(reading: ShardReading): number {
  const primaries = infoNumber(reading, 'master_link_up') === 1 ? 1 : 0
  const replicas = infoNumber(reading, 'connected_slaves') || 0
  return infoNumber(reading, 'connected_clients') - reading.own.clients - primaries + replicas
}

/** For who waits for something that the engine does by its clock. */
export async function hurry(shard: Shard): Promise<void> {
  shard.idleSince = null
  if (shard.pace !== 'fast') await bring(shard, 'fast')
}

async function bring(shard: Shard, pace: Pace): Promise<void> {
  const { connection } = shard
  if (!connection) return
  await connection.call(['CONFIG', 'SET', 'hz', PACES[pace]], { timeoutMs: TIMEOUT_MS })
  if (shard.connection === connection) shard.pace = pace
}
