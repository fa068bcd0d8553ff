/**
 * Which records have outlived their use: ended actions, idempotency keys, and logins by SSO. The reconciler removes them in portions.
 */
import { isOver } from '#model/documents/action.ts'
import { ENDED_ACTIONS_KEPT, RECORD_RETENTION_MS } from '#plan/limits.ts'
import type { Change } from '#store/contract.ts'
import type { State } from '#store/state.ts'

export const PRUNE_EVERY_MS = 60_000
/** Below the store's limit of changes in one transaction. */
const PORTION = 90

export function expiredRecords(state: State, nowMs: number): Change[] {
  const horizonMs = nowMs - RECORD_RETENTION_MS
  const ended = [...state.actions.values()].filter(({ value }) => isOver(value))
  ended.sort((a, b) => b.value.changedAtMs - a.value.changedAtMs)
  const actions = ended.filter(({ value }, index) => index >= ENDED_ACTIONS_KEPT || value.changedAtMs < horizonMs)
  const keys = [...state.idempotency.values()].filter(({ value }) => value.createdAtMs < horizonMs)
  const logins = [...state.ssoLogins.values()].filter(
    ({ value }) => Math.max(value.endsAtMs, value.assertionEndsAtMs) < nowMs,
  )
  return [
    ...actions.map(({ id }) => state.actions.delete(id)),
    ...keys.map(({ id }) => state.idempotency.delete(id)),
    ...logins.map(({ id }) => state.ssoLogins.delete(id)),
  ].slice(0, PORTION)
}
