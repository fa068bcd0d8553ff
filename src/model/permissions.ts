/**
 * Who may do what: the permissions of the reference, each with the management roles that have it. Routes name their
 * permission, users have a role, and this table is all that lies between. Where the reference's two tables disagree
 * (`user_manager` and view_bdb_recovery_plan, view_debugging_info), the narrower one holds.
 */

export const MANAGEMENT_ROLES = [
  'admin',
  'cluster_member',
  'cluster_viewer',
  'db_member',
  'db_viewer',
  'user_manager',
  /** May use databases, but not the API. */
  'none',
] as const

export type ManagementRole = (typeof MANAGEMENT_ROLES)[number]

const ADMIN = ['admin'] as const
const USER_ADMINS = ['admin', 'user_manager'] as const
const OPERATORS = ['admin', 'cluster_member', 'db_member'] as const
const EVERYBODY = ['admin', 'cluster_member', 'cluster_viewer', 'db_member', 'db_viewer', 'user_manager'] as const

const ROLES_BY_PERMISSION = {
  // The cluster.
  install_new_license: USER_ADMINS,
  update_cluster: ADMIN,
  view_all_metrics: ['admin', 'cluster_member', 'cluster_viewer'],
  view_cluster_alerts: EVERYBODY,
  view_cluster_info: EVERYBODY,
  view_cluster_keys: ['admin', 'cluster_member', 'user_manager'],
  view_cluster_stats: EVERYBODY,
  view_debugging_info: OPERATORS,
  view_license: EVERYBODY,
  view_logged_events: ['admin', 'cluster_member', 'cluster_viewer', 'db_member', 'user_manager'],
  // Nodes.
  update_node: ADMIN,
  view_all_nodes_alerts: EVERYBODY,
  view_all_nodes_checks: EVERYBODY,
  view_all_nodes_info: EVERYBODY,
  view_all_nodes_stats: EVERYBODY,
  view_node_alerts: EVERYBODY,
  view_node_check: EVERYBODY,
  view_node_info: EVERYBODY,
  view_node_stats: EVERYBODY,
  // Actions.
  cancel_cluster_action: ADMIN,
  cancel_node_action: ADMIN,
  start_cluster_action: ADMIN,
  start_node_action: ADMIN,
  view_status_of_all_node_actions: EVERYBODY,
  view_status_of_cluster_action: EVERYBODY,
  view_status_of_node_action: EVERYBODY,
  // Databases.
  create_bdb: OPERATORS,
  delete_bdb: OPERATORS,
  reset_bdb_current_backup_status: OPERATORS,
  reset_bdb_current_export_status: OPERATORS,
  reset_bdb_current_import_status: OPERATORS,
  start_bdb_export: OPERATORS,
  start_bdb_import: OPERATORS,
  start_bdb_recovery: OPERATORS,
  update_bdb: OPERATORS,
  update_bdb_alerts: OPERATORS,
  update_bdb_with_action: OPERATORS,
  view_all_bdb_stats: EVERYBODY,
  view_all_bdbs_alerts: EVERYBODY,
  view_all_bdbs_info: EVERYBODY,
  view_bdb_alerts: EVERYBODY,
  view_bdb_info: EVERYBODY,
  view_bdb_recovery_plan: ['admin', 'cluster_member', 'cluster_viewer', 'db_member', 'db_viewer'],
  view_bdb_stats: EVERYBODY,
  // Shards, endpoints and proxies.
  failover_shard: OPERATORS,
  migrate_shard: OPERATORS,
  update_proxy: USER_ADMINS,
  view_all_proxies_info: EVERYBODY,
  view_all_shard_stats: EVERYBODY,
  view_endpoint_stats: EVERYBODY,
  view_proxy_info: EVERYBODY,
  view_shard_stats: EVERYBODY,
  // Users, roles and ACLs.
  create_new_user: USER_ADMINS,
  create_redis_acl: USER_ADMINS,
  create_role: USER_ADMINS,
  delete_redis_acl: USER_ADMINS,
  delete_role: USER_ADMINS,
  delete_user: USER_ADMINS,
  update_redis_acl: USER_ADMINS,
  update_role: USER_ADMINS,
  update_user: USER_ADMINS,
  view_all_redis_acls_info: EVERYBODY,
  view_all_roles_info: EVERYBODY,
  view_all_users_info: USER_ADMINS,
  view_redis_acl_info: EVERYBODY,
  view_redis_pass: ['admin', 'cluster_member', 'db_member', 'user_manager'],
  view_role_info: EVERYBODY,
  view_user_info: USER_ADMINS,
  // LDAP, single sign-on, OCSP.
  config_ldap: USER_ADMINS,
  config_ocsp: ADMIN,
  config_sso: ADMIN,
  create_ldap_mapping: USER_ADMINS,
  delete_ldap_mapping: USER_ADMINS,
  test_ocsp_status: ADMIN,
  update_ldap_mapping: USER_ADMINS,
  view_all_ldap_mappings_info: USER_ADMINS,
  view_ldap_config: USER_ADMINS,
  view_ldap_mapping_info: USER_ADMINS,
  view_ocsp_config: ADMIN,
  view_ocsp_status: ADMIN,
  view_sso: EVERYBODY,
  // Modules.
  add_cluster_module: ADMIN,
  delete_cluster_module: ADMIN,
  edit_bdb_module: OPERATORS,
  manage_cluster_modules: ADMIN,
  view_cluster_modules: EVERYBODY,
  // Active-Active databases.
  create_crdb: OPERATORS,
  delete_crdb: OPERATORS,
  flush_crdb: OPERATORS,
  purge_instance: OPERATORS,
  update_crdb: OPERATORS,
  upgrade_crdb: OPERATORS,
  view_crdb: EVERYBODY,
  view_crdb_list: EVERYBODY,
  view_crdb_task: EVERYBODY,
  view_crdb_task_list: EVERYBODY,
} as const satisfies Readonly<Record<string, readonly ManagementRole[]>>

export type Permission = keyof typeof ROLES_BY_PERMISSION

const PERMISSIONS_BY_ROLE: ReadonlyMap<ManagementRole, ReadonlySet<Permission>> = new Map(
  MANAGEMENT_ROLES.map((role) => [role, new Set(allPermissions().filter((permission) => hasRole(permission, role)))]),
)

export function permissionsOf(role: ManagementRole): ReadonlySet<Permission> {
  return PERMISSIONS_BY_ROLE.get(role) ?? new Set()
}

export function isPermission(name: string): name is Permission {
  return Object.hasOwn(ROLES_BY_PERMISSION, name)
}

/** All of them, in the order of the table. */
export function allPermissions(): Permission[] {
  return Object.keys(ROLES_BY_PERMISSION).filter(isPermission)
}

function hasRole(permission: Permission, role: ManagementRole): boolean {
  const roles: readonly ManagementRole[] = ROLES_BY_PERMISSION[permission]
  return roles.includes(role)
}
