/**
 * The documents that exist once per cluster and per node. Settings are kept in the API's field names, since
 * the schemas of those objects are their only truth.
 */
import Type, { type Static } from 'typebox'
import { AuditingConfig } from '../auditing.ts'

const Settings = Type.Record(Type.String(), Type.Unknown())

export const ClusterDocument = Type.Object({
  name: Type.String(),
  createdAt: Type.String(),
  /** Settable fields of the cluster object. */
  settings: Settings,
  /** Settable fields of the cluster_settings object (/v1/cluster/policy). */
  policy: Settings,
  /** Settable fields of the job_scheduler object. */
  jobs: Type.Optional(Settings),
  /** Settable fields of the services_configuration object. */
  services: Type.Optional(Settings),
  /** How much is logged. */
  logging: Type.Optional(Settings),
  /** Settable fields of the cm_settings object. */
  interface: Type.Optional(Settings),
  /** Settable fields of the metrics_config object. */
  metrics: Type.Optional(Settings),
  /** Settable fields of the diagnostics object. */
  diagnostics: Type.Optional(Settings),
  /** Where audit events are sent; absent: nowhere. */
  auditing: Type.Optional(AuditingConfig),
})
export type ClusterDocument = Static<typeof ClusterDocument>

export const NodeDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  /** The id of the data folder that this node lives in. */
  folderId: Type.String(),
  /** Where applications reach the databases of this node. */
  address: Type.String(),
  createdAt: Type.String(),
  /** Settable fields of the node object. */
  settings: Settings,
  /** Settable fields of the proxy object. */
  proxy: Type.Optional(Settings),
})
export type NodeDocument = Static<typeof NodeDocument>

/** How we prove to the mail server who we are; sealed at rest, which is why it is not among the settings. */
export const MailSecretDocument = Type.Object({ password: Type.String() })
export type MailSecretDocument = Static<typeof MailSecretDocument>

/** The last uids given out; they are never given out twice. */
export const CountersDocument = Type.Object({
  database: Type.Integer({ minimum: 0 }),
  shard: Type.Integer({ minimum: 0 }),
  user: Type.Integer({ minimum: 0 }),
  role: Type.Integer({ minimum: 0 }),
  redisAcl: Type.Integer({ minimum: 0 }),
  ldapMapping: Type.Integer({ minimum: 0 }),
  webhook: Type.Integer({ minimum: 0 }),
})
export type CountersDocument = Static<typeof CountersDocument>

export const NOTHING_GIVEN: CountersDocument = {
  database: 0,
  shard: 0,
  user: 0,
  role: 0,
  redisAcl: 0,
  ldapMapping: 0,
  webhook: 0,
}

/** The answer that a create gave under an Idempotency-Key. */
export const IdempotencyDocument = Type.Object({
  requestDigest: Type.String(),
  databaseUid: Type.Integer({ minimum: 1 }),
  createdAtMs: Type.Integer(),
})
export type IdempotencyDocument = Static<typeof IdempotencyDocument>
