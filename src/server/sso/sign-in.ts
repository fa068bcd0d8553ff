/**
 * Signing in and out through the identity provider. Whoever brings an assertion that counts gets a token; whoever does
 * not learns nothing but that, and the log says why. Each assertion is written down, in the same transaction as a user
 * that comes to be by it, before anything is answered.
 */
import { createHash } from 'node:crypto'
import { setImmediate } from 'node:timers/promises'
import type { UserDocument } from '#model/documents/access.ts'
import type { SsoLoginDocument } from '#model/documents/sso.ts'
import type { State } from '#store/state.ts'
import { type Drawn, writeAccess } from '../access/changes.ts'
import { refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import { networkOf } from '../http/network.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import type { Identity } from '../users/identity.ts'
import { TOKEN_TTL_SECONDS } from '../users/tokens.ts'
import { type Assertion, NoLogin } from './assertion.ts'
import { userFrom } from './newcomers.ts'
import { isSsoOn, ssoLoginOf } from './rules.ts'
import { loginUrl, logoutUrl, readLogin, type SamlSide } from './saml.ts'
import { serviceOf, ssoSettings } from './settings.ts'

/** When the identity provider does not say how long. */
const LONGEST_LOGIN_MS = 8 * 3_600_000
/** Those that still stand, and those whose assertion could still be shown again. */
const MOST_LOGINS = 20_000
const TRIES = 20

/** Sends a browser to the identity provider. */
export async function beginLogin(_request: ApiRequest, parts: Parts): Promise<Answer> {
  const side = sideOf(parts)
  return { redirect: await loginUrl(side, parts.sso.requestIds.issue(parts.now())) }
}

/** Takes the assertion that a browser brings. */
export async function acceptAssertion(request: ApiRequest, parts: Parts): Promise<Answer> {
  const side = sideOf(parts)
  const { SAMLResponse: response } = objectBody(request.body ?? {})
  if (typeof response !== 'string' || response === '')
    return refuse('missing_param', { field: 'SAMLResponse', description: 'The form must have a SAMLResponse.' })
  if (!(await parts.sso.line.enter(networkOf(request.remoteAddress), '')))
    return refuse('too_many_logins', { headers: { 'retry-after': '5' } })
  try {
    // Whoever else has asked for something is answered between two of these.
    await setImmediate()
    const caller = await enter(parts, side, response)
    const token = await parts.credentials.issueToken(caller, TOKEN_TTL_SECONDS)
    return { json: { access_token: token }, headers: { 'cache-control': 'no-store' }, caller }
  } catch (error) {
    if (!(error instanceof NoLogin)) throw error
    parts.sso.tell(error.message)
    return refuse('sso_login_failed')
  } finally {
    parts.sso.line.leave()
  }
}

/** Ends the login that the caller's token stands for, and says where it ends at the identity provider, too. */
export async function endLogin({ caller }: ApiRequest, parts: Parts): Promise<Answer> {
  const { ssoLogins, view } = parts.state
  const id = caller?.ssoLogin
  const login = id === undefined ? undefined : ssoLoginOf(parts.state, id, parts.now())
  if (id === undefined || !login) return refuse('no_sso_login')
  const side = sideOf(parts)
  const isThere = side.issuer.logout_url !== ''
  const url = isThere ? await logoutUrl(side, parts.sso.requestIds.issue(parts.now()), login) : ''
  const changes = [ssoLogins.put(id, { ...login, endsAtMs: parts.now() })]
  await view.commit({ compare: [], changes, configuration: false })
  return { json: { logout_url: url }, headers: { 'cache-control': 'no-store' } }
}

/** Where browsers come back to: the login here has ended before they went, so there is nothing left to do. */
export function afterLogout({ query }: ApiRequest): Answer {
  if (query.SAMLRequest === undefined) return { json: null }
  const description = 'Identity providers cannot end a login here; its user can.'
  return refuse('unsupported_feature', { field: 'SAMLRequest', description })
}

/** Throws a Refusal while SSO is off. */
function sideOf({ state, apiPort }: Parts): SamlSide {
  if (!isSsoOn(state)) return refuse('sso_off')
  const { certificates } = state
  const service = certificates.get('sso_service')?.value
  const issuer = certificates.get('sso_issuer')?.value
  if (!service || !issuer) return refuse('missing_certificate')
  return {
    service: serviceOf(state, apiPort),
    issuer: ssoSettings(state).issuer,
    issuerCertificates: issuer.certificate,
    privateKey: service.key,
  }
}

async function enter(parts: Parts, side: SamlSide, response: string): Promise<Identity> {
  const { state } = parts
  const configured = state.sso.get('')
  const nowMs = parts.now()
  const isOurRequest = (id: string) => parts.sso.requestIds.isOurs(id, nowMs)
  const assertion = await readLogin(side, response, { isOurRequest, nowMs })
  const email = only(assertion, 'email')
  const id = createHash('sha256').update(`${side.issuer.id}\n${assertion.id}`).digest('base64url')
  const login = {
    sinceMs: configured?.value.sinceMs ?? 0,
    endsAtMs: Math.min(assertion.sessionEndsAtMs, nowMs + LONGEST_LOGIN_MS),
    assertionEndsAtMs: assertion.endsAtMs,
    nameId: assertion.nameId,
    nameIdFormat: assertion.nameIdFormat,
    sessionIndex: assertion.sessionIndex,
  }
  const { ssoLogins, users, sso, view } = state
  for (let tries = 0; tries < TRIES; tries++) {
    checkIsNew(state, id)
    if (sso.get('') !== configured) throw new NoLogin('SSO was changed meanwhile')
    const user = userNamed(state, email)
    if (!user) return await enterAsNewcomer(parts, { id, email, login, assertion })
    if (parts.credentials.statusOf(user.value) === 'locked') throw new NoLogin('the user is locked out')
    const outcome = await view.commit({
      compare: [
        ssoLogins.unchanged(id, undefined),
        users.unchanged(user.value.uid, user),
        sso.unchanged('', configured),
      ],
      changes: [ssoLogins.put(id, { ...login, userUid: user.value.uid })],
      configuration: false,
    })
    if (outcome.committed) return parts.credentials.ssoIdentity(user.value, id)
  }
  return refuse('busy', { description: 'Too many changes at the same time; try again.' })
}

type Newcomer = {
  readonly id: string
  readonly email: string
  readonly login: Omit<SsoLoginDocument, 'userUid'>
  readonly assertion: Assertion
}

/** Somebody who was never here: becomes a user, with the roles that the identity provider says. */
async function enterAsNewcomer(parts: Parts, { id, email, login, assertion }: Newcomer): Promise<Identity> {
  const { ssoLogins, users, sso } = parts.state
  const configured = sso.get('')
  const made = await writeAccess(parts, ({ uidOf }: Drawn) => {
    checkIsNew(parts.state, id)
    if (sso.get('') !== configured) throw new NoLogin('SSO was changed meanwhile')
    const user: UserDocument = userFrom(parts, {
      email,
      mapping: assertion.attributes.get('redisRoleMapping') ?? [],
      uidOf,
    })
    return {
      changes: [users.put(user.uid, user), ssoLogins.put(id, { ...login, userUid: user.uid })],
      compare: [
        users.unchanged(user.uid, undefined),
        ssoLogins.unchanged(id, undefined),
        sso.unchanged('', configured),
      ],
      result: user,
    }
  })
  const description = 'Signed in by SSO for the first time.'
  const facts = { originator: made.email, user_uid: made.uid, object_uid: String(made.uid), description }
  parts.events.record({ type: 'user_created', severity: 'INFO', ...facts })
  return parts.credentials.ssoIdentity(made, id)
}

function checkIsNew({ ssoLogins }: State, id: string): void {
  if (ssoLogins.get(id)) throw new NoLogin('the assertion has been used before')
  if (ssoLogins.size >= MOST_LOGINS) refuse('too_many_logins', { headers: { 'retry-after': '60' } })
}

function userNamed({ users }: State, email: string) {
  const wanted = email.toLowerCase()
  for (const user of users.values()) if (user.value.email.toLowerCase() === wanted) return user
  return undefined
}

function only({ attributes }: Assertion, name: string): string {
  const [value = '', ...more] = attributes.get(name) ?? []
  if (value === '' || more.length > 0) throw new NoLogin(`the assertion needs one attribute ${name}`)
  return value
}
