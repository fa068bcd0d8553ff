/**
 * A new action, as it is written in one transaction with the change that it follows. Pure.
 */
import type { ActionDocument } from '#model/documents/action.ts'
import { ACTION_DEADLINE_MS } from './limits.ts'

export function newAction(
  fields: Pick<ActionDocument, 'uid' | 'kind' | 'databaseUid' | 'description'>,
  nowMs: number,
): ActionDocument {
  return {
    ...fields,
    status: 'running',
    progressPercent: 0,
    error: '',
    createdAtMs: nowMs,
    changedAtMs: nowMs,
    deadlineMs: nowMs + ACTION_DEADLINE_MS,
    receipt: null,
  }
}
