/**
 * How many replicas of one node copy all data of their primaries at the same time: as many as `max_slave_full_syncs`
 * allows. Pure. Callers: the planner, which holds back the steps that would begin one more; the reconciler, which counts.
 *
 * What is held back is only the beginning. An engine that has lost its link copies anew by itself, and is counted then.
 */
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { leadOf } from './leads.ts'
import type { ObservedShard, Step } from './step.ts'

export type Copying = { readonly shardUid: number; readonly nodeUid: number }

export type CopyRoom = {
  /** How many may copy on this node. */
  limitOf(nodeUid: number): number
  /** Who copies, of any database, and who has been told to. Asked only where there is a limit. */
  copying(): readonly Copying[]
}

export const UNLIMITED: CopyRoom = { limitOf: () => Number.POSITIVE_INFINITY, copying: () => [] }

/** Who copies of one database. Nobody copies from a primary that is not there, however long they wait for it. */
export function copyingOf(
  { shards }: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): Copying[] {
  const seenOf = (uid: number) => observed.find((shard) => shard.uid === uid)
  return shards.flatMap((place) => {
    const { shardUid } = leadOf(leads, shards, place)
    const seen = seenOf(place.uid)
    const isServed = shardUid !== place.uid && seenOf(shardUid)?.state === 'running'
    return isServed && seen && isCopying(seen) ? [{ shardUid: place.uid, nodeUid: place.nodeUid }] : []
  })
}

function isCopying({ state, role, spec, completeTerm, cluster }: ObservedShard): boolean {
  if (spec?.role.kind !== 'replica' || completeTerm === spec.role.term) return false
  if (state === 'running') return role === 'replica'
  // It begins as soon as it has come up.
  return (state === 'starting' || state === 'loading') && (spec.cluster === null || isFollowing(cluster))
}

/** The shard that would begin to copy; undefined: none. One of several shards follows when it is told to, or as before. */
export function beginsCopy(step: Step, observed: readonly ObservedShard[]): number | undefined {
  if (step.kind === 'follow-shard') return step.shardUid
  if (step.kind !== 'start-shard' || step.spec.role.kind !== 'replica') return undefined
  const { uid, cluster } = step.spec
  const follows = cluster === null || isFollowing(observed.find((shard) => shard.uid === uid)?.cluster)
  return follows ? uid : undefined
}

function isFollowing(cluster: ObservedShard['cluster'] | undefined): boolean {
  return cluster?.follows != null
}

/** The steps for which there is room: the others are to be asked for again when somebody has copied everything. */
export function withinRoom(
  steps: readonly Step[],
  { shards }: Pick<DatabaseDocument, 'shards'>,
  observed: readonly ObservedShard[],
  room: CopyRoom,
): Step[] {
  const nodeOf = (shardUid: number) => shards.find(({ uid }) => uid === shardUid)?.nodeUid ?? 0
  let busy: Map<number, Set<number>> | undefined
  return steps.filter((step) => {
    const uid = beginsCopy(step, observed)
    const limit = uid === undefined ? Number.POSITIVE_INFINITY : room.limitOf(nodeOf(uid))
    if (uid === undefined || limit === Number.POSITIVE_INFINITY) return true
    busy ??= byNode(room.copying())
    const there = busy.get(nodeOf(uid)) ?? new Set()
    if (!there.has(uid) && there.size >= limit) return false
    busy.set(nodeOf(uid), there.add(uid))
    return true
  })
}

function byNode(copying: readonly Copying[]): Map<number, Set<number>> {
  const busy = new Map<number, Set<number>>()
  for (const { shardUid, nodeUid } of copying) busy.set(nodeUid, (busy.get(nodeUid) ?? new Set()).add(shardUid))
  return busy
}
