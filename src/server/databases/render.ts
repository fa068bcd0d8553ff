/**
 * A database as the API shows it: configuration, what the cluster chose, and what has come true, in the names and types
 * of the wire. Every field of the schema is there and keeps its type when empty; the exceptions are marked in the schema.
 */
import { DatabaseObject } from '#model/database/schema.ts'
import { apiStatus } from '#model/database/status.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { StatusDocument } from '#model/documents/status.ts'
import type { Shown } from '#model/field.ts'
import { defaultsOf } from '#model/parse.ts'

export type RenderContext = {
  readonly clusterName: string
  /** Where applications reach the node that holds the endpoint. */
  readonly address: string
  /** Roles that are gone have no part in any database. */
  readonly isRole: (uid: number) => boolean
}

export type RenderedDatabase = Readonly<Record<string, unknown>>

/** Both forms: without and with the configuration of modules (`?extended=true`). */
export function renderDatabase(
  database: DatabaseDocument,
  status: StatusDocument | undefined,
  context: RenderContext,
  extended: boolean,
): RenderedDatabase {
  const values: Record<string, unknown> = {
    ...defaultsOf(DatabaseObject),
    ...database.config,
    ...reported(database, status, context),
  }
  const shown: Record<string, unknown> = {}
  for (const [name, when] of FIELDS) {
    const value = values[name]
    if (isShown(when, value, extended)) shown[name] = value
  }
  return shown
}

const FIELDS: readonly (readonly [string, Shown | undefined])[] = Object.entries(DatabaseObject.properties).map(
  ([name, schema]) => [name, schema['x-shown']],
)

function isShown(when: Shown | undefined, value: unknown, extended: boolean): boolean {
  if (value === undefined || value === null) return false
  switch (when) {
    case 'never':
      return false
    case 'extended':
      return extended
    case 'when-set':
      return value !== ''
    default:
      return true
  }
}

function reported(
  database: DatabaseDocument,
  status: StatusDocument | undefined,
  { clusterName, address, isRole }: RenderContext,
): Record<string, unknown> {
  const { uid, config, endpointPort, engine, shards } = database
  const shownStatus = apiStatus(database, status)
  return {
    uid,
    action_uid: database.actionUid ?? '',
    background_op: backgroundOperations(database),
    created_time: wireTime(database.createdAt),
    last_changed_time: wireTime(database.changedAt),
    status: shownStatus,
    version: engine.version,
    redis_version: majorMinor(engine.version),
    shard_list: shards.map((shard) => shard.uid),
    shards_count: config.shards_count,
    roles_permissions: config.roles_permissions.filter(({ role_uid }) => isRole(role_uid)),
    wait_command: true,
    traffic_manually_disabled: database.isTrafficStopped ?? false,
    endpoints: [
      {
        uid: `${uid}:1`,
        dns_name: `redis-${endpointPort}.${clusterName}`,
        port: endpointPort,
        addr: [address],
        addr_type: 'external',
        proxy_policy: config.proxy_policy,
        oss_cluster_api_preferred_ip_type: config.oss_cluster_api_preferred_ip_type,
        oss_cluster_api_preferred_endpoint_type: config.oss_cluster_api_preferred_endpoint_type,
        exclude_proxies: [],
        include_proxies: [],
      },
    ],
  }
}

function backgroundOperations(database: DatabaseDocument): object[] {
  if (!database.actionUid) return [{ status: 'idle' }]
  const name = database.deletion ? 'SMDeleteBDB' : database.generation === 1 ? 'SMCreateBDB' : 'SMUpdateBDB'
  return [{ status: 'active', name }]
}

/** Changes with everything that people see changed, and with nothing else. */
export function etagOf(database: { readonly uid: number; readonly edition: number }): string {
  return `"${database.uid}-${database.edition}"`
}

/** `2026-01-31T12:00:00Z`: the wire has no fractions of a second. */
export function wireTime(iso: string): string {
  return iso === '' ? '' : `${iso.slice(0, 19)}Z`
}

export function majorMinor(version: string): string {
  return version.split('.').slice(0, 2).join('.')
}
