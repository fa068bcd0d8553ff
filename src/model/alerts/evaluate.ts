/**
 * Whether an alert is raised: a value, held against its threshold, with hysteresis in two ways. A raised alert is cleared
 * only when the value is clearly on the other side, and a value that goes up and down has to say the same several times in
 * a row. Pure; called once in each period for each alert.
 */
import type { AlertKind } from './kind.ts'

export type AlertValue = number | boolean

/** What is known now. `facts` are shown beside the value. */
export type Reading = { readonly value: AlertValue; readonly facts?: Readonly<Record<string, number | string>> }

/** By the name of the alert. One that is missing is not known at the moment, and stays what it was. */
export type Readings = ReadonlyMap<string, Reading>

export type Standing = {
  readonly isOn: boolean
  /** How often in a row the opposite was seen. */
  readonly doubts: number
}

export const OFF: Standing = { isOn: false, doubts: 0 }

/** So often in a row a value must be beyond its threshold, and so often back, to count. */
export const RAISES_AFTER = 2
export const CLEARS_AFTER = 3
/** How far back from its threshold, as a part of it, a value must be. */
export const MARGIN = 0.05

/**
 * `before` itself where nothing is new. `threshold` is ignored for alerts that have none; text that is no number raises
 * nothing.
 */
export function evaluate(
  kind: AlertKind,
  threshold: string,
  value: AlertValue | undefined,
  before: Standing,
): Standing {
  if (value === undefined) return before
  const isSeen = isBeyond(kind, threshold, value, before.isOn)
  if (isSeen === before.isOn) return before.doubts === 0 ? before : { isOn: before.isOn, doubts: 0 }
  const doubts = before.doubts + 1
  const needed = kind.isSteady ? 1 : isSeen ? RAISES_AFTER : CLEARS_AFTER
  return doubts < needed ? { isOn: before.isOn, doubts } : { isOn: isSeen, doubts: 0 }
}

function isBeyond({ threshold }: AlertKind, text: string, value: AlertValue, isOn: boolean): boolean {
  if (typeof value === 'boolean') return value
  if (!threshold) return value > 0
  const limit = thresholdIn(text)
  if (limit === null) return false
  switch (threshold.comparison) {
    case 'reaches':
      return value >= (isOn ? limit * (1 - MARGIN) : limit)
    case 'exceeds':
      return value > (isOn ? limit * (1 - MARGIN) : limit)
    case 'falls-below':
      return value < (isOn ? limit * (1 + MARGIN) : limit)
    case 'runs-down-to':
      return value <= limit
  }
}

/** Null for what is no number, or below 0. */
export function thresholdIn(text: string): number | null {
  return /^\d{1,15}(\.\d{1,6})?$/.test(text) ? Number(text) : null
}
