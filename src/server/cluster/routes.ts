/**
 * The routes of the cluster: the cluster object and the policy (cluster_settings) for new databases and for placement.
 */
import { ClusterObject, clusterParser } from '#model/cluster.ts'
import { ClusterPolicy, policyParser } from '#model/cluster-policy.ts'
import { checkCiphers } from '../certificates/ciphers.ts'
import { chooseEngine } from '../databases/check.ts'
import { MASK } from '../databases/masking.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS, changeSettings, SETTINGS_REFUSALS } from '../settings-object.ts'
import { renderCluster, renderPolicy, theCluster } from './render.ts'

type Settings = Readonly<Record<string, unknown>>

/** Throws a Refusal when nobody could administer the cluster any more. */
function checkSignIn({ state }: Parts, settings: Settings): void {
  const isTrusting = state.certificates.get('mtls_trusted_ca') !== undefined
  if (settings.mtls_certificate_authentication === true && !isTrusting) {
    const description = 'Put the certificate mtls_trusted_ca first: it says whose client certificates are trusted.'
    refuse('invalid_configuration', { field: 'mtls_certificate_authentication', description })
  }
  if (settings.control_plane_basic_authentication !== false) return
  const isAdmin = (uid: number) => state.roles.get(uid)?.value.management === 'admin'
  const isThere = [...state.users.values()].some(
    ({ value }) => value.authMethod === 'certificate' && value.roleUids.some(isAdmin),
  )
  if (!isTrusting || !isThere) refuse('no_certificate_admin', { field: 'control_plane_basic_authentication' })
}

/** Throws a Refusal when a password that is never shown would go to another server than the one that it was given for. */
function checkMailPasswordStays({ state }: Parts, before: Settings, settings: Settings): void {
  const { smtp_host: host = '' } = settings
  if (host === '' || host === (before.smtp_host ?? '') || !state.mailSecret.get('')?.value.password) return
  const description = 'The password was given for another mail server: send it anew with smtp_host, or "" for none.'
  refuse('missing_field', { field: 'smtp_password', description })
}

export const clusterRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster',
    access: 'view_cluster_info',
    summary: 'The cluster',
    answers: ClusterObject,
    refusals: [],
    handle: (_request, parts) => ({ json: renderCluster(parts, theCluster(parts).value) }),
  },
  {
    method: 'PUT',
    path: '/v1/cluster',
    access: 'update_cluster',
    summary: 'Change the settings of the cluster',
    query: [DRY_RUN],
    body: ClusterObject,
    answers: ClusterObject,
    refusals: [...SETTINGS_REFUSALS, 'missing_field', 'no_certificate_admin'],
    handle: async (request, parts) => {
      const changed = await changeSettings(
        request,
        parts,
        parts.state.cluster,
        () => theCluster(parts),
        (cluster, also) => {
          const parsed = parseGiven(clusterParser(), request, 'update', renderCluster(parts, cluster))
          const { smtp_password: password, ...given } = parsed
          const settings = { ...cluster.settings, ...given }
          checkSignIn(parts, settings)
          checkCiphers(given)
          // What it is shown as is not what it is.
          if (typeof password === 'string' && password !== MASK) also.push(parts.state.mailSecret.put('', { password }))
          else checkMailPasswordStays(parts, cluster.settings, settings)
          return { ...cluster, settings }
        },
      )
      return { json: renderCluster(parts, changed) }
    },
  },
  {
    method: 'GET',
    path: '/v1/cluster/policy',
    access: 'view_cluster_info',
    summary: 'The policy for new databases and placement',
    answers: ClusterPolicy,
    refusals: [],
    handle: (_request, parts) => ({ json: renderPolicy(parts, theCluster(parts).value) }),
  },
  {
    method: 'PUT',
    path: '/v1/cluster/policy',
    access: 'update_cluster',
    summary: 'Change the policy',
    query: [DRY_RUN],
    body: ClusterPolicy,
    answers: ClusterPolicy,
    refusals: ['unknown_field', 'invalid_field', 'unsupported_feature', 'invalid_version', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      const changed = await changeSettings(
        request,
        parts,
        parts.state.cluster,
        () => theCluster(parts),
        (cluster) => {
          const given = parseGiven(policyParser(), request, 'update', renderPolicy(parts, cluster))
          const { default_provisioned_redis_version: version } = given
          if (typeof version === 'string' && version !== '') chooseEngine(parts, version)
          return { ...cluster, policy: { ...cluster.policy, ...given } }
        },
      )
      return { json: renderPolicy(parts, changed) }
    },
  },
]
