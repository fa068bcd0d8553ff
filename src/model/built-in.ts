/**
 * The roles and ACLs that every new cluster has, with the uids that scripts expect of them.
 */
import type { RedisAclDocument, RoleDocument } from './documents/access.ts'
import type { ManagementRole } from './permissions.ts'

const ROLES: readonly (readonly [string, ManagementRole])[] = [
  ['Admin', 'admin'],
  ['Cluster Member', 'cluster_member'],
  ['Cluster Viewer', 'cluster_viewer'],
  ['DB Member', 'db_member'],
  ['DB Viewer', 'db_viewer'],
  ['None', 'none'],
  ['User Manager', 'user_manager'],
]

export const BUILT_IN_ROLES: readonly RoleDocument[] = ROLES.map(([name, management], index) => ({
  uid: index + 1,
  name,
  management,
  databaseUids: null,
}))

/** The first is what an account has that nobody limited; it cannot be changed. */
export const FULL_ACCESS_UID = 1

export const BUILT_IN_ACLS: readonly RedisAclDocument[] = [
  { uid: FULL_ACCESS_UID, name: 'Full Access', acl: '+@all ~*' },
  { uid: 2, name: 'Read Only', acl: '+@read ~*' },
  { uid: 3, name: 'Not Dangerous', acl: '+@all -@dangerous ~*' },
]
