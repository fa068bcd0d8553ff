/**
 * How the LDAP directory is asked: one document of the cluster, changed in parts. The password in it is never shown.
 */
import { X509Certificate } from 'node:crypto'
import { changedLdap, type LdapSettings, ldapParser, ldapProblem, setQuery } from '#model/access/ldap.ts'
import { filledFilter } from '#model/access/ldap-text.ts'
import { changeAccess } from '../access/changes.ts'
import { refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { ldapSettings } from './settings.ts'

/** What is shown instead of the password, as the reference has it; sent back, it asks for nothing. */
const MASK = '***'
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g

export function renderLdap(settings: LdapSettings): Record<string, unknown> {
  return { ...settings, bind_pass: settings.bind_pass === '' ? '' : MASK }
}

/** Rejects with a Refusal. */
export async function updateLdap(request: ApiRequest, parts: Parts): Promise<LdapSettings> {
  const { ldap } = parts.state
  const { bind_pass: sent, ...others } = parseGiven(ldapParser, request, 'update')
  const given = sent === undefined || sent === MASK ? others : { ...others, bind_pass: sent }
  checkCertificates(given.ca_cert ?? '')
  await checkFilters(given)
  return await changeAccess(request, parts, () => {
    const settings = changedLdap(ldapSettings(parts.state), given)
    const problem = ldapProblem(settings)
    if (problem) refuse('illegal_fields_combination', problem)
    const { bind_pass: bindPassword, ...rest } = settings
    const changes = [ldap.put('', { settings: rest, bindPassword })]
    return { changes, compare: [ldap.unchanged('', ldap.get(''))], result: settings }
  })
}

export function deleteLdap(request: ApiRequest, parts: Parts): Promise<void> {
  const { ldap } = parts.state
  return changeAccess(request, parts, () => {
    const held = ldap.get('')
    return { changes: held ? [ldap.delete('')] : [], compare: [ldap.unchanged('', held)], result: undefined }
  })
}

function checkCertificates(pem: string): void {
  if (pem.trim() === '') return
  const certificates = pem.match(CERTIFICATE) ?? []
  const areReadable = certificates.length > 0 && certificates.every(isCertificate)
  if (!areReadable)
    refuse('invalid_field', {
      field: 'ca_cert',
      description: 'ca_cert must hold certificates in PEM that can be read.',
    })
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}

async function checkFilters(given: Partial<LdapSettings>): Promise<void> {
  const { FilterParser } = await import('ldapts')
  for (const field of ['user_dn_query', 'dn_group_query'] as const) {
    const query = setQuery(given[field] ?? {})
    if (!query) continue
    try {
      FilterParser.parseString(filledFilter(query.filter, { name: 'name', dn: 'cn=name' }))
    } catch {
      const description = `${field}.filter must be a search filter: "(&(objectClass=person)(cn=%u))".`
      refuse('invalid_field', { field: `${field}.filter`, description })
    }
  }
}
