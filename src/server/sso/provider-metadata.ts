/**
 * The metadata of an identity provider, as it is uploaded: what it is called, and where people sign in and out. The
 * certificates in it are not used: which one signs is said once, by the certificate `sso_issuer`.
 */
import type { Element } from '@xmldom/xmldom'
import type { SsoSettings } from '#model/sso.ts'
import { refuse } from '../errors.ts'
import { attributeOf, childrenOf, isElement, parseXml, type XmlLimits } from './xml.ts'

const METADATA = 'urn:oasis:names:tc:SAML:2.0:metadata'
const REDIRECT = 'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect'
const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/
/** Some list every claim that they know. */
const LIMITS: XmlLimits = { characters: 524_288, tags: 20_000, attributes: 20_000, depth: 32 }
const LONGEST = 1_024
const HTTP_URL = /^https?:\/\/[^\s<>"]{1,2040}$/

/** Rejects with a Refusal. */
export async function readProviderMetadata(base64: string): Promise<SsoSettings['issuer']> {
  const field = 'idp_metadata'
  const unreadable = (why: string) =>
    refuse('saml_metadata_parsing_error', { field, description: `idp_metadata cannot be read: ${why}.` })
  if (!BASE64.test(base64)) return unreadable('it is not in Base64')
  const entity = await parseXml(Buffer.from(base64, 'base64').toString('utf8'), LIMITS).catch((error) =>
    unreadable(error instanceof Error ? error.message : String(error)),
  )
  const lacking = (what: string) =>
    refuse('saml_metadata_validation_error', { field, description: `The metadata lacks ${what}.` })
  if (!isElement(entity, METADATA, 'EntityDescriptor')) return lacking('an EntityDescriptor that all the rest is in')
  const id = attributeOf(entity, 'entityID')
  if (id === '' || id.length > LONGEST) return lacking('an entityID')
  const [provider, ...more] = childrenOf(entity, METADATA, 'IDPSSODescriptor')
  if (!provider || more.length > 0) return lacking('one IDPSSODescriptor')
  const login = locationOf(provider, 'SingleSignOnService')
  if (!HTTP_URL.test(login)) return lacking('a SingleSignOnService with HTTP-Redirect and an address')
  const logout = locationOf(provider, 'SingleLogoutService')
  if (logout !== '' && !HTTP_URL.test(logout)) return lacking('an address of its SingleLogoutService')
  return { id, login_url: login, logout_url: logout }
}

function locationOf(provider: Element, name: string): string {
  const service = childrenOf(provider, METADATA, name).find((one) => attributeOf(one, 'Binding') === REDIRECT)
  return service ? attributeOf(service, 'Location') : ''
}
