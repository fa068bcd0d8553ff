/**
 * What to do next about one database: `planDatabase` compares the document with what the agents see and answers with
 * one of a few things, always with a sentence that people can read. Creating, changing, deleting, repairing a crash and
 * coming back after a power cut are this one path; what differs is only where it starts from.
 *
 * Pure: the clock and the history of failed attempts come in. The reconciler asks it again after every step, so a plan
 * holds only the steps that can be taken now, and a crash between any two of them is repaired by asking again.
 */
import type { ActionDocument } from '#model/documents/action.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead, StatusDocument } from '#model/documents/status.ts'
import {
  areSlotsLeaving,
  clusterNeeds,
  isCluster,
  isMovingSlots,
  knowEachOther,
  movedPercent,
  slotsOutOfPlace,
  unheardSlots,
} from './cluster.ts'
import { type CopyRoom, withinRoom } from './copies.ts'
import { endpointNeed, endpointSpec, whileMoving } from './endpoint.ts'
import { elected, hearsayUntil, isDeposed, leadOf, leadsOf, type Succession, succession, successorOf } from './leads.ts'
import { CHANGE_ATTEMPTS, CREATE_ATTEMPTS, FIRST_RETRY_MS, MOVE_ATTEMPTS, SLOWEST_RETRY_MS } from './limits.ts'
import type { Need } from './need.ts'
import { canGoBack, hasMoved, leadsToMove, replacingNeeds, withoutReplaced, withReplaced } from './replacing.ts'
import { servingOf } from './serving.ts'
import { replicaNeed, seenOf, shardNeed, unreadable } from './shard-need.ts'
import { type Surroundings, shardSpec } from './shard-spec.ts'
import type { ObservedEndpoint, ObservedShard, ShardSpec, Step } from './step.ts'
import { removableStrays } from './strays.ts'

/** How often the same step has failed since something last went well, and what failed last. */
export type Attempts = { readonly failures: number; readonly lastError: string; readonly lastFailedAtMs: number }

export const NO_ATTEMPTS: Attempts = { failures: 0, lastError: '', lastFailedAtMs: 0 }

export type Situation = {
  /** Undefined: there is no such database (any more). */
  readonly database: DatabaseDocument | undefined
  readonly status: StatusDocument | undefined
  /** The action that the document names, if it still exists. */
  readonly action: ActionDocument | undefined
  /** Everything that the agents see of this database, also what the document does not know. */
  readonly observed: readonly ObservedShard[]
  /** What the proxy serves of it; undefined: nothing. */
  readonly endpoint: ObservedEndpoint | undefined
  readonly attempts: Attempts
  readonly around: Surroundings
  readonly room: CopyRoom
  readonly nowMs: number
}

export type Plan =
  /** Carry these out; they concern different shards and may go in parallel. */
  | { readonly kind: 'act'; readonly reason: string; readonly steps: readonly Step[]; readonly progressPercent: number }
  /** A primary is gone: write down who leads instead, before anybody acts on it. */
  | { readonly kind: 'pass-lead'; readonly reason: string; readonly succession: Succession }
  /** Nothing can be done before something else happens; ask again at `untilMs` at the latest. */
  | {
      readonly kind: 'wait'
      readonly reason: string
      readonly untilMs: number
      readonly progressPercent: number
      /** Applications lack nothing meanwhile, or for a moment only: not worth a status. */
      readonly isHarmless: boolean
      /** Until fewer replicas copy, of whatever database. */
      readonly isForRoom?: true
    }
  /** There is nothing left to do: write down that it is so, and end the action. */
  | { readonly kind: 'settle'; readonly phase: 'converged' | 'creation-failed'; readonly reason: string }
  /** The database never came up: take down what there is, keep the document until it is deleted. */
  | { readonly kind: 'give-up-creating'; readonly reason: string }
  /** The change cannot be made: go back to the document's `previous`. */
  | { readonly kind: 'undo-change'; readonly reason: string }
  /** The data may be removed from here on: write that down before doing it. */
  | { readonly kind: 'begin-purge'; readonly reason: string }
  /** No process and no folder is left: the documents can go too. */
  | { readonly kind: 'forget'; readonly reason: string }
  | { readonly kind: 'nothing'; readonly reason: string }

export function planDatabase(situation: Situation): Plan {
  const plan = planIgnoringFailures(situation)
  const possible = plan.kind === 'act' ? roomed(plan, situation) : plan
  return possible.kind === 'act' ? paced(possible, situation) : possible
}

/** Without the steps that would make too many replicas copy at a time. */
function roomed(plan: Plan & { kind: 'act' }, { database, observed, room, nowMs }: Situation): Plan {
  const steps = database ? withinRoom(plan.steps, database, observed, room) : plan.steps
  if (steps.length > 0) return { ...plan, steps }
  const reason = 'waiting until fewer replicas copy all data: max_slave_full_syncs'
  const { progressPercent } = plan
  const untilMs = nowMs + SLOWEST_RETRY_MS
  return { kind: 'wait', reason, untilMs, progressPercent, isHarmless: true, isForRoom: true }
}

/** What failed is tried again, at once and then ever more slowly: nothing may spin. */
function paced(plan: Plan & { kind: 'act' }, { attempts, nowMs }: Situation): Plan {
  if (attempts.failures === 0) return plan
  const untilMs = attempts.lastFailedAtMs + retryDelayMs(attempts.failures)
  if (untilMs <= nowMs) return plan
  const { progressPercent } = plan
  const isHarmless = plan.steps.every((step) => 'spec' in step && step.spec.role.kind === 'replica')
  const reason = `trying again soon, after: ${attempts.lastError}`
  return { kind: 'wait', reason, untilMs, progressPercent, isHarmless }
}

export function retryDelayMs(failures: number): number {
  if (failures <= 1) return 0
  return Math.min(SLOWEST_RETRY_MS, FIRST_RETRY_MS * 2 ** Math.min(failures - 2, 20))
}

function planIgnoringFailures(situation: Situation): Plan {
  const { database, status } = situation
  if (!database) {
    // Left over from a create or a delete that was cut in two.
    const reason = 'there is no such database, and nothing is left of it'
    return (
      removeAll(situation, 'removing what is left of a database that does not exist') ?? { kind: 'nothing', reason }
    )
  }
  if (database.deletion) return planDeletion(situation, database.deletion)
  if (status?.phase === 'creation-failed') {
    const removal = removeAll(situation, 'it could not be created; removing what there is of it')
    return removal ?? settled(database, status, 'creation-failed', status.reason)
  }
  const plan = planToConverge(situation, database)
  // What has come true in the meantime is never given up, however late it is.
  if (plan.kind === 'settle' || plan.kind === 'nothing' || plan.kind === 'pass-lead') return plan
  return reasonToGiveUp(situation, database, plan) ?? plan
}

/**
 * Stop first, remove afterwards: until the purge is written down a delete can be cancelled, and costs no more than what
 * the persistence does not promise. Nothing is saved for it: that would need room and time for data that is to go.
 */
function planDeletion(situation: Situation, deletion: { purging: boolean }): Plan {
  if (deletion.purging)
    return removeAll(situation, 'removing its data') ?? { kind: 'forget', reason: 'no process and no data is left' }
  const { observed, endpoint } = situation
  if (endpoint) return { kind: 'act', reason: 'closing its endpoint', steps: [closing(endpoint)], progressPercent: 10 }
  const alive = observed.filter((shard) => shard.state !== 'stopped' && shard.state !== 'exited')
  if (alive.length === 0) return { kind: 'begin-purge', reason: 'every process has stopped; its data goes next' }
  const steps = alive.map((shard): Step => ({ kind: 'stop-shard', shardUid: shard.uid, save: false }))
  return { kind: 'act', reason: 'stopping its processes', steps, progressPercent: 25 }
}

/** A database that never came up, or a change, is given up when it fails too often or takes too long. */
function reasonToGiveUp(situation: Situation, database: DatabaseDocument, plan: Plan): Plan | undefined {
  const { action, attempts, status, observed, nowMs } = situation
  const isNew = (status?.generation ?? 0) === 0
  if (!isNew && !canGoBack(database, status?.leads ?? [])) return undefined
  const kind = isNew ? 'give-up-creating' : 'undo-change'
  const leads = leadsOf(status?.leads ?? [], database.shards)
  const changeAttempts = isMovingSlots(database, leads, observed) ? MOVE_ATTEMPTS : CHANGE_ATTEMPTS
  if (attempts.failures >= (isNew ? CREATE_ATTEMPTS : changeAttempts)) return { kind, reason: attempts.lastError }
  // A control plane that was away for long has not tried yet.
  const hasTried = plan.kind === 'wait' || attempts.failures > 0
  if (action && nowMs > action.deadlineMs && hasTried) {
    return { kind, reason: `it took longer than it may; what it waited for last: ${action.description}` }
  }
  return undefined
}

function planToConverge(situation: Situation, database: DatabaseDocument): Plan {
  const { observed, action, status, endpoint, nowMs } = situation
  const leads = leadsOf(status?.leads ?? [], database.shards)
  const passing = leads.map((lead) => planLead(situation, database, lead)).find((plan) => plan !== undefined)
  if (passing) return passing
  const yielding = handOverSteps(situation, database, leads)
  if (yielding) return yielding
  // Until it has let go of the port, nobody else can have it.
  if (endpoint && servingOf(database.config) === 'primary')
    return { kind: 'act', reason: 'closing the endpoint', steps: [closing(endpoint)], progressPercent: 0 }
  const current = withoutReplaced(database, leads, observed)
  const needs = [
    ...processNeeds(situation, current, leads),
    ...togetherNeeds(situation, current, leads),
    ...replacingNeeds(database, leads),
  ]
  const places = new Set(current.shards.map((place) => place.uid))
  const lacking = needs.flatMap((need) => (need.kind === 'step' ? need.step : []))
  const strays = observed.filter((shard) => !places.has(shard.uid))
  const going = removableStrays(database, { strays, leads, observed, lacking, nowMs })
  const steps = [...lacking, ...going.now.map(removal)]
  const progressPercent = progressOf(situation, current, leads, needs)

  if (steps.length > 0) {
    const reasons = needs.flatMap((need) => (need.kind === 'step' ? need.reason : []))
    const reason = reasons[0] ?? 'removing shards that the database no longer has'
    return {
      kind: 'act',
      reason: reasons.length > 1 ? `${reason}, and ${reasons.length - 1} more` : reason,
      steps,
      progressPercent,
    }
  }
  const wait = needs.find((need) => need.kind === 'wait')
  if (wait) {
    const untilMs = Math.min(action?.deadlineMs ?? Number.POSITIVE_INFINITY, nowMs + SLOWEST_RETRY_MS)
    return { kind: 'wait', reason: wait.reason, untilMs, progressPercent, isHarmless: false }
  }
  if (going.untilMs > nowMs) {
    const reason = 'waiting for cluster clients to hear where the hash slots are now'
    return { kind: 'wait', reason, untilMs: going.untilMs, progressPercent, isHarmless: true }
  }
  return settled(database, status, 'converged', '')
}

/** Undefined: whoever leads these slots is to go on leading. */
function planLead(situation: Situation, database: DatabaseDocument, lead: Lead): Plan | undefined {
  const { observed, attempts, nowMs } = situation
  const isAsked = mayYield(database, lead)
  const isPersistent = database.config.data_persistence !== 'disabled'
  const weather = { failures: attempts.failures, isPersistent, isAsked }
  const next =
    (isCluster(database) ? elected(lead, database.shards, observed, { isAsked }) : undefined) ??
    succession(lead, database.shards, observed, weather)
  if (next) return { kind: 'pass-lead', reason: next.reason, succession: next }
  const places = withReplaced(database)
  // Whoever was asked to end has saved everything, and comes back with it.
  const isLost = seenOf(observed, lead.shardUid)?.state === 'exited'
  const before = isLost ? succession(lead, places, observed, weather) : undefined
  if (before) return { kind: 'undo-change', reason: before.reason }
  const untilMs = hearsayUntil(lead, places, observed)
  if (untilMs === undefined || untilMs <= nowMs) return undefined
  const reason = 'waiting for a replica to tell whether it can take over'
  return { kind: 'wait', reason, untilMs, progressPercent: 0, isHarmless: true }
}

/** Somebody asked it to hand over, or it is being replaced. */
function mayYield({ handOver, shards }: DatabaseDocument, { shardUid }: Lead): boolean {
  return handOver.includes(shardUid) || shards.some(({ uid, leaving }) => uid === shardUid && leaving !== undefined)
}

/** What each process lacks by itself. */
function processNeeds(
  { observed, around, attempts }: Situation,
  database: DatabaseDocument,
  leads: readonly Lead[],
): Need[] {
  const concerned = database.shards.filter((place) => !(place.leaving && hasMoved(database, leads, place.group)))
  const isMoving = isCluster(database) && slotsOutOfPlace(database, leads, observed) > 0
  // As long as a shard has more than its share, a limit made for that would cost keys.
  const whileMoving = (spec: ShardSpec, seen: ObservedShard | undefined) =>
    isMoving && seen?.spec ? { ...spec, memoryLimitBytes: largerLimit(spec, seen.spec) } : spec
  return concerned.map((place) => {
    const lead = leadOf(leads, database.shards, place)
    const primary = seenOf(observed, lead.shardUid)
    const seen = seenOf(observed, place.uid)
    const spec = whileMoving(shardSpec(database, place, around, lead), seen)
    const need = shardNeed(spec, seen, () => ({
      isDeposed: isCluster(database) && isDeposed(place, database.shards, observed),
      ...unheardSlots(place, database, leads, observed),
    }))
    if (isToStartEmpty(database, need, seen)) return withoutData(need, 'without its data, as it was asked for')
    return spec.role.kind === 'primary'
      ? need
      : replicaNeed(unreadable(need, seen, primary, attempts.failures), spec, seen, primary, database)
  })
}

/** Once: afterwards it remembers the flush. */
function isToStartEmpty({ startEmpty }: DatabaseDocument, need: Need, seen: ObservedShard | undefined): boolean {
  if (need.kind !== 'step' || need.step.kind !== 'start-shard' || !startEmpty) return false
  return startEmpty.shardUids.includes(need.step.spec.uid) && (seen?.flushes ?? 0) < startEmpty.flush
}

function withoutData(need: Need, why: string): Need {
  if (need.kind !== 'step' || need.step.kind !== 'start-shard') return need
  return { ...need, reason: `${need.reason}; ${why}`, step: { ...need.step, discardsData: true } }
}

/** 0: no limit. */
function largerLimit(one: ShardSpec, other: ShardSpec): number {
  const limits = [one.memoryLimitBytes, other.memoryLimitBytes]
  return limits.includes(0) ? 0 : Math.max(...limits)
}

/** What its processes lack together: to be a cluster, and before that, or before the one there is, the proxy. */
function togetherNeeds(
  { observed, around, endpoint, status }: Situation,
  database: DatabaseDocument,
  leads: readonly Lead[],
): Need[] {
  if (servingOf(database.config) === 'primary') return []
  const needs = isCluster(database) ? clusterNeeds(database, leads, observed) : []
  const isNew = (status?.generation ?? 0) === 0
  const isFormed = needs.length === 0 && leads.every(({ shardUid }) => seenOf(observed, shardUid)?.state === 'running')
  if (isNew && !isFormed) return [...needs, { kind: 'wait', reason: 'waiting for its shards to become a cluster' }]
  if (database.isTrafficStopped) return endpoint ? [...needs, closingNeed(endpoint)] : needs
  const holder = observed.find(({ spec, state }) => state === 'running' && spec?.listen.port === database.endpointPort)
  if (holder)
    return [...needs, { kind: 'wait', reason: `waiting for shard ${holder.uid} to leave the endpoint’s port` }]
  const isLeaving = isCluster(database) && areSlotsLeaving(database, leads, observed)
  const spec = whileMoving(endpointSpec(database, around, leads), endpoint, isLeaving, needs.length === 0)
  return [...needs, endpointNeed(spec, endpoint)]
}

function progressOf(
  { observed }: Situation,
  database: DatabaseDocument,
  leads: readonly Lead[],
  needs: readonly Need[],
): number {
  const moved = isCluster(database) ? movedPercent(database, leads, observed) : null
  // What is left to do after the last slot takes a moment.
  if (moved !== null) return Math.min(moved, 99)
  const done = needs.filter((need) => need.kind === 'none').length
  return Math.round((100 * done) / Math.max(1, needs.length))
}

/** Undefined: nobody has to hand over, or those who have done it are dealt with like any other. */
function handOverSteps(
  { observed, action, nowMs }: Situation,
  database: DatabaseDocument,
  leads: readonly Lead[],
): Plan | undefined {
  // Who leads newly and is not known yet would be asked for slots by nobody.
  const isReady = !isCluster(database) || knowEachOther(database, leads, observed)
  const moving = isReady ? leadsToMove(database, leads, observed) : []
  const asked = leads.filter((lead) => {
    const seen = seenOf(observed, lead.shardUid)
    const isAsked = database.handOver.includes(lead.shardUid) || moving.includes(lead)
    return isAsked && seen?.state === 'running' && seen.role === 'primary'
  })
  if (asked.length === 0) return undefined
  const dies = database.drillTargetMs !== undefined
  const steps = asked.flatMap((lead): Step[] => {
    const { shardUid } = lead
    const successorUid = successorOf(lead, database.shards, observed)
    const place = database.shards.find(({ uid }) => uid === successorUid)
    if (successorUid === undefined || !place) return []
    const unheard = unheardSlots(place, database, leads, observed)
    return [{ kind: 'yield-shard', shardUid, successorUid, dies, ...unheard }]
  })
  if (steps.length > 0)
    return { kind: 'act', reason: 'primaries hand over to their replicas', steps, progressPercent: 30 }
  const untilMs = Math.min(action?.deadlineMs ?? Number.POSITIVE_INFINITY, nowMs + SLOWEST_RETRY_MS)
  return {
    kind: 'wait',
    reason: 'waiting for a replica that is in step',
    untilMs,
    progressPercent: 0,
    isHarmless: false,
  }
}

function settled(
  database: DatabaseDocument,
  status: StatusDocument | undefined,
  phase: 'converged' | 'creation-failed',
  reason: string,
): Plan {
  const written = status?.phase === phase && (phase === 'creation-failed' || status.generation === database.generation)
  if (written && !database.actionUid && !database.previous)
    return { kind: 'nothing', reason: reason || 'all is as it should be' }
  return { kind: 'settle', phase, reason }
}

/** Undefined: nothing is left. */
function removeAll({ observed, endpoint }: Situation, reason: string): Plan | undefined {
  const steps = [...(endpoint ? [closing(endpoint)] : []), ...observed.map(removal)]
  return steps.length === 0 ? undefined : { kind: 'act', reason, steps, progressPercent: 75 }
}

function closingNeed(endpoint: ObservedEndpoint): Need {
  return { kind: 'step', reason: 'closing the endpoint', step: closing(endpoint) }
}

function closing({ databaseUid }: ObservedEndpoint): Step {
  return { kind: 'close-endpoint', databaseUid }
}

function removal(shard: ObservedShard): Step {
  return { kind: 'remove-shard', shardUid: shard.uid }
}
