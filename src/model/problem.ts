/**
 * What is wrong with an object that somebody sent: one field, one code, one sentence that says what would be right.
 * Parsers and rules return it; the API turns it into a refusal. Codes are the reference's where it has one that fits.
 */

/** Codes with which a field may be refused that is well-formed but cannot be had here. */
export type FieldRefusal =
  | 'unsupported_feature'
  | 'invalid_license'
  | 'invalid_oss_cluster_configuration'
  | 'invalid_replication'
  | 'invalid_sasl_credentials'
  | 'invalid_sharding'
  | 'invalid_version'
  | 'missing_module'
  | 'rack_awareness_violation'
  | 'redis_acl_unsupported'

export type ProblemCode =
  | FieldRefusal
  | 'unknown_field'
  | 'invalid_field'
  | 'bad_shards_blueprint'
  | 'db_conns_auditing_bad_address'
  | 'db_conns_auditing_bad_config'
  | 'db_conns_auditing_missing_config'
  | 'eviction_policy_violation'
  | 'invalid_bdb_tags'
  | 'invalid_configuration'
  | 'invalid_data_persistence'
  | 'invalid_db_name'
  | 'invalid_password'
  | 'missing_db_name'
  | 'port_unavailable'

export type Problem = {
  readonly code: ProblemCode
  /** With its path when it is nested: `snapshot_policy[0].secs`. Empty when it is the whole object. */
  readonly field: string
  readonly description: string
}
