/**
 * Every error that the API can answer with: its code, its HTTP status and what it says, on adjacent lines. Routes throw
 * `refuse(code, …)`; the one error handler turns it into a response. `docs/errors.md` is made from this list.
 */

type Catalogued = { readonly status: number; readonly says: string }

/** `says` is the description when the route has nothing more precise to tell. */
const CATALOGUE = {
  // The request itself.
  bad_request: { status: 400, says: 'The request cannot be understood.' },
  invalid_json: { status: 400, says: 'The body is not valid JSON.' },
  invalid_header: { status: 400, says: 'A request header has a value that cannot be used.' },
  invalid_query: { status: 400, says: 'A query parameter has a value that cannot be used.' },
  unknown_field: { status: 400, says: 'The body has a field that nobody knows.' },
  invalid_field: { status: 400, says: 'A field of the body has a value of the wrong type or outside its range.' },
  missing_field: { status: 400, says: 'The body lacks a field that is required.' },
  unauthorized: { status: 401, says: 'User name and password are missing or wrong.' },
  insufficient_permissions: { status: 403, says: 'Your role does not allow this.' },
  not_found: { status: 404, says: 'There is nothing at this path.' },
  method_not_allowed: { status: 405, says: 'The path exists, but not with this method.' },
  request_timeout: { status: 408, says: 'The request did not arrive in time.' },
  body_too_large: { status: 413, says: 'The body is larger than a request may be.' },
  unsupported_media_type: { status: 415, says: 'The body must be JSON, with content-type application/json.' },
  headers_too_large: { status: 431, says: 'The headers of the request are larger than they may be.' },
  unsupported_api_version: { status: 505, says: 'The x-api-version that was asked for is not known.' },

  // Whether the cluster can answer.
  not_bootstrapped: { status: 503, says: 'This node is not part of a cluster yet: POST /v1/bootstrap/create_cluster.' },
  already_bootstrapped: { status: 409, says: 'This node is part of a cluster already.' },
  store_unavailable: { status: 503, says: 'The state cannot be written now; nothing was changed. Try again later.' },
  outcome_unknown: {
    status: 503,
    says: 'The state did not answer in time; the change may or may not have been made. Read before you try again.',
  },
  disk_full: {
    status: 503,
    says: 'The disk that holds the state is full; nothing was changed. Free some space and try again.',
  },
  disk_read_only: { status: 503, says: 'The disk that holds the state cannot be written; nothing was changed.' },
  internal_error: { status: 500, says: 'Something went wrong inside Holdfast; the log has the details.' },

  // Optimistic locks and repeats.
  wrong_cluster_state_id: { status: 409, says: 'The cluster has changed since that cluster-state-id.' },
  etag_mismatch: { status: 412, says: 'The object has changed since it was read.' },
  idempotency_key_reused: { status: 409, says: 'This Idempotency-Key was used for a different request.' },
  busy: { status: 409, says: 'Another change of this database is still under way; try again when it is done.' },

  // Databases.
  db_not_exist: { status: 404, says: 'There is no such database.' },
  db_not_found: { status: 404, says: 'There is no such database.' },
  db_not_active: { status: 409, says: 'The database is not active.' },
  not_recoverable: { status: 409, says: 'The database is not down: there is nothing to recover.' },
  uid_exists: { status: 409, says: 'Another database has this uid.' },
  missing_db_name: { status: 406, says: 'A database needs a name.' },
  invalid_db_name: {
    status: 406,
    says: 'The name may hold letters, digits and hyphens, and starts and ends with a letter or digit.',
  },
  missing_memory_size: { status: 406, says: 'A database needs a memory_size.' },
  port_unavailable: { status: 406, says: 'The port is reserved or in use.' },
  insufficient_resources: {
    status: 406,
    says: 'The cluster does not have enough memory, or ports, for this database.',
  },
  invalid_version: { status: 406, says: 'No installed engine has this version.' },
  invalid_data_persistence: { status: 406, says: 'The persistence settings do not fit each other.' },
  eviction_policy_violation: { status: 406, says: 'The engine of this database does not know this eviction policy.' },
  invalid_bdb_tags: { status: 406, says: 'The tags are not valid.' },
  invalid_configuration: { status: 406, says: 'The configuration is not valid.' },
  unsupported_feature: { status: 406, says: 'This is not available here.' },
  invalid_password: { status: 406, says: 'The password cannot be used.' },
  password_not_exist: { status: 406, says: 'The database does not have this password.' },
  invalid_sharding: { status: 406, says: 'The sharding settings are not valid.' },
  bad_shards_blueprint: { status: 406, says: 'The shards blueprint is not valid.' },
  invalid_replication: { status: 406, says: 'The replication settings are not valid.' },
  replication_violation: { status: 406, says: 'The replication settings are not valid.' },
  rack_awareness_violation: { status: 406, says: 'The cluster is not rack-aware.' },
  invalid_proxy_policy: { status: 406, says: 'The proxy policy is not valid.' },
  invalid_sasl_credentials: { status: 406, says: 'The SASL credentials are not valid.' },
  missing_module: { status: 406, says: 'The module is not installed.' },
  missing_backup_interval: { status: 406, says: 'Backups need a backup_interval.' },
  invalid_oss_cluster_configuration: { status: 406, says: 'The settings do not allow the OSS cluster API.' },
  redis_acl_unsupported: { status: 406, says: 'Roles on databases are not available here.' },
  unsupported_module_capabilities: { status: 406, says: 'A module cannot do what the configuration asks for.' },
  memcached_cannot_use_modules: { status: 406, says: 'A memcached database cannot use modules.' },
  name_violation: { status: 406, says: 'The name cannot be changed.' },
  unknown_action: { status: 404, says: 'There is no such action.' },
  command_failed: { status: 400, says: 'The engine refused the command.' },
  bdb_unavailable: { status: 503, says: 'The database does not answer.' },
  bdb_unavailable_shard_unreachable: { status: 503, says: 'A shard of the database does not answer.' },
  bdb_unavailable_port_unbound: { status: 503, says: 'Nothing of this database answers at its port.' },
  bdb_unavailable_shard_unreachable_port_unbound: {
    status: 503,
    says: 'A shard of the database does not answer, and nothing answers at its port.',
  },
  bdb_endpoint_unavailable: { status: 503, says: 'The endpoint of the database does not answer.' },
  no_quorum: { status: 503, says: 'The cluster has no quorum.' },

  // Users, roles and ACLs.
  user_not_exist: { status: 404, says: 'There is no such user.' },
  role_not_exist: { status: 404, says: 'There is no such role.' },
  redis_acl_not_exist: { status: 404, says: 'There is no such ACL.' },
  email_already_exists: { status: 409, says: 'Another user has this e-mail address.' },
  name_already_exists: { status: 409, says: 'Another one has this name.' },
  role_in_use: { status: 406, says: 'Users or LDAP mappings have this role.' },
  redis_acl_in_use: { status: 406, says: 'Databases use this ACL.' },
  redis_acl_read_only: { status: 409, says: 'This built-in ACL cannot be changed.' },
  invalid_redis_acl: { status: 400, says: 'The engine does not understand these rules.' },
  change_last_admin_role_not_allowed: {
    status: 406,
    says: 'One user at least must be an administrator who can sign in.',
  },
  password_not_complex: { status: 400, says: 'The password is not complex enough.' },
  new_password_same_as_current: { status: 400, says: 'The user has this password already.' },
  cannot_delete_last_password: { status: 406, says: 'A user keeps one password at least.' },
  unauthorized_action: { status: 403, says: 'Only an administrator may change the password of somebody else.' },
  too_many_logins: { status: 503, says: 'Too many logins are being checked at this moment; try again soon.' },
  client_certificate_required: { status: 401, says: 'The API wants a client certificate that it trusts.' },
  no_certificate_admin: {
    status: 406,
    says: 'Without passwords nobody could administer the cluster: an administrator must be able to sign in by certificate.',
  },
  hashing_algorithm_already_set: { status: 400, says: 'Passwords are hashed with this algorithm already.' },
  password_expired: { status: 401, says: 'The password has expired: change it at PUT /v1/users/password.' },

  // Certificates.
  invalid_certificate: { status: 400, says: 'This is no certificate that can be used.' },
  invalid_private_key: { status: 400, says: 'This is no private key that can be used.' },
  certificate_key_mismatch: { status: 400, says: 'The key does not belong to the certificate.' },
  certificate_expired: { status: 406, says: 'The certificate is not valid now.' },
  certificate_not_found: { status: 404, says: 'There is no such certificate.' },
  certificate_required: { status: 403, says: 'The cluster needs this certificate; replace it instead.' },
  no_responder_url: {
    status: 400,
    says: 'The certificate of the proxy names no OCSP responder: replace it by one that does.',
  },
  no_ocsp_issuer: {
    status: 400,
    says: 'The certificate of the proxy came without the one that signed it: upload both, one after the other.',
  },
  invalid_ocsp_response: { status: 500, says: 'The OCSP responder gave no answer that counts.' },
  // Single sign-on.
  missing_param: { status: 400, says: 'SSO cannot be on without this.' },
  missing_certificate: {
    status: 406,
    says: 'SSO needs the certificates sso_service and sso_issuer: upload them at PUT /v1/cluster/certificates.',
  },
  saml_metadata_parsing_error: { status: 400, says: 'The metadata is no XML in Base64.' },
  saml_metadata_validation_error: { status: 400, says: 'The metadata lacks what is needed of an identity provider.' },
  sso_off: { status: 409, says: 'SSO is not on.' },
  sso_login_failed: {
    status: 401,
    says: 'The identity provider let nobody in that this cluster lets in; the log of the cluster says why.',
  },
  no_sso_login: { status: 409, says: 'This is no login by SSO, so there is none to end.' },
  // The LDAP directory.
  illegal_fields_combination: { status: 400, says: 'The fields do not go together, or one is missing.' },
  ldap_mapping_not_exist: { status: 404, says: 'There is no such LDAP mapping.' },
  invalid_dn_param: { status: 400, says: 'The distinguished name is not valid.' },
  invalid_name_param: { status: 400, says: 'The name is not valid.' },
  invalid_role_uids_param: { status: 400, says: 'The roles are not valid.' },
  invalid_account_id_param: { status: 400, says: 'The account is not valid.' },
  ldap_unreachable: {
    status: 503,
    says: 'No LDAP server gave an answer about this name; users of the cluster itself can sign in. The log says why.',
  },

  // Everything else.
  shard_is_slave: { status: 400, says: 'This shard is a replica; name its primary.' },
  failover_shards_different_bdb: { status: 400, says: 'The shards belong to different databases.' },
  shard_uids_required: { status: 404, says: 'The body needs shard_uids.' },
  no_replica_in_step: { status: 406, says: 'No replica could take over without losing data.' },
  db_busy: { status: 409, says: 'The database is being changed; try again when that is done.' },
  shard_not_exist: { status: 404, says: 'There is no such shard.' },
  alert_not_exist: { status: 404, says: 'There is no such alert.' },
  webhook_not_exist: { status: 404, says: 'There is no such webhook.' },
  too_many_webhooks: { status: 406, says: 'There are as many webhooks as there can be; delete one first.' },
  source_not_exist: { status: 404, says: 'The database has no such source that it copies from.' },
  proxy_not_found: { status: 404, says: 'There is no such proxy.' },
  proxy_not_replaced: { status: 500, says: 'The settings are kept; the successor of the proxy did not start.' },
  proxy_timeout: { status: 504, says: 'The settings are kept; the proxy did not confirm them in time.' },
  node_not_found: { status: 404, says: 'There is no such node.' },
  module_not_exist: { status: 404, says: 'There is no such module.' },
  suffix_not_exist: { status: 404, says: 'There is no such DNS suffix.' },
  crdb_not_exist: { status: 404, says: 'There is no such Active-Active database.' },
  crdb_task_not_exist: { status: 404, says: 'There is no such task of an Active-Active database.' },
  only_node: { status: 406, says: 'This cannot be done to the only node of a cluster.' },
  not_in_maintenance: { status: 406, says: 'The node is not in maintenance mode.' },
  snapshot_not_exist: { status: 404, says: 'The node has no such snapshot.' },
  action_not_exist: { status: 404, says: 'There is no such action.' },
  action_not_cancellable: { status: 409, says: 'The action is over, or past the point where it could be undone.' },
  db_conns_audit_config_not_found: { status: 404, says: 'No listener for audit events is configured.' },
  db_conns_auditing_missing_config: { status: 406, says: 'The listener for audit events is not fully configured.' },
  db_conns_auditing_bad_config: { status: 406, says: 'These settings of the audit listener do not fit together.' },
  db_conns_auditing_bad_address: { status: 406, says: 'This cannot be the address of an audit listener.' },
  db_not_active_active: { status: 406, says: 'The database is not an Active-Active database: it has no peers.' },
  sync_source_not_found: { status: 404, says: 'The database has no such source.' },
  unknown_object: { status: 406, says: 'There is no object of that name.' },
  config_error: { status: 406, says: 'The bootstrap configuration is not valid.' },
  invalid_license: { status: 406, says: 'There is nothing to license here.' },
} as const satisfies Record<string, Catalogued>

export type RefusalCode = keyof typeof CATALOGUE

export const REFUSAL_CODES: ReadonlyMap<RefusalCode, Catalogued> = new Map(
  Object.entries(CATALOGUE).flatMap(([code, entry]) => (isRefusalCode(code) ? [[code, entry] as const] : [])),
)

export function isRefusalCode(code: string): code is RefusalCode {
  return Object.hasOwn(CATALOGUE, code)
}

export type RefusalDetails = {
  /** For people: what is wrong and what would be right. */
  readonly description?: string
  /** The field of the body, the query parameter or the header that is wrong. */
  readonly field?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** The caller's fault, or the moment's: answered with its code, never logged as an error. */
export class Refusal extends Error {
  override name = 'Refusal'
  readonly code: RefusalCode
  readonly details: RefusalDetails
  constructor(code: RefusalCode, details: RefusalDetails = {}) {
    super(details.description ?? CATALOGUE[code].says)
    this.code = code
    this.details = details
  }
  get status(): number {
    return CATALOGUE[this.code].status
  }
}

export function refuse(code: RefusalCode, details: RefusalDetails = {}): never {
  throw new Refusal(code, details)
}

/** The body of every error response. `description` and `message` say the same: clients read either. */
export function errorBody(refusal: Refusal): string {
  const { code, message, details } = refusal
  return JSON.stringify({
    error_code: code,
    description: message,
    message,
    ...(details.field === undefined ? {} : { field: details.field }),
  })
}
