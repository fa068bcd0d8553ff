/**
 * What is said between us and the identity provider: our signed requests, and whether its answers are signed by it. The
 * library is loaded when SSO is used; what it leaves unchecked is checked in `assertion.ts`.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Element } from '@xmldom/xmldom'
import type { SsoLoginDocument } from '#model/documents/sso.ts'
import { type Assertion, type Expected, NoLogin, PROTOCOL, readAssertion, readResponse, SKEW_MS } from './assertion.ts'
import type { Service } from './settings.ts'
import { attributeOf, BadXml, descendantsOf, isElement, parseXml, type XmlLimits } from './xml.ts'

const DIGITAL_SIGNATURE = 'http://www.w3.org/2000/09/xmldsig#'
const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
const EMAIL_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
/** What identity providers send has some 30 elements, and one or two for each group of a person. */
const LIMITS: XmlLimits = { characters: 262_144, tags: 2_000, attributes: 2_000, depth: 32 }
/** SHA-1 is missing, and so is whatever the verifier might learn tomorrow. */
const STRONG: ReadonlySet<string> = new Set([
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256',
  'http://www.w3.org/2001/04/xmldsig-more#rsa-sha512',
  'http://www.w3.org/2001/04/xmlenc#sha256',
  'http://www.w3.org/2001/04/xmlenc#sha512',
])

export type SamlSide = {
  readonly service: Service
  readonly issuer: { readonly id: string; readonly login_url: string; readonly logout_url: string }
  /** PEM of whoever may sign for the identity provider. */
  readonly issuerCertificates: string
  /** PEM of the key that signs for us. */
  readonly privateKey: string
}

/** Where somebody signs in; `requestId` is what the answer will name. */
export async function loginUrl(side: SamlSide, requestId: string): Promise<string> {
  return await (await saml(side, requestId)).getAuthorizeUrlAsync('', undefined, {})
}

/** Where this login ends at the identity provider, too. */
export async function logoutUrl(side: SamlSide, requestId: string, login: SsoLoginDocument): Promise<string> {
  const { nameId: nameID, nameIdFormat: nameIDFormat, sessionIndex } = login
  const profile = { issuer: side.issuer.id, nameID, nameIDFormat, ...(sessionIndex === '' ? {} : { sessionIndex }) }
  return await (await saml(side, requestId)).getLogoutUrlAsync(profile, '', {})
}

/** `base64`: the response as the browser brings it. Rejects with NoLogin, whatever is wrong with it. */
export async function readLogin(side: SamlSide, base64: string, expected: Omit<Expected, 'issuer' | keyof Service>) {
  try {
    return await read(side, base64, { ...expected, ...side.service, issuer: side.issuer.id })
  } catch (error) {
    if (error instanceof NoLogin) throw error
    // What the parsers make of something hostile is its fault, and not ours.
    throw new NoLogin(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

async function read(side: SamlSide, base64: string, expected: Expected): Promise<Assertion> {
  const response = await parseXml(textIn(base64), LIMITS)
  if (!isElement(response, PROTOCOL, 'Response')) throw new NoLogin('it is no SAML response')
  checkAlgorithms(response)
  const verified = await (await saml(side, '')).validatePostResponseAsync({ SAMLResponse: base64 })
  const assertion = verified.profile?.getAssertionXml?.()
  if (assertion === undefined) throw new NoLogin('there is no assertion in the response')
  // The signature is of the whole response, so its attributes are the ones that were signed; of the assertion the signed
  // text itself is read.
  const answered = readResponse(response, expected)
  return readAssertion(await parseXml(assertion, LIMITS), expected, answered)
}

function textIn(base64: string): string {
  if (base64.length > (LIMITS.characters * 4) / 3) throw new BadXml(`it has more than ${LIMITS.characters} characters`)
  return Buffer.from(base64, 'base64').toString('utf8')
}

/** Of every signature in it, whoever's it is. */
function checkAlgorithms(response: Element): void {
  const digests = descendantsOf(response, DIGITAL_SIGNATURE, 'Reference').flatMap((reference) =>
    descendantsOf(reference, DIGITAL_SIGNATURE, 'DigestMethod'),
  )
  for (const method of [...descendantsOf(response, DIGITAL_SIGNATURE, 'SignatureMethod'), ...digests]) {
    const algorithm = attributeOf(method, 'Algorithm')
    if (!STRONG.has(algorithm)) throw new NoLogin(`it is signed with ${algorithm}, which is not accepted here`)
  }
}

async function saml(side: SamlSide, requestId: string) {
  const { service, issuer, issuerCertificates, privateKey } = side
  const { SAML } = await import('@node-saml/node-saml')
  const certificates = issuerCertificates.match(PEM_BLOCK) ?? []
  const key = createPrivateKey(privateKey).export({ type: 'pkcs8', format: 'pem' })
  return new SAML({
    issuer: service.entityId,
    audience: service.entityId,
    callbackUrl: service.acsUrl,
    entryPoint: issuer.login_url,
    logoutUrl: issuer.logout_url,
    idpCert: certificates.map((pem) => new X509Certificate(pem).toString()),
    privateKey: key,
    // Only what is in a response with the right signature is ever decrypted: nobody else can try the key.
    decryptionPvk: key,
    signatureAlgorithm: 'sha256',
    identifierFormat: EMAIL_FORMAT,
    disableRequestedAuthnContext: true,
    attributeConsumingServiceIndex: '1',
    acceptedClockSkewMs: SKEW_MS,
    wantAuthnResponseSigned: true,
    wantAssertionsSigned: true,
    generateUniqueId: () => requestId,
  })
}
