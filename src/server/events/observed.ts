/**
 * Events that nobody asked for: what becomes of databases and their processes, and of users who guess too often. Read off
 * the state and the agents, which tell of it anyway, so that neither the reconciler nor the login guard know of events.
 */
import type { LoginDocument } from '#model/documents/access.ts'
import type { FailoverReceipt } from '#model/documents/action.ts'
import type { StatusDocument } from '#model/documents/status.ts'
import { harmless, type NewEvent } from '#model/event.ts'
import type { Agent } from '#plan/agent.ts'
import type { ObservedShard, ShardState } from '#plan/step.ts'
import type { State } from '#store/state.ts'
import { databaseFacts } from './answered.ts'
import type { EventLog } from './event-log.ts'

/** A reason may hold the engine's last words. */
const LONGEST_REASON = 400

/** What is so already when it begins is no event. */
export function followState(state: State, events: EventLog): void {
  const statuses = new Map([...state.statuses.values()].map(({ id, value }) => [id, value]))
  const served = new Set(
    [...state.actions.values()].flatMap(({ id, value }) => (value.receipt?.servingAtMs ? [id] : [])),
  )
  const lockedAt = new Map([...state.logins.values()].map(({ id, value }) => [id, value.lockedAtMs]))
  state.view.onChange((collection, id) => {
    if (collection === state.statuses) {
      const status = state.statuses.get(id)?.value
      for (const event of statusEvents(statuses.get(id), status))
        events.record({ ...event, ...databaseFacts({ state }, id) })
      if (status) statuses.set(id, status)
      else statuses.delete(id)
    } else if (collection === state.actions) {
      const action = state.actions.get(id)?.value
      const isServed = (action?.receipt?.servingAtMs ?? 0) > 0
      if (action?.receipt && isServed && !served.has(id))
        events.record({ ...receiptEvent(action.receipt), ...databaseFacts({ state }, String(action.databaseUid)) })
      if (isServed) served.add(id)
      else served.delete(id)
    } else if (collection === state.logins) {
      const login = state.logins.get(id)?.value
      if (login && login.lockedAtMs > 0 && login.lockedAtMs !== lockedAt.get(id)) events.record(lockedOut(state, login))
      if (login) lockedAt.set(id, login.lockedAtMs)
      else lockedAt.delete(id)
    }
  })
}

/** A process that is found dead is news; one that is found running is not. */
export function followShards(agents: Iterable<Agent>, state: State, events: EventLog): void {
  const states = new Map<number, ShardState>()
  const notice = (shard: ObservedShard): void => {
    const { uid, databaseUid } = shard
    const before = states.get(uid)
    // On its way up it is still one that had died.
    if (before === shard.state || (before === 'exited' && shard.state !== 'running')) return
    states.set(uid, shard.state)
    const about = { object_uid: String(uid), ...databaseFacts({ state }, String(databaseUid)) }
    if (shard.state === 'exited')
      events.record({ type: 'shard_died', severity: 'ERROR', ...about, description: said(shard.lastWords ?? '') })
    else if (before === 'exited') events.record({ type: 'shard_restarted', severity: 'INFO', ...about })
  }
  for (const agent of agents) {
    agent.onChange(notice)
    for (const shard of agent.observed().values()) notice(shard)
  }
}

function said(reason: string): string | undefined {
  return harmless(reason, LONGEST_REASON) || undefined
}

function statusEvents(before: StatusDocument | undefined, after: StatusDocument | undefined): NewEvent[] {
  if (!after) return []
  const { phase, reason } = after
  const found: NewEvent[] = []
  const description = said(reason)
  if (phase !== before?.phase) {
    if (phase === 'recovering') found.push({ type: 'bdb_recovering', severity: 'ERROR', description })
    else if (phase === 'creation-failed') found.push({ type: 'bdb_creation_failed', severity: 'ERROR', description })
    else if (before?.phase === 'recovering') found.push({ type: 'bdb_recovered', severity: 'INFO' })
  }
  for (const { group, term, shardUid } of after.leads) {
    const known = before?.leads.find((lead) => lead.group === group)?.term ?? 1
    const description = `Shard ${shardUid} has become primary, with term ${term}.`
    if (term > known) found.push({ type: 'bdb_failover', severity: 'WARNING', description })
  }
  return found
}

/** The whole of it is in the action; this is what somebody who reads the log wants to know. */
function receiptEvent({
  from,
  to,
  lostAtMs,
  servingAtMs,
  cause,
  mayHaveLostWrites,
  gapBytes,
}: FailoverReceipt): NewEvent {
  const took = `Shard ${to} serves instead of shard ${from}, ${servingAtMs - lostAtMs} ms after it went: ${cause}.`
  const gap = gapBytes ? `; at least the last ${gapBytes} bytes of its stream are` : ''
  const loss = mayHaveLostWrites ? ` Writes that nobody waited for may be lost${gap}.` : ' No write is lost.'
  const severity = mayHaveLostWrites ? 'WARNING' : 'INFO'
  return { type: 'bdb_failover_served', severity, description: said(took + loss) }
}

function lockedOut(state: State, { userUid }: LoginDocument): NewEvent {
  const user = state.users.get(userUid)?.value
  return {
    type: 'user_locked_out',
    severity: 'WARNING',
    originator: harmless(user?.email ?? ''),
    object_uid: String(userUid),
    description: 'Too many wrong passwords.',
  }
}
