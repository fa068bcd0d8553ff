/**
 * An action: the record by which people follow a change being carried out. It is never the plan itself; lose it and
 * nothing breaks. Statuses and their transitions are the reference's, without those that nothing here can be in.
 */
import Type, { type Static } from 'typebox'

export const ActionStatus = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('cancelling'),
  Type.Literal('cancelled'),
  Type.Literal('completed'),
  Type.Literal('failed'),
])
export type ActionStatus = Static<typeof ActionStatus>

/** What is done; the names on the wire are made of these at the API's edge. */
export const ActionKind = Type.Union([
  Type.Literal('create-database'),
  Type.Literal('update-database'),
  Type.Literal('upgrade-database'),
  Type.Literal('delete-database'),
  Type.Literal('recover-database'),
  Type.Literal('hand-over-shards'),
  Type.Literal('fail-over-shard'),
])
export type ActionKind = Static<typeof ActionKind>

/** What a failover cost, so that nobody has to guess. Milliseconds since the epoch. */
export const FailoverReceipt = Type.Object({
  from: Type.Integer({ minimum: 1 }),
  to: Type.Integer({ minimum: 1 }),
  term: Type.Integer({ minimum: 1 }),
  cause: Type.String(),
  /** When the primary was seen to be gone. */
  lostAtMs: Type.Integer(),
  decidedAtMs: Type.Integer(),
  /** When its successor held the endpoint's port; 0: not yet, or nobody was left to write it down. */
  servingAtMs: Type.Integer(),
  /**
   * Writes that were answered may be missing. Only a hand-over can say no: a primary answers before its replica has what it
   * answers, and whoever must be sure asks with WAIT.
   */
  mayHaveLostWrites: Type.Boolean(),
  /** Its successor was being sent every write when it went. */
  wasInStep: Type.Optional(Type.Boolean()),
  /** It was a drill: the primary was ended for it, and so long applications may have been without one. */
  drillTargetMs: Type.Optional(Type.Integer({ minimum: 1 })),
  /** What the primary is known to have had beyond its successor: at least so much is lost. Null: nobody knows. */
  gapBytes: Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()])),
})
export type FailoverReceipt = Static<typeof FailoverReceipt>

export const ActionDocument = Type.Object({
  uid: Type.String(),
  kind: ActionKind,
  databaseUid: Type.Integer({ minimum: 1 }),
  status: ActionStatus,
  progressPercent: Type.Number({ minimum: 0, maximum: 100 }),
  /** In words: what happens now, or what it waits for. */
  description: Type.String(),
  /** Why it failed; empty otherwise. Set as soon as the failure is known, while the undoing is still under way. */
  error: Type.String(),
  createdAtMs: Type.Integer(),
  changedAtMs: Type.Integer(),
  /** After this moment it fails and is undone. */
  deadlineMs: Type.Integer(),
  receipt: Type.Union([FailoverReceipt, Type.Null()]),
})
export type ActionDocument = Static<typeof ActionDocument>

export function isOver(action: ActionDocument): boolean {
  return action.status === 'completed' || action.status === 'failed' || action.status === 'cancelled'
}
