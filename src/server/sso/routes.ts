/**
 * The routes of single sign-on: how it is set up, and the ones that browsers come to. What a row does is in the file that
 * its handler comes from.
 */
import { Readable } from 'node:stream'
import Type from 'typebox'
import { SsoObject } from '#model/sso.ts'
import { refuse } from '../errors.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'
import { deleteSso, renderSso, updateSso, uploadMetadata } from './configuration.ts'
import { serviceMetadata } from './service-metadata.ts'
import { serviceOf } from './settings.ts'
import { acceptAssertion, afterLogout, beginLogin, endLogin } from './sign-in.ts'

const SamlForm = Type.Object({ SAMLResponse: Type.String(), RelayState: Type.Optional(Type.String()) })

export const ssoRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/cluster/sso',
    access: 'view_sso',
    summary: 'How people sign in by SSO',
    answers: SsoObject,
    refusals: [],
    handle: (_request, parts) => ({ json: renderSso(parts) }),
  },
  {
    method: 'PUT',
    path: '/v1/cluster/sso',
    access: 'config_sso',
    summary: 'Change how people sign in by SSO; what is left out stays',
    query: [DRY_RUN],
    body: SsoObject,
    refusals: ['unknown_field', 'invalid_field', 'missing_param', 'missing_certificate', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      await updateSso(request, parts)
      return { json: null }
    },
  },
  {
    method: 'DELETE',
    path: '/v1/cluster/sso',
    access: 'config_sso',
    summary: 'Let nobody sign in by SSO any more, and forget how, certificates included',
    query: [DRY_RUN],
    refusals: CHANGE_REFUSALS,
    handle: async (request, parts) => {
      await deleteSso(request, parts)
      return { json: null }
    },
  },
  {
    method: 'GET',
    path: '/v1/cluster/sso/saml/metadata/sp',
    access: 'view_sso',
    summary: 'The metadata of the cluster, for the identity provider',
    file: 'application/xml',
    refusals: ['missing_certificate'],
    handle: readMetadata,
  },
  {
    method: 'POST',
    path: '/v1/cluster/sso/saml/metadata/idp',
    access: 'config_sso',
    summary: 'Take what the identity provider is, and where, from its metadata',
    query: [DRY_RUN],
    body: Type.Object({ idp_metadata: Type.String() }),
    answers: SsoObject,
    refusals: [
      'unknown_field',
      'missing_param',
      'saml_metadata_parsing_error',
      'saml_metadata_validation_error',
      ...CHANGE_REFUSALS,
    ],
    handle: async (request, parts) => {
      await uploadMetadata(request, parts)
      return { json: renderSso(parts) }
    },
  },
  {
    method: 'GET',
    path: '/v1/cluster/sso/saml/login',
    access: 'open',
    summary: 'Sign in by SSO, for browsers',
    redirects: 'To the identity provider, with a signed request that is good for three minutes',
    refusals: ['sso_off'],
    handle: beginLogin,
  },
  {
    method: 'POST',
    path: '/v1/cluster/sso/saml/acs',
    access: 'open',
    summary: 'A token in exchange for what the identity provider says',
    body: SamlForm,
    isForm: true,
    answers: Type.Object({ access_token: Type.String() }),
    refusals: ['missing_param', 'sso_off', 'sso_login_failed', 'too_many_logins'],
    handle: acceptAssertion,
  },
  {
    method: 'POST',
    path: '/v1/cluster/sso/saml/logout',
    access: 'signed-in',
    summary: 'End this login by SSO; logout_url is where it ends at the identity provider, empty if nowhere',
    answers: Type.Object({ logout_url: Type.String() }),
    refusals: ['sso_off', 'no_sso_login'],
    handle: endLogin,
  },
  {
    method: 'GET',
    path: '/v1/cluster/sso/saml/slo',
    access: 'open',
    summary: 'Where browsers come back to after signing out at the identity provider',
    refusals: ['unsupported_feature'],
    handle: afterLogout,
  },
]

function readMetadata(_request: ApiRequest, { state, apiPort }: Parts): Answer {
  const certificate = state.certificates.get('sso_service')?.value.certificate
  if (certificate === undefined)
    return refuse('missing_certificate', { description: 'Upload the certificate sso_service first.' })
  const clusterName = state.cluster.get('')?.value.name ?? ''
  const text = serviceMetadata(serviceOf(state, apiPort), clusterName, certificate)
  return { file: Readable.from([text]), name: 'sp-metadata.xml' }
}
