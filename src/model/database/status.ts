/**
 * The lifecycle status that the API shows, derived from the document and from what has come true of it. In words of
 * the reference; nothing else ever stands between a transitional status and `active`.
 */
import type { DatabaseDocument } from '../documents/database.ts'
import type { StatusDocument } from '../documents/status.ts'

export type ApiStatus =
  | 'pending'
  | 'active'
  | 'active-change-pending'
  | 'delete-pending'
  | 'creation-failed'
  | 'recovery'

export function apiStatus(database: DatabaseDocument, status: StatusDocument | undefined): ApiStatus {
  if (database.deletion) return 'delete-pending'
  if (status?.phase === 'creation-failed') return 'creation-failed'
  if (!status || status.generation === 0) return 'pending'
  if (status.phase === 'recovering') return 'recovery'
  return status.generation < database.generation ? 'active-change-pending' : 'active'
}

/** A change under way must end before the next one begins. */
export function isBusy(database: DatabaseDocument): boolean {
  return database.actionUid !== null || database.deletion !== null
}
