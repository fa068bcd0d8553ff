/**
 * What an alert is: one row of the catalogue. Everything about alerts that is not a state derives from these rows: the
 * schemas of their settings, what they are called in the API and in the log, when they are raised, what people read.
 */

export type AlertScope = 'cluster' | 'node' | 'bdb'

export type AlertSeverity = 'INFO' | 'WARNING' | 'ERROR'

export type Threshold = {
  /** `percent`, `days`, `requests per second`: a threshold is a number of these, written as text. */
  readonly unit: string
  /** Empty: there is no sensible one for everybody; it must be given before the alert can be on. */
  readonly preset: string
  readonly comparison: /** The value is as high as the threshold. */
    | 'reaches'
    | 'exceeds'
    | 'falls-below'
    /** The value, of which less and less is left, is as low as the threshold. */
    | 'runs-down-to'
}

export type AlertKind = {
  /** As it stands in settings and paths. */
  readonly name: string
  readonly scope: AlertScope
  /** The type of the events that tell of it. */
  readonly event: string
  readonly severity: AlertSeverity
  readonly threshold: Threshold | null
  /** What the value that is compared is called where it is shown; empty: there is none. */
  readonly measure: string
  /** One sentence for people, in which `<threshold>` is the number. */
  readonly says: string
  readonly isOnByDefault: boolean
  /** Not in the original. */
  readonly isOurs: boolean
  /** How it is found out; or, if it is never raised, why. */
  readonly found: string
  readonly isRaised: boolean
  /** A value that goes up and down must say the same several times in a row; a fact counts at once. */
  readonly isSteady: boolean
}

type Row = Pick<AlertKind, 'severity' | 'says' | 'found'> & Partial<Omit<AlertKind, 'name' | 'scope' | 'threshold'>>

/** A fact: true or not. */
export function fact(name: string, row: Row): AlertKind {
  return complete(name, { isSteady: true, ...row }, null)
}

/** A value that is held against a threshold. */
export function level(name: string, threshold: Threshold, row: Row): AlertKind {
  return complete(name, row, threshold)
}

/** What is documented, and cannot happen here. */
export function never(name: string, found: string, threshold: Threshold | null = null): AlertKind {
  return complete(name, { severity: 'WARNING', says: '', found, isRaised: false }, threshold)
}

/** The name itself says what it is about; events have it without, unless the reference has another name. */
function complete(name: string, row: Row, threshold: Threshold | null): AlertKind {
  const scope = name.startsWith('cluster_') ? 'cluster' : name.startsWith('node_') ? 'node' : 'bdb'
  return {
    event: name.slice(scope.length + 1),
    measure: '',
    isOnByDefault: false,
    isOurs: false,
    isRaised: true,
    isSteady: false,
    ...row,
    name,
    scope,
    threshold,
  }
}
