/**
 * The database object of the API, whole: every field of the reference with its type, range, default and what it does
 * here. Validation, defaults, GET /v1/jsonschema, OpenAPI and the compatibility table derive from it. Themes are beside.
 */
import { compileObject, type ObjectParser, settableDefaultsOf } from '../parse.ts'
import { objectOf, type SettableOf } from '../shapes.ts'
import { accessFields } from './access.ts'
import { activeActiveFields } from './active-active.ts'
import { backupFields } from './backup.ts'
import { connectionFields } from './connections.ts'
import { endpointFields } from './endpoints.ts'
import { flashFields } from './flash.ts'
import { identityFields } from './identity.ts'
import { memoryFields } from './memory.ts'
import { moduleFields } from './modules.ts'
import { persistenceFields } from './persistence.ts'
import { placementFields, replicationFields } from './replication.ts'
import { shardingFields } from './sharding.ts'
import { syncSourceFields } from './sync-sources.ts'
import { tlsFields } from './tls.ts'

const fields = {
  ...identityFields,
  ...endpointFields,
  ...memoryFields,
  ...persistenceFields,
  ...accessFields,
  ...connectionFields,
  ...shardingFields,
  ...replicationFields,
  ...placementFields,
  ...tlsFields,
  ...moduleFields,
  ...backupFields,
  ...syncSourceFields,
  ...activeActiveFields,
  ...flashFields,
}

/** The object as it is read. */
export const DatabaseObject = objectOf('bdb', fields)

type Settable = SettableOf<typeof fields>

/** What people decide about a database, in the API's names, nothing left open. Its uid is not among it. */
export type DatabaseConfig = Omit<Settable, 'uid'>

/** What a request may say: any part of it, and on creation the uid. */
export type DatabaseRequest = Partial<Settable>

/**
 * Sent by known clients although they mean nothing any more, or shown by a real cluster beside what the reference lists,
 * so that an object read there can be sent here.
 */
export const ignoredDatabaseFields: readonly string[] = [
  'acl',
  'bigstore_max_ram_ratio',
  'compare_key_hslot',
  'dns_suffixes',
  'flash_enabled',
  'flush_on_fullsync',
  'group_uid',
  'redis_cluster_enabled',
  'throughput_ingress',
  'topology_epoch',
]

const parser = compileObject<DatabaseRequest>(DatabaseObject, { ignored: ignoredDatabaseFields })

export function databaseParser(): ObjectParser<DatabaseRequest> {
  return parser
}

const settableDefaults = settableDefaultsOf<DatabaseConfig>(DatabaseObject)

/** A new object with the default of every field of a configuration. */
export function databaseDefaults(): DatabaseConfig {
  return { ...settableDefaults }
}

/** Sealed one by one where a configuration is stored. */
export const secretDatabaseFields: ReadonlySet<string> = new Set(
  Object.entries(DatabaseObject.properties).flatMap(([name, field]) => (field['x-secret'] ? [name] : [])),
)
