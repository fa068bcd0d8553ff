/**
 * What several shards still lack to be one cluster: slots that somebody has, knowing each other, replicas that follow,
 * nobody who is gone, and every slot where the document wants it. Pure.
 *
 * The engines' own cluster decides who has a slot; this compares what they say of themselves with what should be, and
 * names the next step. Any of these can be cut off in the middle: what is half done shows in what they say afterwards.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { commonSlots, countSlots, hasSlot, rangesOf, SLOT_COUNT, type SlotRange, withoutSlots } from '#model/slots.ts'
import { leadOf } from './leads.ts'
import type { Need } from './need.ts'
import { INTERNAL_HOST } from './shard-spec.ts'
import type { ClusterView, ObservedShard, ShardAddress, UnheardSlots } from './step.ts'

type Member = {
  readonly place: ShardPlace
  readonly isLead: boolean
  /** Also when it is down; undefined: nobody has ever seen it. */
  readonly nodeId: string | undefined
  /** Undefined: it does not run. */
  readonly view: ClusterView | undefined
}
type Live = Member & { readonly nodeId: string; readonly view: ClusterView }

export function isCluster(database: DatabaseDocument): boolean {
  return database.config.sharding
}

export function clusterNeeds(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): Need[] {
  const members = database.shards.map((place) => memberOf(database, place, leads, observed))
  const live = members.filter(isLive)
  const primaries = live.filter(({ isLead }) => isLead)
  const isWhole = primaries.length === members.filter(({ isLead }) => isLead).length
  const assigned = isWhole ? assignNeeds(primaries, live) : []
  if (assigned.length > 0) return assigned
  const needs = [...meetNeeds(primaries, live), ...followNeeds(members, live), ...forgetNeeds(members, live)]
  if (needs.length > 0 || !isWhole) return needs
  const moves = moveNeeds(primaries)
  return moves.length > 0 ? moves : agreementNeeds(primaries)
}

/**
 * How many of the slots that are to move have moved, of 100; null: nothing is to move, or nobody knows from where. What
 * is being undone is measured by what is where it should be.
 */
export function movedPercent(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): number | null {
  const before = database.previous?.shards ?? []
  const stay = countSlots(
    database.shards
      .filter(({ uid }) => isLeading(uid))
      .flatMap(({ group, slots }) => commonSlots(slots, slotsOfGroup(group))),
  )
  const toMove = SLOT_COUNT - stay
  const isOn = before.some(({ ports }) => ports !== null)
  if (database.previous && (!isOn || toMove === 0)) return null
  const wrong = slotsOutOfPlace(database, leads, observed)
  if (!database.previous && wrong === 0) return null
  return Math.max(0, Math.floor(100 * (1 - wrong / toMove)))

  function isLeading(uid: number): boolean {
    return leads.some(({ shardUid }) => shardUid === uid)
  }
  function slotsOfGroup(group: number): readonly SlotRange[] {
    return before.find((place) => place.group === group)?.slots ?? []
  }
}

/** Every process has come up, and some slots are not where they should be. */
export function isMovingSlots(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): boolean {
  const isThere = ({ uid }: ShardPlace) => observed.some((shard) => shard.uid === uid && shard.cluster !== null)
  return isCluster(database) && database.shards.every(isThere) && slotsOutOfPlace(database, leads, observed) > 0
}

/** Some primary still has slots that others should have. */
export function areSlotsLeaving(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): boolean {
  const primaries = database.shards.map((place) => memberOf(database, place, leads, observed)).filter(isLive)
  return primaries.some(({ place, view, isLead }) => isLead && withoutSlots(view.slots, place.slots).length > 0)
}

/** Slots whose owner is another than should be, or cannot be asked. */
export function slotsOutOfPlace(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): number {
  const primaries = database.shards.map((place) => memberOf(database, place, leads, observed)).filter(isLive)
  const right = primaries.flatMap(({ place, view, isLead }) => (isLead ? commonSlots(view.slots, place.slots) : []))
  return SLOT_COUNT - countSlots(right)
}

/**
 * Slots that were on their way from or to a primary: a successor that does not know of them would say of keys that have
 * moved already that there are none. And those that primaries of other groups have: one that has not heard that its
 * primary gave them away would claim them back, and their new owner would drop their keys.
 */
export function unheardSlots(
  { group }: ShardPlace,
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): UnheardSlots {
  if (!isCluster(database)) return { moving: [], elsewhere: [] }
  const members = database.shards.map((place) => memberOf(database, place, leads, observed))
  const own = new Set(members.filter(({ place }) => place.group === group).map(({ nodeId }) => nodeId))
  const others = members.filter(isLive).filter(({ place, isLead }) => isLead && place.group !== group)
  return {
    elsewhere: others.flatMap(({ view }) => view.slots),
    moving: others.flatMap(({ nodeId, view }) =>
      view.moving
        .filter((one) => own.has(one.nodeId))
        .map(({ slot, kind }) => ({ slot, kind: kind === 'from' ? ('to' as const) : ('from' as const), nodeId })),
    ),
  }
}

function memberOf(
  database: DatabaseDocument,
  place: ShardPlace,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): Member {
  const seen = observed.find(({ uid }) => uid === place.uid)
  const isLead = leadOf(leads, database.shards, place).shardUid === place.uid
  const view = seen?.state === 'running' ? (seen.cluster ?? undefined) : undefined
  return { place, isLead, nodeId: seen?.cluster?.nodeId, view }
}

function isLive(member: Member): member is Live {
  return member.view !== undefined
}

/** Nobody may have a slot in anybody's eyes before it is given to somebody. */
function assignNeeds(primaries: readonly Live[], live: readonly Live[]): Need[] {
  const unowned = live.reduce<readonly SlotRange[]>(
    (left, { view }) => commonSlots(left, view.unowned),
    [{ first: 0, last: SLOT_COUNT - 1 }],
  )
  if (unowned.length === 0) return []
  return primaries.flatMap(({ place }): Need[] => {
    const slots = commonSlots(place.slots, unowned)
    if (slots.length === 0) return []
    const step = { kind: 'assign-slots' as const, shardUid: place.uid, slots }
    return [{ kind: 'step', reason: `giving shard ${place.uid} its hash slots`, step }]
  })
}

/** One of them is told of all, and tells the others. */
function meetNeeds([anchor]: readonly Live[], live: readonly Live[]): Need[] {
  if (!anchor) return []
  const strange = live.filter(({ nodeId }) => !anchor.view.peers.includes(nodeId))
  if (strange.length > 0) {
    const step = { kind: 'meet-shards' as const, shardUid: anchor.place.uid, others: strange.map(addressOf) }
    return [{ kind: 'step', reason: 'making the shards known to each other', step }]
  }
  // Nobody else would tell whoever does not listen to the one who knows them all.
  const deaf = live.filter(({ view }) => !view.peers.includes(anchor.nodeId))
  if (deaf.length > 0)
    return deaf.map(({ place }) => {
      const step = { kind: 'meet-shards' as const, shardUid: place.uid, others: [addressOf(anchor)] }
      return { kind: 'step', reason: `making shard ${place.uid} known to the others`, step }
    })
  return live.every((one) => knowsAll(one, live))
    ? []
    : [{ kind: 'wait', reason: 'waiting for the shards to know each other' }]
}

function knowsAll({ view }: Live, live: readonly Live[]): boolean {
  return live.every(({ nodeId }) => view.peers.includes(nodeId))
}

/** Whether each of those that run has heard of all others. */
export function knowEachOther(
  database: DatabaseDocument,
  leads: readonly Lead[],
  observed: readonly ObservedShard[],
): boolean {
  const live = database.shards.map((place) => memberOf(database, place, leads, observed)).filter(isLive)
  return live.every((one) => knowsAll(one, live))
}

function followNeeds(members: readonly Member[], live: readonly Live[]): Need[] {
  return live
    .filter(({ isLead }) => !isLead)
    .flatMap(({ place, view }): Need[] => {
      const primary = members.find((one) => one.isLead && one.place.group === place.group)?.nodeId
      if (primary === undefined || view.follows === primary) return []
      // Somebody who was primary learns from the others that it is not; nobody who was not met can be followed.
      if (view.slots.length > 0 || !view.peers.includes(primary))
        return [{ kind: 'wait', reason: `waiting for shard ${place.uid} to learn who is primary` }]
      const step = { kind: 'follow-shard' as const, shardUid: place.uid, nodeId: primary }
      return [{ kind: 'step', reason: `making shard ${place.uid} a replica`, step }]
    })
}

/** Whoever is gone for good would be asked for, and told of to clients, for ever. */
function forgetNeeds(members: readonly Member[], live: readonly Live[]): Need[] {
  const known = members.map(({ nodeId }) => nodeId)
  if (known.includes(undefined)) return []
  return live.flatMap(({ place, view }): Need[] => {
    const nodeIds = view.peers.filter((id) => !known.includes(id))
    if (nodeIds.length === 0) return []
    const step = { kind: 'forget-shards' as const, shardUid: place.uid, nodeIds }
    return [{ kind: 'step', reason: `making shard ${place.uid} forget those that are gone`, step }]
  })
}

/** At most one step for each shard that has slots to give: a moment's worth of them. */
function moveNeeds(primaries: readonly Live[]): Need[] {
  return primaries.flatMap((owner): Need[] => {
    const need = closeNeed(owner) ?? finishNeed(owner, primaries) ?? moveNeed(owner, primaries)
    return need ? [need] : []
  })
}

/** It says that slots leave it that it does not have any more, or that slots come that it has already. */
function closeNeed({ place, view }: Live): Need | undefined {
  const stale = view.moving.filter(({ slot, kind }) => hasSlot(view.slots, slot) === (kind === 'from'))
  if (stale.length === 0) return undefined
  const step = { kind: 'close-slots' as const, shardUid: place.uid, slots: rangesOf(stale.map(({ slot }) => slot)) }
  return { kind: 'step', reason: `ending the moves of shard ${place.uid} that are done`, step }
}

/**
 * Slots of which some keys are already at somebody who is not to have them any more: first they all go there, and then on
 * like any other. Brought back key by key, clients would not find those that are still there.
 */
function finishNeed(owner: Live, primaries: readonly Live[]): Need | undefined {
  for (const other of primaries) {
    if (other === owner) continue
    const open = [
      ...owner.view.moving.filter(({ kind, nodeId }) => kind === 'to' && nodeId === other.nodeId),
      ...other.view.moving.filter(({ kind, slot }) => kind === 'from' && hasSlot(owner.view.slots, slot)),
    ]
    const slots = rangesOf(open.map(({ slot }) => slot).filter((slot) => !hasSlot(other.place.slots, slot)))
    if (slots.length > 0) return moveTo(other, owner, slots)
  }
  return undefined
}

function moveNeed(owner: Live, primaries: readonly Live[]): Need | undefined {
  const surplus = withoutSlots(owner.view.slots, owner.place.slots)
  if (surplus.length === 0) return undefined
  for (const other of primaries) {
    const slots = commonSlots(surplus, other.place.slots)
    if (slots.length > 0) return moveTo(other, owner, slots)
  }
  return { kind: 'wait', reason: `waiting for the shards that take over from shard ${owner.place.uid}` }
}

function moveTo(other: Live, owner: Live, wanted: readonly SlotRange[]): Need {
  // Whoever has just given some away may not have heard of it yet.
  const slots = withoutSlots(wanted, other.view.slots)
  if (slots.length === 0)
    return { kind: 'wait', reason: `waiting for shard ${owner.place.uid} to learn what it has given away` }
  // A process takes nothing before it is sure of the others, some two seconds after its start.
  const unready = [owner, other].find(({ view }) => !view.isServing)
  if (unready) return { kind: 'wait', reason: `waiting for shard ${unready.place.uid} to be ready for hash slots` }
  const step = { kind: 'move-slots' as const, shardUid: owner.place.uid, to: addressOf(other), slots }
  const reason = `moving hash slots from shard ${owner.place.uid} to shard ${other.place.uid}, ${countSlots(slots)} left`
  return { kind: 'step', reason, step }
}

function agreementNeeds(primaries: readonly Live[]): Need[] {
  const [first] = primaries
  const agree = primaries.every(({ view }) => view.isServing && view.mapDigest === first?.view.mapDigest)
  return agree ? [] : [{ kind: 'wait', reason: 'waiting for the shards to agree on who has which hash slots' }]
}

function addressOf({ place, nodeId }: Live): ShardAddress {
  return { shardUid: place.uid, nodeId, host: INTERNAL_HOST, ports: place.ports ?? { clients: 0, bus: 0 } }
}
