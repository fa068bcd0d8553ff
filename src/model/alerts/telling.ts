/**
 * What a receiver has still to be told: the difference between the alerts that are raised, of those that it wants, and
 * those that it knows to be raised. There is no queue that could overflow: however often an alert changes while somebody
 * cannot be reached, they are told how it stands when they can. Pure.
 */
import Type, { type Static } from 'typebox'
import type { RaisedAlert } from './board.ts'

/** An alert that a receiver knows to be raised. */
export const ToldAlert = Type.Object({
  key: Type.String(),
  name: Type.String(),
  object: Type.String(),
  objectName: Type.String(),
  severity: Type.Enum(['INFO', 'WARNING', 'ERROR']),
  says: Type.String(),
  sinceMs: Type.Integer(),
})
export type ToldAlert = Static<typeof ToldAlert>

/** What became of telling one receiver. */
export const ReceiverDocument = Type.Object({
  told: Type.Array(ToldAlert),
  /** When an alert was last told to be raised, by its key; for those of the last hour. */
  raisedAtMs: Type.Record(Type.String(), Type.Integer()),
  lastSuccessAtMs: Type.Integer(),
})
export type ReceiverDocument = Static<typeof ReceiverDocument>

export const NOTHING_TOLD: ReceiverDocument = { told: [], raisedAtMs: {}, lastSuccessAtMs: 0 }

export type Telling = { readonly raised: readonly RaisedAlert[]; readonly cleared: readonly ToldAlert[] }

/** One that flaps is told of once in so long; that it is over, at once. */
export const QUIET_MS = 300_000

/** At most as many in one message; the rest goes with the next. */
const MOST_AT_ONCE = 100

/**
 * `wanted` of the alerts that are raised; `isRaised` whether any alert is, wanted or not: one that is no longer wanted is
 * forgotten, not told to be over.
 */
export function toTell(
  { told, raisedAtMs }: ReceiverDocument,
  wanted: readonly RaisedAlert[],
  isRaised: (key: string) => boolean,
  nowMs: number,
): Telling {
  const known = new Map(told.map((alert) => [alert.key, alert]))
  const isQuiet = (key: string) => {
    const at = raisedAtMs[key]
    // A clock that was set back must not silence anything for as long.
    return at !== undefined && nowMs - at < QUIET_MS && nowMs >= at
  }
  const raised = wanted.filter(({ key }) => !known.has(key) && !isQuiet(key))
  const cleared = told.filter(({ key }) => !isRaised(key))
  return { raised: raised.slice(0, MOST_AT_ONCE), cleared: cleared.slice(0, MOST_AT_ONCE) }
}

/** When one that is quiet now may be told, as milliseconds from now; null: nothing waits for that. */
export function nextDueMs(document: ReceiverDocument, wanted: readonly RaisedAlert[], nowMs: number): number | null {
  const known = new Set(document.told.map(({ key }) => key))
  const waits = wanted
    .filter(({ key }) => !known.has(key))
    .flatMap(({ key }) => document.raisedAtMs[key] ?? [])
    .map((at) => Math.max(0, at + QUIET_MS - nowMs))
  return waits.length === 0 ? null : Math.min(...waits)
}

/** After the message has arrived. */
export function afterTelling(
  before: ReceiverDocument,
  { raised, cleared }: Telling,
  isWanted: (key: string) => boolean,
  nowMs: number,
): ReceiverDocument {
  const gone = new Set(cleared.map(({ key }) => key))
  const kept = before.told.filter(({ key }) => !gone.has(key) && isWanted(key))
  const added = raised.map(({ key, name, object, objectName, severity, says, sinceMs }) => ({
    key,
    name,
    object,
    objectName,
    severity,
    says,
    sinceMs,
  }))
  const recent = Object.entries(before.raisedAtMs).filter(([, at]) => nowMs - at < QUIET_MS && nowMs >= at)
  return {
    told: [...kept, ...added],
    raisedAtMs: Object.fromEntries([...recent, ...raised.map(({ key }) => [key, nowMs] as const)]),
    lastSuccessAtMs: nowMs,
  }
}
