/**
 * What of databases somebody gets to see: only those in reach of their roles, and no secrets without the permission for
 * them, or where the cluster masks them.
 */
import type { Permission } from '#model/permissions.ts'
import type { Caller } from '../http/route.ts'
import type { Parts } from '../parts.ts'

type Viewer = { readonly caller: Caller | undefined }

/** Whether the answer about this database must not hold its secrets. */
export function hidesSecrets({ caller }: Viewer, { state }: Parts, databaseUid: number): boolean {
  if (state.cluster.get('')?.value.settings.mask_bdb_credentials === true) return true
  return !caller?.rights.mayIn(databaseUid, 'view_redis_pass')
}

/** Whether what is shown of this database may be shown. */
export function isInReach({ caller }: Viewer, databaseUid: number, permission: Permission): boolean {
  return !caller?.rights.isLimited || caller.rights.mayIn(databaseUid, permission)
}
