/**
 * GET /v1/jsonschema: the very schemas that validate requests and make defaults, as JSON Schema.
 */
import Type, { type TSchema } from 'typebox'
import { LdapObject } from '#model/access/ldap.ts'
import { LdapMappingObject } from '#model/access/ldap-mapping.ts'
import { ActionV1 } from '#model/action.ts'
import { BootstrapRequest } from '#model/bootstrap.ts'
import { ClusterObject } from '#model/cluster.ts'
import { ClusterPolicy } from '#model/cluster-policy.ts'
import { CmSettings } from '#model/cm-settings.ts'
import { DatabaseObject } from '#model/database/schema.ts'
import { Diagnostics } from '#model/diagnostics.ts'
import { JobScheduler } from '#model/job-scheduler.ts'
import { LicenseObject } from '#model/license.ts'
import { LogSettings } from '#model/logging.ts'
import { MetricsConfig } from '#model/metrics-config.ts'
import { NodeObject } from '#model/node.ts'
import { ProxyObject } from '#model/proxy.ts'
import { ServicesConfiguration } from '#model/services.ts'
import { ShardObject } from '#model/shard.ts'
import { refuse } from '../errors.ts'
import type { Route } from '../http/route.ts'

const OBJECTS: Readonly<Record<string, TSchema>> = {
  action: ActionV1,
  bdb: DatabaseObject,
  bootstrap: BootstrapRequest,
  cluster: ClusterObject,
  cluster_settings: ClusterPolicy,
  cm_settings: CmSettings,
  diagnostics: Diagnostics,
  job_scheduler: JobScheduler,
  log_settings: LogSettings,
  metrics_config: MetricsConfig,
  services_configuration: ServicesConfiguration,
  ldap: LdapObject,
  ldap_mapping: LdapMappingObject,
  license: LicenseObject,
  node: NodeObject,
  proxy: ProxyObject,
  shard: ShardObject,
}

export const schemaRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/jsonschema',
    access: 'open',
    beforeBootstrap: true,
    summary: 'The JSON Schema of one object, or of all of them',
    query: [{ name: 'object', description: `One of: ${Object.keys(OBJECTS).join(', ')}`, schema: Type.String() }],
    answers: Type.Record(Type.String(), Type.Unknown()),
    refusals: ['unknown_object'],
    handle: ({ query }) => {
      const { object } = query
      if (object === undefined || object === '') return { json: OBJECTS }
      const schema = Object.hasOwn(OBJECTS, object) ? OBJECTS[object] : undefined
      if (schema) return { json: schema }
      const description = `There is no object ${JSON.stringify(object.slice(0, 40))}; there are: ${Object.keys(OBJECTS).join(', ')}.`
      return refuse('unknown_object', { field: 'object', description })
    },
  },
]
