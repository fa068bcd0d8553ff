/**
 * What became of the alerts of one object: kept in the store, so that a restart neither forgets nor repeats. Written by
 * the keeper of alerts only.
 */
import Type, { type Static } from 'typebox'

/** Shown beside the state: the value, what it was held against, and other facts. */
export const ChangeValue = Type.Record(Type.String(), Type.Union([Type.String(), Type.Number(), Type.Boolean()]))
export type ChangeValue = Static<typeof ChangeValue>

export const AlertRecord = Type.Object({
  isOn: Type.Boolean(),
  changedAtMs: Type.Integer(),
  value: ChangeValue,
})
export type AlertRecord = Static<typeof AlertRecord>

/** Alerts that never changed have no entry: they are not raised. */
export const AlertsDocument = Type.Object({
  /** As events name it: `cluster`, `node:1`, `bdb:7`. */
  object: Type.String(),
  alerts: Type.Record(Type.String(), AlertRecord),
})
export type AlertsDocument = Static<typeof AlertsDocument>
