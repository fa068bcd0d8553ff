/**
 * DELETE of a database. The document stays, marked, until its processes and data are gone; the uid is never used again.
 */
import { randomUUID } from 'node:crypto'
import { isBusy } from '#model/database/status.ts'
import { newAction } from '#plan/action.ts'
import { beginDeletion } from '#plan/change.ts'
import { refuse } from '../errors.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { checkIfMatch, checkStateId, expectedStateId } from './locks.ts'
import { answerDatabase, noSuchDatabase } from './read.ts'

const TRIES = 20

export async function deleteDatabase(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { state } = parts
  const uid = request.params.uid ?? ''
  const ifStateId = expectedStateId(request)
  for (let tries = 0; tries < TRIES; tries++) {
    const held = state.databases.get(uid)
    if (!held) return noSuchDatabase(uid)
    checkIfMatch(request, held.value)
    checkStateId(parts, ifStateId)
    const replaced = held.value.actionUid ? state.actions.get(held.value.actionUid) : undefined
    // A database that cannot come up must not have to come up before it can go.
    const recovering = state.statuses.get(uid)?.value.phase === 'recovering'
    // One whose action has run out of time may be asked to go again.
    const stuck = held.value.deletion !== null && held.value.actionUid === null
    // Nor one that only goes back to what it was.
    const undoing = held.value.deletion === null && replaced?.value.status === 'cancelling'
    if (isBusy(held.value) && !recovering && !stuck && !undoing) {
      refuse('busy', { description: `Database ${held.value.uid} is still being changed; try again when it is done.` })
    }
    const nowMs = parts.now()
    const description = 'stopping its processes'
    const action = newAction(
      { uid: randomUUID(), kind: 'delete-database', databaseUid: held.value.uid, description },
      nowMs,
    )
    const database = beginDeletion(held.value, action.uid, new Date(nowMs).toISOString())
    const changes = [state.databases.put(uid, database), state.actions.put(action.uid, action)]
    if (replaced) {
      const over = {
        ...replaced.value,
        status: 'failed' as const,
        error: 'the database was deleted',
        changedAtMs: nowMs,
      }
      changes.push(state.actions.put(replaced.id, over))
    }
    const compare = [state.databases.unchanged(uid, held)]
    const outcome = await state.view.commit({ compare, changes, configuration: true, ifStateId })
    if (!outcome.committed) continue
    // The reconciler may already be through with it.
    return state.databases.get(uid) ? answerDatabase(request, parts, uid) : { json: { action_uid: action.uid } }
  }
  return refuse('busy')
}
