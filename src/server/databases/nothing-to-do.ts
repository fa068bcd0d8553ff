/**
 * An action that was over when it began: what was asked for is so already. Callers that wait for an action find one.
 */
import { randomUUID } from 'node:crypto'
import { newAction } from '#plan/action.ts'
import type { Parts } from '../parts.ts'

/** Returns the uid of the action. Rejects with StoreTrouble. */
export async function nothingToDo({ state, now }: Parts, databaseUid: number, why: string): Promise<string> {
  const fields = { uid: randomUUID(), kind: 'update-database' as const, databaseUid, description: why }
  const action = { ...newAction(fields, now()), status: 'completed' as const, progressPercent: 100 }
  const compare = [state.actions.unchanged(action.uid, undefined)]
  await state.view.commit({ compare, changes: [state.actions.put(action.uid, action)], configuration: false })
  return action.uid
}
