/**
 * The certificates of the cluster. What is replaced takes effect at once: connections that are open stay, new ones are
 * shown the new certificate.
 */
import { X509Certificate } from 'node:crypto'
import {
  CERTIFICATE_NAMES,
  type CertificateName,
  INTERNAL_CERTIFICATES,
  isCertificateName,
  OPTIONAL_CERTIFICATES,
  OWN_CERTIFICATES,
  RSA_CERTIFICATES,
  TRUST_CERTIFICATES,
} from '#model/certificate-names.ts'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import type { Change, Compare } from '#store/contract.ts'
import { checkStateId, expectedStateId } from '../databases/locks.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { isSsoOn } from '../sso/rules.ts'
import { checkAlone, checkPair, checkRsa, checkTrusted } from './check.ts'
import { ownCertificate } from './own.ts'

type Named = { readonly name: CertificateName; readonly value: CertificateDocument }

export function readCertificate(_request: ApiRequest, { state }: Parts): Answer {
  const shown = CERTIFICATE_NAMES.flatMap((name) => {
    const held = state.certificates.get(name)
    return held ? [[`${name}_cert`, held.value.certificate]] : []
  })
  return { json: Object.fromEntries(shown) }
}

export async function replaceCertificates(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { certificates, ...rest } = objectBody(request.body)
  refuseUnknown(rest, 'certificates')
  if (!Array.isArray(certificates) || certificates.length === 0) {
    const description = 'certificates must be a list of {name, certificate, key}.'
    return refuse(certificates === undefined ? 'missing_field' : 'invalid_field', {
      field: 'certificates',
      description,
    })
  }
  const given = certificates.map((one, index) => checked(parts, objectBody(one), `certificates[${index}].`))
  const twice = given.find(({ name }, index) => given.findIndex((other) => other.name === name) !== index)
  if (twice) refuse('invalid_field', { field: 'certificates', description: `${twice.name} is there twice.` })
  return await put(request, parts, given)
}

export async function replaceCertificate(request: ApiRequest, parts: Parts): Promise<Answer> {
  return await put(request, parts, [checked(parts, objectBody(request.body), '')])
}

/** Anew: those that nobody outside has ever seen, or the named one whoever made it. */
export async function rotateCertificates(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { name, ...rest } = request.body === undefined ? {} : objectBody(request.body)
  refuseUnknown(rest, 'name')
  const isOwn = (one: string) => parts.state.certificates.get(one)?.value.isOwn === true
  const wanted =
    name === undefined ? INTERNAL_CERTIFICATES.filter(isOwn) : OWN_CERTIFICATES.filter((one) => one === name)
  if (name !== undefined && wanted.length === 0) {
    const description = `The cluster makes ${OWN_CERTIFICATES.join(', ')} itself, and no other.`
    refuse('certificate_not_found', { field: 'name', description })
  }
  const names = namesIn(parts)
  const made = await Promise.all(
    wanted.map(async (one) => ({ name: one, value: await ownCertificate(names, parts.now()) })),
  )
  return await put(request, parts, made)
}

export async function deleteCertificate(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { certificates, view } = parts.state
  const name = request.params.certificate_name ?? ''
  if (!certificates.get(name) || !isCertificateName(name)) return refuse('certificate_not_found')
  if (!OPTIONAL_CERTIFICATES.some((one) => one === name)) return refuse('certificate_required')
  const settings = parts.state.cluster.get('')?.value.settings ?? {}
  const isNeeded =
    settings.mtls_certificate_authentication === true || settings.control_plane_basic_authentication === false
  if (name === 'mtls_trusted_ca' && isNeeded) {
    const description =
      'Callers of the API are known by certificates that it trusts: change that first, in PUT /v1/cluster.'
    refuse('certificate_required', { description })
  }
  if (RSA_CERTIFICATES.some((one) => one === name) && isSsoOn(parts.state)) {
    const description = 'People sign in by SSO with it: turn that off first, in PUT /v1/cluster/sso.'
    refuse('certificate_required', { description })
  }
  const compare = [parts.state.sso.unchanged('', parts.state.sso.get(''))]
  const outcome = await view.commit({ compare, changes: [certificates.delete(name)], configuration: true })
  if (!outcome.committed) return refuse('busy', { description: 'SSO was changed at this moment; try again.' })
  return { json: null }
}

async function put(request: ApiRequest, parts: Parts, given: readonly Named[]): Promise<Answer> {
  const { certificates, view } = parts.state
  const ifStateId = expectedStateId(request)
  checkStateId(parts, ifStateId)
  if (given.length === 0) return { json: null }
  const logins = endedLogins(parts, given)
  const changes = [...given.map(({ name, value }) => certificates.put(name, value)), ...logins.changes]
  const outcome = await view.commit({ compare: logins.compare, changes, configuration: true, ifStateId })
  if (outcome.committed) return { json: null }
  checkStateId(parts, ifStateId)
  return refuse('busy', { description: 'SSO was changed at this moment; try again.' })
}

/** Another certificate of the identity provider ends every login by SSO: whoever held the old key may have signed them. */
function endedLogins({ state, now }: Parts, given: readonly Named[]): { changes: Change[]; compare: Compare[] } {
  const { certificates, sso } = state
  const issuer = certificates.get('sso_issuer')
  const isOther = given.some(
    ({ name, value }) => name === 'sso_issuer' && value.certificate !== issuer?.value.certificate,
  )
  if (!isOther) return { changes: [], compare: [] }
  const configured = sso.get('')
  const compare = [sso.unchanged('', configured), certificates.unchanged('sso_issuer', issuer)]
  if (!configured) return { changes: [], compare }
  const sinceMs = Math.max(now(), configured.value.sinceMs + 1)
  return { changes: [sso.put('', { ...configured.value, sinceMs })], compare }
}

/** Throws a Refusal. `prefix`: where in the body it stands. */
function checked(parts: Parts, body: Readonly<Record<string, unknown>>, prefix: string): Named {
  const { name, certificate, key, ...rest } = body
  refuseUnknown(rest, 'name, certificate and key')
  if (!isCertificateName(name)) {
    const description = `${prefix}name must be one of ${CERTIFICATE_NAMES.join(', ')}.`
    return refuse(name === undefined ? 'missing_field' : 'invalid_field', { field: `${prefix}name`, description })
  }
  const nowMs = parts.now()
  const fields = { certificate: `${prefix}certificate`, key: `${prefix}key` }
  const isTrust = TRUST_CERTIFICATES.some((one) => one === name)
  if (isTrust) checkTrusted(certificate, nowMs, fields.certificate)
  else checkPair(certificate, key, nowMs, fields)
  if (name === 'data_internode_encryption') checkAlone(certificate, fields.certificate)
  if (RSA_CERTIFICATES.some((one) => one === name)) checkRsa(certificate, fields.certificate)
  return { name, value: { certificate: String(certificate), key: isTrust ? '' : String(key), isOwn: false } }
}

/** Throws a Refusal when there is anything left. */
export function refuseUnknown(rest: Readonly<Record<string, unknown>>, known: string): void {
  const [unknown] = Object.keys(rest)
  if (unknown === undefined) return
  const description = `There is no field ${JSON.stringify(unknown.slice(0, 40))} here, only ${known}.`
  refuse('unknown_field', { field: unknown, description })
}

/** Those of the certificate that the API shows: the names and addresses of the node are in it. */
function namesIn({ state }: Parts): [string, ...string[]] {
  const text = new X509Certificate(state.certificates.get('api')?.value.certificate ?? '').subjectAltName ?? ''
  const names = text.split(', ').map((entry) => entry.replace(/^(DNS|IP Address):/, ''))
  const [first = 'localhost', ...others] = names
  return [first, ...others]
}
