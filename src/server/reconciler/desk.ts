/** What the reconciler keeps about one database between its passes; losing it costs an extra attempt, nothing else. */
import type { Plan } from '#plan/database.ts'
import { Tries } from './tries.ts'

export type Desk = {
  busy: boolean
  dirty: boolean
  timer: NodeJS.Timeout | undefined
  readonly tries: Tries
  /** The state of the document that they were made for. */
  triesFor: string
  readonly upSinceMs: Map<number, number>
  /** Failovers under way: the action that tells of each, by the shard that takes over. */
  readonly receipts: Map<number, string>
  /** Set while steps are under way: ends them when the document wants something else. */
  outdated: AbortController | undefined
  /** The plan that the log was told last. */
  told: string
}

export function newDesk(): Desk {
  return {
    busy: false,
    dirty: false,
    timer: undefined,
    tries: new Tries(),
    triesFor: '',
    upSinceMs: new Map(),
    receipts: new Map(),
    outdated: undefined,
    told: '',
  }
}

/** Something is waited for through many passes, and the log need not say so each time. */
export function tellOnce(desk: Desk, plan: Plan, tell: (facts: { plan: string; reason?: string }) => void): void {
  const facts = plan.kind === 'nothing' ? { plan: plan.kind } : { plan: plan.kind, reason: plan.reason }
  const text = JSON.stringify(facts)
  if (plan.kind !== 'nothing' && (plan.kind !== 'wait' || text !== desk.told)) tell(facts)
  desk.told = text
}
