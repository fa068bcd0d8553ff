/**
 * What one shard, or the database as a whole, lacks at this moment. Callers: the rooms of the planner, which put the needs
 * of all together into one plan.
 */
import type { Step } from './step.ts'

export type Need =
  | { readonly kind: 'none' }
  | { readonly kind: 'wait'; readonly reason: string }
  | { readonly kind: 'step'; readonly reason: string; readonly step: Step }
