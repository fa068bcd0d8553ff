/**
 * Receipts of failovers: the action that tells of one learns when the successor served.
 */
import type { FailoverReceipt } from '#model/documents/action.ts'
import type { State } from '#store/state.ts'
import type { Writing } from './record.ts'

/** Undefined: the action is gone, or tells of no failover. */
export function served(
  state: State,
  actionUid: string,
  servingAtMs: number,
): { readonly writing: Writing; readonly receipt: FailoverReceipt } | undefined {
  const held = state.actions.get(actionUid)
  if (!held?.value.receipt) return undefined
  const receipt = { ...held.value.receipt, servingAtMs }
  const changes = [state.actions.put(actionUid, { ...held.value, receipt, changedAtMs: servingAtMs })]
  return { receipt, writing: { compare: [state.actions.unchanged(actionUid, held)], changes, configuration: false } }
}
