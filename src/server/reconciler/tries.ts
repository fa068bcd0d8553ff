/**
 * How often what a database needs has failed. Callers: the reconciler. Each thing is counted by itself, and what failed most
 * often counts: a process that dies once fails whatever is under way for it, one thing after another, and that is no reason
 * to give a change up. What succeeds in between and fails again at the same place goes on being counted.
 */
import { type Attempts, NO_ATTEMPTS } from '#plan/database.ts'
import type { Step } from '#plan/step.ts'

export class Tries {
  readonly #failures = new Map<string, number>()
  #attempts = NO_ATTEMPTS

  get attempts(): Attempts {
    return this.#attempts
  }

  stepFailed(step: Step, lastError: string, nowMs: number): void {
    this.#count(`${step.kind} ${subjectOf(step)}`, lastError, nowMs)
  }

  /** Its process ended soon after it came up, while nothing was done for it. */
  shardEnded(shardUid: number, lastError: string, nowMs: number): void {
    this.#count(`ended ${shardUid}`, lastError, nowMs)
  }

  forget(): void {
    this.#failures.clear()
    this.#attempts = NO_ATTEMPTS
  }

  #count(what: string, lastError: string, nowMs: number): void {
    this.#failures.set(what, (this.#failures.get(what) ?? 0) + 1)
    this.#attempts = { failures: Math.max(...this.#failures.values()), lastError, lastFailedAtMs: nowMs }
  }
}

function subjectOf(step: Step): number {
  if ('spec' in step) return step.spec.uid
  if ('shardUid' in step) return step.shardUid
  return 'endpoint' in step ? step.endpoint.databaseUid : step.databaseUid
}
