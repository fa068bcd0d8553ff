/**
 * How people sign in by SSO: one document of the cluster, changed in parts, or as the identity provider's own metadata
 * has it.
 */
import { type SsoSettings, settableOf, ssoParser } from '#model/sso.ts'
import type { State } from '#store/state.ts'
import { changeAccess } from '../access/changes.ts'
import { refuseUnknown } from '../certificates/cluster.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import { parseGiven } from '../http/parse.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { readProviderMetadata } from './provider-metadata.ts'
import { serviceOf, ssoSettings } from './settings.ts'

const CERTIFICATES = ['sso_service', 'sso_issuer'] as const

export function renderSso({ state, apiPort }: Parts): Record<string, unknown> {
  const { issuer, service, ...others } = ssoSettings(state)
  const { entityId, acsUrl, sloUrl } = serviceOf(state, apiPort)
  return {
    ...others,
    issuer: { ...issuer, metadata: state.sso.get('')?.value.metadata ?? '' },
    service: { ...service, saml2: { entity_id: entityId, acs_url: acsUrl, slo_url: sloUrl } },
  }
}

/** Rejects with a Refusal, as do the others. */
export function updateSso(request: ApiRequest, parts: Parts): Promise<void> {
  const { state } = parts
  return changeAccess(request, parts, () => {
    const before = ssoSettings(state)
    const settings = settableOf({ ...before, ...parseGiven(ssoParser, request, 'update', before) })
    const isSameIssuer = JSON.stringify(settings.issuer) === JSON.stringify(before.issuer)
    return put(parts, settings, isSameIssuer ? (state.sso.get('')?.value.metadata ?? '') : '')
  })
}

export async function uploadMetadata(request: ApiRequest, parts: Parts): Promise<void> {
  const { state } = parts
  const { idp_metadata: metadata, ...rest } = objectBody(request.body)
  refuseUnknown(rest, 'idp_metadata')
  if (typeof metadata !== 'string' || metadata === '') {
    const description = 'idp_metadata must be the metadata of the identity provider, in Base64.'
    return refuse('missing_param', { field: 'idp_metadata', description })
  }
  const issuer = await readProviderMetadata(metadata)
  return await changeAccess(request, parts, () => put(parts, { ...ssoSettings(state), issuer }, metadata))
}

export function deleteSso(request: ApiRequest, parts: Parts): Promise<void> {
  const { sso, certificates } = parts.state
  return changeAccess(request, parts, () => ({
    changes: [sso.delete(''), ...CERTIFICATES.map((name) => certificates.delete(name))],
    compare: [sso.unchanged('', sso.get(''))],
    result: undefined,
  }))
}

function put({ state, now }: Parts, settings: SsoSettings, metadata: string) {
  const { sso, certificates } = state
  check(state, settings)
  const before = ssoSettings(state)
  const lastMs = sso.get('')?.value.sinceMs ?? 0
  const goesOn = before.control_plane === settings.control_plane && before.issuer.id === settings.issuer.id
  const sinceMs = goesOn ? lastMs : Math.max(now(), lastMs + 1)
  return {
    changes: [sso.put('', { settings, metadata, sinceMs })],
    compare: [
      sso.unchanged('', sso.get('')),
      // Neither can go away before it is on.
      ...CERTIFICATES.map((name) => certificates.unchanged(name, certificates.get(name))),
    ],
    result: undefined,
  }
}

function check(state: State, { control_plane, issuer, service }: SsoSettings): void {
  for (const name of ['login_url', 'logout_url'] as const) checkUrl(issuer[name], `issuer.${name}`)
  if (service.address !== '')
    checkUrl(service.address.includes('://') ? service.address : `https://${service.address}`, 'service.address')
  if (!control_plane) return
  for (const name of ['id', 'login_url'] as const) {
    const field = `issuer.${name}`
    if (issuer[name] === '') refuse('missing_param', { field, description: `SSO cannot be on without ${field}.` })
  }
  const missing = CERTIFICATES.filter((name) => !state.certificates.get(name))
  if (missing.length > 0) {
    const description = `SSO cannot be on without the certificate ${missing.join(' and ')}: PUT /v1/cluster/certificates.`
    refuse('missing_certificate', { field: 'control_plane', description })
  }
}

function checkUrl(url: string, field: string): void {
  if (url !== '' && !URL.canParse(url))
    refuse('invalid_field', { field, description: `${field} must be an address such as https://example.com:443.` })
}
