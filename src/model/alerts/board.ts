/**
 * What others may ask about alerts: how each stands now. Implemented by the keeper of alerts in src/observe/alerts/, used
 * by the routes and by those who tell people.
 */
import type { ChangeValue } from './document.ts'
import type { AlertSeverity } from './kind.ts'

export type AlertState = {
  readonly isOn: boolean
  /** Null: it has never changed. */
  readonly changedAtMs: number | null
  readonly value: ChangeValue
}

/** An alert that is on and raised. */
export type RaisedAlert = {
  /** Unlike any other. */
  readonly key: string
  readonly name: string
  readonly object: string
  /** What people call the object; empty for those without a name. */
  readonly objectName: string
  readonly severity: AlertSeverity
  /** A sentence for people. */
  readonly says: string
  readonly sinceMs: number
  readonly value: ChangeValue
}

export interface AlertBoard {
  /** With `ignoreSettings` as it was found, also of an alert that is off; otherwise that one is not raised. */
  state(object: string, name: string, options: { readonly ignoreSettings: boolean }): AlertState
  raised(): readonly RaisedAlert[]
  /** Told after something was raised or cleared. */
  onChange(listener: () => void): void
}
