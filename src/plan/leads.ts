/**
 * Who leads each shard of a database, and who takes over when the leader is gone. Pure.
 *
 * What is recorded decides, never what a process believes: one that comes back may still think that it is primary. Until
 * something has been recorded the first process of a shard leads, in term 1.
 */
import type { ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import type { ObservedShard } from './step.ts'

export function leadOf(leads: readonly Lead[], places: readonly ShardPlace[], { group }: ShardPlace): Lead {
  const recorded = leads.find((lead) => lead.group === group)
  const members = places.filter((place) => place.group === group)
  if (recorded && members.some(({ uid }) => uid === recorded.shardUid)) return recorded
  const shardUid = Math.min(...members.map(({ uid }) => uid))
  return { group, shardUid, term: recorded ? recorded.term + 1 : 1 }
}

/** Every lead of the database, in the order of the groups. */
export function leadsOf(leads: readonly Lead[], places: readonly ShardPlace[]): Lead[] {
  const groups = new Map(places.map((place) => [place.group, place]))
  return [...groups.values()].map((place) => leadOf(leads, places, place))
}

/** The replica that could take over from this lead without a loss; undefined: there is none. */
export function successorOf(
  lead: Lead,
  places: readonly ShardPlace[],
  observed: readonly ObservedShard[],
): number | undefined {
  const others = places.filter((place) => place.group === lead.group && place.uid !== lead.shardUid && !place.leaving)
  return others.find(({ uid }) => observed.some((shard) => shard.uid === uid && isInStep(shard, lead)))?.uid
}

/** A replica that has all of its primary's data, and goes on getting it. */
export function isInStep(replica: ObservedShard, { term }: Lead): boolean {
  return replica.state === 'running' && replica.isLinked && replica.completeTerm === term
}

/** So long after the end of a primary a replica may not have told yet that it was in step. */
const HEARSAY_MS = 500

/** So long before the primary ended, the link of a replica that takes over may have been down. */
const STALE_AFTER_MS = 2_000
/** So often the primary failed to come back before a replica takes over that may lack its last writes. */
const PATIENCE = 2

type Weather = {
  /** How often it was tried to bring the primary back. */
  readonly failures: number
  /** It comes back with its data; otherwise it would come back empty, and its replicas would copy that. */
  readonly isPersistent: boolean
  /** Somebody asked it to hand over. */
  readonly isAsked: boolean
}

export type Succession = {
  readonly lead: Lead
  readonly reason: string
  readonly from: number
  /** Why the primary leads no more, and since when, in milliseconds since the epoch; null: since nobody knows when. */
  readonly cause: string
  readonly lostAtMs: number | null
  /** What the primary acknowledged last may be lost: only who hands over has waited for its successor. */
  readonly mayHaveLostWrites: boolean
  /** The successor was being sent every write. */
  readonly wasInStep: boolean
}

/**
 * The lead after this one, when its process is gone and another can take over; undefined while the primary is there, or
 * nobody else has all data.
 */
export function succession(
  lead: Lead,
  places: readonly ShardPlace[],
  observed: readonly ObservedShard[],
  { failures, isPersistent, isAsked }: Weather,
): Succession | undefined {
  const seen = (uid: number) => observed.find((shard) => shard.uid === uid)
  const primary = seen(lead.shardUid)
  const hasYielded = isAsked && primary?.state === 'running' && primary.role === 'replica'
  if (primary && !hasYielded && primary.state !== 'exited' && primary.state !== 'stopped') return undefined
  const isDrill = primary?.diedInDrill === true
  const gone = hasYielded
    ? 'it was asked to hand over'
    : isDrill
      ? 'it was ended for a drill'
      : primary?.lastWords
        ? `it ended with: ${primary.lastWords}`
        : 'its process is gone'
  const replicas = places
    .filter(({ uid, group }) => group === lead.group && uid !== lead.shardUid)
    .sort((one, other) => Number(one.leaving !== undefined) - Number(other.leaving !== undefined))
    .flatMap(({ uid }) => seen(uid) ?? [])
    .filter(({ state, completeTerm }) => state === 'running' && completeTerm === lead.term)
  const next = (uid: number, wasInStep: boolean): Succession => ({
    lead: { ...lead, shardUid: uid, term: lead.term + 1 },
    reason: `shard ${uid} takes over from shard ${lead.shardUid}: ${gone}`,
    from: lead.shardUid,
    cause: gone,
    lostAtMs: hasYielded ? null : (primary?.since ?? null),
    // A drill has waited for the last write too.
    mayHaveLostWrites: !hasYielded && !isDrill,
    wasInStep,
  })
  // A hand-over has waited for the last write.
  const hadAllWrites = hasYielded || (primary?.onlineReplicas ?? 0) > 0
  const inStep = replicas.find(
    ({ isLinked, linkLostAt }) =>
      hadAllWrites && (isLinked || (linkLostAt !== null && (primary?.since ?? 0) - linkLostAt <= STALE_AFTER_MS)),
  )
  if (inStep) return next(inStep.uid, true)
  const [other] = replicas
  return other && (failures >= PATIENCE || !isPersistent) ? next(other.uid, false) : undefined
}

/**
 * The lead after this one when the engines themselves have made another primary: because they were asked to, or because
 * nobody else was there to do it. Of one of several shards only; what they have agreed on is not argued with.
 */
export function elected(
  lead: Lead,
  places: readonly ShardPlace[],
  observed: readonly ObservedShard[],
  { isAsked }: Pick<Weather, 'isAsked'>,
): Succession | undefined {
  const seen = (uid: number) => observed.find((shard) => shard.uid === uid)
  const old = seen(lead.shardUid)
  // While both believe that they lead, they have not talked with each other yet.
  if (old?.state === 'running' && old.role === 'primary') return undefined
  const next = places.find(({ uid, group }) => {
    const shard = seen(uid)
    const leads = shard?.state === 'running' && shard.role === 'primary' && (shard.cluster?.slots.length ?? 0) > 0
    return group === lead.group && uid !== lead.shardUid && leads
  })
  if (!next) return undefined
  const cause = isAsked ? 'it was asked to hand over' : 'the shards have chosen another primary themselves'
  return {
    lead: { ...lead, shardUid: next.uid, term: lead.term + 1 },
    reason: `shard ${next.uid} has taken over from shard ${lead.shardUid}: ${cause}`,
    from: lead.shardUid,
    cause,
    lostAtMs: isAsked ? null : (old?.since ?? null),
    mayHaveLostWrites: !isAsked,
    wasInStep: isAsked,
  }
}

/** A shard that its own kind has made a replica, of somebody who runs: it must not be made primary again. */
export function isDeposed(
  { uid, group }: ShardPlace,
  places: readonly ShardPlace[],
  observed: readonly ObservedShard[],
): boolean {
  const follows = observed.find((shard) => shard.uid === uid)?.cluster?.follows
  if (!follows) return false
  return places.some(
    (place) =>
      place.group === group &&
      place.uid !== uid &&
      observed.some(
        (shard) => shard.uid === place.uid && shard.state === 'running' && shard.cluster?.nodeId === follows,
      ),
  )
}

/**
 * Until when it is worth waiting for a replica to tell that it can take over, in milliseconds since the epoch; undefined:
 * none will. A primary that came back meanwhile would come back with less, or with nothing.
 */
export function hearsayUntil(
  lead: Lead,
  places: readonly ShardPlace[],
  observed: readonly ObservedShard[],
): number | undefined {
  const primary = observed.find(({ uid }) => uid === lead.shardUid)
  if (primary?.state !== 'exited') return undefined
  const isAsked = places.some(
    ({ uid, group }) =>
      group === lead.group &&
      uid !== lead.shardUid &&
      observed.some((shard) => shard.uid === uid && shard.state === 'running' && shard.completeTerm !== lead.term),
  )
  return isAsked ? primary.since + HEARSAY_MS : undefined
}
