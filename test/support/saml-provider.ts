/**
 * A SAML identity provider for tests: samlify reads the cluster's metadata, checks its requests, and signs what is said
 * of a person. What is said can be wrong in every way there is, and signed all the same.
 */
import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Constants, IdentityProvider, ServiceProvider, setSchemaValidator } from 'samlify'
import type { CleanUps } from './instance.ts'

// There is no schema validator within the library, and none is needed of what we make ourselves.
setSchemaValidator({ validate: () => Promise.resolve('as it is') })

const run = promisify(execFile)
const EMAIL_FORMAT = 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'
export const PROVIDER_ID = 'urn:sso:example:idp'
export const LOGIN_URL = 'https://idp.example.com/sso/saml'
export const LOGOUT_URL = 'https://idp.example.com/sso/slo'
export const SHA1 = Constants.algorithms.signature.RSA_SHA1
const SHA256 = Constants.algorithms.signature.RSA_SHA256
const { redirect } = Constants.namespace.binding

/** What is said; as long as nothing is changed, it is right. Times in milliseconds from now. */
export type Said = {
  readonly email: string
  readonly roles: readonly string[]
  readonly assertionId: string
  readonly inResponseTo: string
  /** Of the confirmation alone, where that is another one. */
  readonly confirmationInResponseTo: string
  readonly issuer: string
  readonly audience: string
  readonly recipient: string
  readonly destination: string
  readonly status: string
  readonly issuedMs: number
  readonly fromMs: number
  readonly untilMs: number
  readonly sessionMs: number
  /** Put in behind the attributes. */
  readonly extra: string
}

export type Signing = {
  readonly signer?: 'provider' | 'stranger'
  readonly algorithm?: string
  /** Without it both are. */
  readonly only?: 'response' | 'assertion'
  /** The assertion is, for the cluster. */
  readonly isEncrypted?: boolean
}

export class SamlProvider {
  readonly folder: string
  #service = { metadata: '', entityId: '', acsUrl: '' }

  constructor(folder: string) {
    this.folder = folder
  }

  async make(): Promise<void> {
    for (const name of ['provider', 'stranger', 'service']) {
      const files = ['-keyout', `${name}.key`, '-out', `${name}.crt`]
      const key = ['-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', `/CN=${name}`]
      await run('openssl', ['req', '-x509', ...key, ...files], { cwd: this.folder })
    }
  }

  read(name: string): Promise<string> {
    return readFile(join(this.folder, name), 'utf8')
  }

  /** From then on it speaks to whoever has this metadata. */
  trust(metadata: string): void {
    const { entityMeta } = ServiceProvider({ metadata })
    const acsUrl = String(entityMeta.getAssertionConsumerService('post'))
    this.#service = { metadata, entityId: entityMeta.getEntityID(), acsUrl }
  }

  async metadata(): Promise<string> {
    return (await this.#provider({})).getMetadata()
  }

  /** The id of the request that a browser brings; rejects unless whom it trusts has signed it. */
  async readRequest(location: string): Promise<string> {
    const { extract } = await (await this.#provider({})).parseLoginRequest(
      this.#cluster(),
      'redirect',
      fromUrl(location),
    )
    return String(extract.request?.id)
  }

  /** The same of a logout: whom it is about. */
  async readLogout(location: string): Promise<{ nameId: string; sessionIndex: string }> {
    const provider = await this.#provider({})
    const { extract } = await provider.parseLogoutRequest(this.#cluster(), 'redirect', fromUrl(location))
    return { nameId: String(extract.nameID), sessionIndex: String(extract.sessionIndex) }
  }

  /** What a browser then posts to the cluster. */
  async answer(said: Partial<Said> = {}, signing: Signing = {}): Promise<string> {
    const provider = await this.#provider(signing)
    const { entityId, acsUrl } = this.#service
    const context = responseXml({ audience: entityId, recipient: acsUrl, destination: acsUrl, ...said })
    const made = await provider.createLoginResponse(
      this.#cluster(signing.only),
      { extract: {} },
      'post',
      {},
      {
        customTagReplacement: () => ({ id: '', context }),
        encryptThenSign: signing.isEncrypted === true,
      },
    )
    return made.context
  }

  #cluster(only?: Signing['only']) {
    const { metadata } = this.#service
    const wanted =
      only === 'response' ? metadata.replace(/WantAssertionsSigned="true"/, 'WantAssertionsSigned="false"') : metadata
    return ServiceProvider({ metadata: wanted, wantMessageSigned: only !== 'assertion' })
  }

  async #provider({ signer = 'provider', algorithm = SHA256, isEncrypted = false }: Signing) {
    return IdentityProvider({
      entityID: PROVIDER_ID,
      privateKey: await this.read(`${signer}.key`),
      signingCert: await this.read(`${signer}.crt`),
      requestSignatureAlgorithm: algorithm,
      isAssertionEncrypted: isEncrypted,
      wantAuthnRequestsSigned: true,
      wantLogoutRequestSigned: true,
      nameIDFormat: [EMAIL_FORMAT],
      singleSignOnService: [{ Binding: redirect, Location: LOGIN_URL }],
      singleLogoutService: [{ Binding: redirect, Location: LOGOUT_URL }],
    })
  }
}

/** Cleaned up with the test. */
export async function makeSamlProvider(t: CleanUps): Promise<SamlProvider> {
  const folder = await mkdtemp(join(tmpdir(), 'saml-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  const provider = new SamlProvider(folder)
  await provider.make()
  return provider
}

function fromUrl(location: string) {
  const { search, searchParams } = new URL(location)
  return { query: Object.fromEntries(searchParams), octetString: search.slice(1).split('&Signature=')[0] ?? '' }
}

function responseXml(said: Partial<Said>): string {
  const { email = 'ada@example.com', roles = ['1'], inResponseTo = '', issuer = PROVIDER_ID } = said
  const { confirmationInResponseTo = inResponseTo, audience = '', recipient = '', destination = '' } = said
  const { issuedMs = 0, fromMs = -1_000, untilMs = 300_000, assertionId = `_${randomUUID()}`, extra = '' } = said
  const { status = Constants.StatusCode.Success, sessionMs } = said
  const at = (ms: number) => new Date(Date.now() + ms).toISOString()
  const to = (id: string) => (id === '' ? '' : ` InResponseTo="${id}"`)
  const head = (id: string) => `ID="${id}" Version="2.0" IssueInstant="${at(issuedMs)}"`
  const session = sessionMs === undefined ? '' : ` SessionNotOnOrAfter="${at(sessionMs)}"`
  const attribute = (name: string, values: readonly string[]) =>
    `<saml:Attribute Name="${name}">${values.map((value) => `<saml:AttributeValue>${value}</saml:AttributeValue>`).join('')}</saml:Attribute>`
  return `<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ${head(`_${randomUUID()}`)} Destination="${destination}"${to(inResponseTo)}>
<saml:Issuer>${issuer}</saml:Issuer><samlp:Status><samlp:StatusCode Value="${status}"/></samlp:Status>
<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" ${head(assertionId)}><saml:Issuer>${issuer}</saml:Issuer>
<saml:Subject><saml:NameID Format="${EMAIL_FORMAT}">${email}</saml:NameID>
<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><saml:SubjectConfirmationData NotOnOrAfter="${at(untilMs)}" Recipient="${recipient}"${to(confirmationInResponseTo)}/></saml:SubjectConfirmation></saml:Subject>
<saml:Conditions NotBefore="${at(fromMs)}" NotOnOrAfter="${at(untilMs)}"><saml:AudienceRestriction><saml:Audience>${audience}</saml:Audience></saml:AudienceRestriction></saml:Conditions>
<saml:AuthnStatement AuthnInstant="${at(issuedMs)}" SessionIndex="session-7"${session}><saml:AuthnContext><saml:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</saml:AuthnContextClassRef></saml:AuthnContext></saml:AuthnStatement>
<saml:AttributeStatement>${attribute('email', [email])}${roles.length === 0 ? '' : attribute('redisRoleMapping', roles)}</saml:AttributeStatement>${extra}</saml:Assertion></samlp:Response>`
}
