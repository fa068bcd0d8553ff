/**
 * When processes that the document does not name (any more) may go. Pure.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { isCluster } from './cluster.ts'
import { SLOTLESS_MS } from './limits.ts'
import { seenOf } from './shard-need.ts'
import type { ObservedShard, Step } from './step.ts'

type Around = {
  readonly strays: readonly ObservedShard[]
  readonly leads: readonly Lead[]
  readonly observed: readonly ObservedShard[]
  /** The steps that the database itself lacks. */
  readonly lacking: readonly Step[]
  readonly nowMs: number
}

/** Those who may go now; `untilMs`: until then, in milliseconds since the epoch, they stay for the sake of clients. */
export function removableStrays(
  database: DatabaseDocument,
  { strays, leads, observed, lacking, nowMs }: Around,
): { readonly now: readonly ObservedShard[]; readonly untilMs: number } {
  const untilMs = redirectsUntil(database, strays, nowMs)
  // Nobody goes as long as the proxy may still send them something, or somebody who leads is on the way back: until then
  // nobody knows who has all data.
  const isRouted = isCluster(database) && lacking.some(({ kind }) => kind === 'open-endpoint')
  const areBack = leads.every((lead) => isBack(lead, observed, lacking))
  return { now: isRouted || !areBack || untilMs > nowMs ? [] : strays, untilMs }
}

/** Until when shards that are to go redirect cluster clients, in milliseconds since the epoch; the past: they need not. */
function redirectsUntil({ config }: DatabaseDocument, strays: readonly ObservedShard[], nowMs: number): number {
  if (!config.oss_cluster) return 0
  // By a clock that was put back it would be for ever.
  const given = strays.flatMap(({ state, withoutSlotsSince: since }) =>
    state === 'running' && since !== null && since <= nowMs ? since + SLOTLESS_MS : [],
  )
  return Math.max(0, ...given)
}

function isBack({ shardUid }: Lead, observed: readonly ObservedShard[], lacking: readonly Step[]): boolean {
  const isToStart = lacking.some(
    (step) => (step.kind === 'restart-shard' || step.kind === 'start-shard') && step.spec.uid === shardUid,
  )
  return seenOf(observed, shardUid)?.state === 'running' && !isToStart
}
