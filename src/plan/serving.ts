/**
 * Who serves the endpoint of a database. Pure. Callers: the planner, and whoever has to know whom applications talk to.
 *
 * The fastest proxy is none, so the primary listens itself wherever it can. What no engine can do is the proxy's: it makes
 * one server of several shards, and it compares the subjects of client certificates; for that alone it hands on the bytes
 * of an unsharded database unread.
 */
import type { DatabaseConfig } from '#model/database/schema.ts'

export type Serving =
  /** Whoever leads has the endpoint's port. */
  | 'primary'
  /** The proxy, which hands everything on to whoever leads, at a port of their own. */
  | 'relay'
  /** The proxy, which sends each command to the shard that has its key. */
  | 'proxy'

export function servingOf(config: DatabaseConfig): Serving {
  if (config.sharding) return 'proxy'
  return comparesSubjects(config) ? 'relay' : 'primary'
}

/** Whether the processes of one shard need a port beside the endpoint's, which applications do not reach. */
export function needsInnerPort(config: DatabaseConfig): boolean {
  return servingOf(config) === 'relay' || replicatesApart(config)
}

/** Applications come in the clear, and the replica does not: the primary listens a second time, for the replica alone. */
export function replicatesApart(config: DatabaseConfig): boolean {
  const isPlain = servingOf(config) === 'primary' && config.tls_mode !== 'enabled'
  return isPlain && config.replication && config.data_internode_encryption
}

function comparesSubjects(config: DatabaseConfig): boolean {
  if (config.tls_mode !== 'enabled' || config.enforce_client_authentication !== 'enabled') return false
  return config.client_cert_subject_validation_type !== 'disabled' || config.authorized_names.length > 0
}
