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
  gapOf: (from: number, to: number) => number | null,
): { readonly writing: Writing; readonly receipt: FailoverReceipt } | undefined {
  const held = state.actions.get(actionUid)
  if (!held?.value.receipt) return undefined
  const { from, to, mayHaveLostWrites } = held.value.receipt
  const receipt = { ...held.value.receipt, servingAtMs, gapBytes: mayHaveLostWrites ? gapOf(from, to) : 0 }
  const changes = [state.actions.put(actionUid, { ...held.value, receipt, changedAtMs: servingAtMs })]
  return { receipt, writing: { compare: [state.actions.unchanged(actionUid, held)], changes, configuration: false } }
}
