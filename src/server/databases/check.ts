/**
 * Whether a configuration can be had on this cluster: the rules that need more than the object itself, such as installed
 * engines, memory and ports. The rules of the object alone are beside its schema.
 */

import { databaseProblem } from '#model/database/rules.ts'
import type { DatabaseConfig } from '#model/database/schema.ts'
import { NOTHING_GIVEN } from '#model/documents/cluster.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { EngineBuild } from '#plan/agent.ts'
import { checkTrusted } from '../certificates/check.ts'
import { isRefusalCode, refuse } from '../errors.ts'
import { localAgent, type Parts } from '../parts.ts'

/** Throws a Refusal unless the object itself is sound, and `engine` can do what it asks for. */
export function checkConfig(parts: Parts, config: DatabaseConfig, engine: DatabaseDocument['engine']): void {
  const { name, version } = engine
  const problem = databaseProblem(config, { engineVersion: version, engineName: name })
  if (problem) {
    const { code, field, description } = problem
    refuse(isRefusalCode(code) ? code : 'invalid_configuration', { field, description })
  }
  const build = localAgent(parts).host.engines.find((one) => one.name === name && one.version === version)
  if (config.tls_mode === 'enabled' && build?.tls === false) {
    const description = `${build.path} was built without TLS; leave tls_mode disabled.`
    refuse('unsupported_feature', { field: 'tls_mode', description })
  }
  if (config.data_internode_encryption && build?.tls === false) {
    const description = `${build.path} was built without TLS; leave data_internode_encryption false.`
    refuse('unsupported_feature', { field: 'data_internode_encryption', description })
  }
  const asksClients = config.tls_mode === 'enabled' && config.enforce_client_authentication === 'enabled'
  if (asksClients && config.replication && parts.around.certificateOf(0)?.isSelfSigned === false) {
    const description =
      'With replication and client certificates, databases must show a self-signed certificate: a replica has to trust ' +
      'it, and so would every client that the same authority signed.'
    refuse('invalid_configuration', { field: 'enforce_client_authentication', description })
  }
  for (const [index, { client_cert }] of config.authentication_ssl_client_certs.entries())
    checkTrusted(client_cert, parts.now(), `authentication_ssl_client_certs[${index}].client_cert`)
  if (config.activedefrag === 'yes' && build?.activeDefrag === false) {
    const description = `${build.path} was built without active defragmentation; leave activedefrag "no".`
    refuse('unsupported_feature', { field: 'activedefrag', description })
  }
}

/**
 * Throws a Refusal when a role or an ACL is not there. A role that was there is no mistake: it was deleted after the
 * caller read the database, which takes it from every database anyway.
 */
export function checkRolesPermissions({ state }: Parts, { roles_permissions }: DatabaseConfig): void {
  const field = 'roles_permissions'
  const newestRole = { ...NOTHING_GIVEN, ...state.counters.get('')?.value }.role
  for (const { role_uid, redis_acl_uid } of roles_permissions) {
    if (role_uid > newestRole)
      refuse('invalid_configuration', { field, description: `There is no role with the uid ${role_uid}.` })
    if (!state.redisAcls.get(redis_acl_uid))
      refuse('invalid_configuration', { field, description: `There is no Redis ACL with the uid ${redis_acl_uid}.` })
  }
}

/** The engine for `version` ("7.0", "7.0.15", "valkey 8.1" or nothing for the newest Redis). Throws a Refusal. */
export function chooseEngine(parts: Parts, version: string): EngineBuild {
  const engines = [...localAgent(parts).host.engines].sort(newestRedisFirst)
  const [wantedName, wantedVersion] = version.includes(' ') ? version.split(' ') : [undefined, version]
  const found = engines.find(
    (engine) =>
      (wantedName === undefined || engine.name === wantedName) &&
      (!wantedVersion || engine.version === wantedVersion || engine.version.startsWith(`${wantedVersion}.`)),
  )
  if (found) return found
  const known = engines.map((engine) => engine.version).join(', ')
  return refuse('invalid_version', {
    field: 'redis_version',
    description: known
      ? `No installed engine has the version ${JSON.stringify(version)}; installed: ${known}.`
      : 'No engine is installed on this node: install redis-server or valkey-server, or start with --engine NAME=PATH.',
  })
}

function newestRedisFirst(a: EngineBuild, b: EngineBuild): number {
  if (a.name !== b.name) return a.name === 'redis' ? -1 : 1
  return b.version.localeCompare(a.version, 'en', { numeric: true })
}

/** Throws a Refusal when the cluster cannot hold the database. `uid`: the database that is being changed, if it is. */
export function checkMemory(parts: Parts, config: DatabaseConfig, uid: number | undefined): void {
  const total = [...parts.agents.values()].reduce((sum, agent) => sum + agent.host.totalMemoryBytes, 0)
  const mayOverbook = parts.state.cluster.get('')?.value.policy.shards_overbooking !== false
  let promised = 0
  if (!mayOverbook) {
    for (const { value } of parts.state.databases.values()) {
      if (value.uid !== uid && !value.deletion) promised += value.config.memory_size
    }
  }
  if (promised + config.memory_size <= total) return
  refuse('insufficient_resources', {
    field: 'memory_size',
    description: `The cluster has ${total - promised} bytes left for databases; memory_size asks for ${config.memory_size}.`,
  })
}
