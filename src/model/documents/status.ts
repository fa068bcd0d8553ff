/**
 * What has come true of a database: written by the reconciler only, whenever it changes, so that every node can answer
 * for every database. A missing status document says that nothing has come true yet.
 */
import Type, { type Static } from 'typebox'

export const DatabasePhase = Type.Union([
  /** Everything that the document of `generation` says is so. */
  Type.Literal('converged'),
  /** It was so, and a process is down or reads its data. */
  Type.Literal('recovering'),
  /** It never came up; `reason` says why. */
  Type.Literal('creation-failed'),
])
export type DatabasePhase = Static<typeof DatabasePhase>

/** Who leads a group of processes. Without an entry it is the first of them, with term 1. */
export const Lead = Type.Object({
  group: Type.Integer({ minimum: 1 }),
  shardUid: Type.Integer({ minimum: 1 }),
  term: Type.Integer({ minimum: 1 }),
})
export type Lead = Static<typeof Lead>

export const StatusDocument = Type.Object({
  databaseUid: Type.Integer({ minimum: 1 }),
  phase: DatabasePhase,
  /** The newest generation of the document that came true in full; 0: none yet. */
  generation: Type.Integer({ minimum: 0 }),
  /** A sentence for people: what it waits for, or why it failed. Empty when all is well. */
  reason: Type.String(),
  leads: Type.Array(Lead),
})
export type StatusDocument = Static<typeof StatusDocument>
