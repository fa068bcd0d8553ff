/**
 * The table: every route there is, with its permission. The server serves it, the OpenAPI document is made from it.
 */
import { hashingRoutes } from './access/hashing-routes.ts'
import { redisAclRoutes } from './access/redis-acls.ts'
import { roleRoutes } from './access/roles.ts'
import { signInRoutes } from './access/sign-in-routes.ts'
import { userRoutes } from './access/user-routes.ts'
import { actionRoutes } from './actions/routes.ts'
import { activeActiveRoutes } from './active-active/routes.ts'
import { alertRoutes } from './alerts/routes.ts'
import { auditingRoutes } from './auditing/routes.ts'
import { bootstrapRoutes } from './bootstrap/routes.ts'
import { certificateRoutes } from './certificates/routes.ts'
import { clusterActionRoutes } from './cluster/actions.ts'
import { clusterRoutes } from './cluster/routes.ts'
import { recoveryRoutes } from './databases/recovery.ts'
import { databaseRoutes } from './databases/routes.ts'
import { diagnosticRoutes } from './diagnostics/routes.ts'
import { drillRoutes } from './drills/routes.ts'
import { eventRoutes } from './events/routes.ts'
import { healthRoutes } from './health/routes.ts'
import type { Route } from './http/route.ts'
import { insightRoutes } from './insights/routes.ts'
import { jobRoutes } from './jobs/routes.ts'
import { ldapRoutes } from './ldap/routes.ts'
import { licenseRoutes } from './license/routes.ts'
import { moduleRoutes } from './modules/routes.ts'
import { nodeActionRoutes } from './nodes/actions.ts'
import { nodeRoutes } from './nodes/routes.ts'
import { ocspRoutes } from './ocsp/routes.ts'
import { proxyRoutes } from './proxies/routes.ts'
import { schemaRoutes } from './schemas/routes.ts'
import { serviceRoutes } from './services/routes.ts'
import { shardRoutes } from './shards/routes.ts'
import { sourceRoutes } from './sources/routes.ts'
import { ssoRoutes } from './sso/routes.ts'
import { statisticsRoutes } from './statistics/routes.ts'
import { suffixRoutes } from './suffixes/routes.ts'
import { webhookRoutes } from './webhooks/routes.ts'

export const ROUTES: readonly Route[] = [
  ...bootstrapRoutes,
  ...certificateRoutes,
  ...databaseRoutes,
  ...recoveryRoutes,
  ...insightRoutes,
  ...moduleRoutes,
  ...sourceRoutes,
  ...activeActiveRoutes,
  ...shardRoutes,
  ...drillRoutes,
  ...statisticsRoutes,
  ...nodeRoutes,
  ...nodeActionRoutes,
  ...proxyRoutes,
  ...diagnosticRoutes,
  ...healthRoutes,
  ...clusterRoutes,
  ...clusterActionRoutes,
  ...suffixRoutes,
  ...jobRoutes,
  ...serviceRoutes,
  ...actionRoutes,
  ...userRoutes,
  ...signInRoutes,
  ...hashingRoutes,
  ...roleRoutes,
  ...redisAclRoutes,
  ...ldapRoutes,
  ...ocspRoutes,
  ...ssoRoutes,
  ...licenseRoutes,
  ...alertRoutes,
  ...webhookRoutes,
  ...eventRoutes,
  ...auditingRoutes,
  ...schemaRoutes,
]
