/**
 * What people read of an alert.
 */
import type { ChangeValue } from './document.ts'
import type { AlertKind } from './kind.ts'

/** The sentence of the catalogue with the threshold that it was held against. */
export function sentence({ says, name }: AlertKind, value: ChangeValue): string {
  const threshold = value.threshold ?? value.global_threshold ?? ''
  return says === '' ? name : says.replace('<threshold>', String(threshold))
}
