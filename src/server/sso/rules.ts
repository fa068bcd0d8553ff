/**
 * What SSO means for those who call the API: which logins still stand, and for whom nothing else counts. Asked at every
 * request.
 */
import type { SsoLoginDocument } from '#model/documents/sso.ts'
import type { State } from '#store/state.ts'
import type { Identity } from '../users/identity.ts'

export function isSsoOn({ sso }: State): boolean {
  return sso.get('')?.value.settings.control_plane === true
}

/** Undefined when it is over, also because SSO has been off since, or the identity provider or its certificate is another one. */
export function ssoLoginOf(state: State, id: string, nowMs: number): SsoLoginDocument | undefined {
  const login = state.ssoLogins.get(id)?.value
  if (!login || nowMs >= login.endsAtMs || !isSsoOn(state)) return undefined
  return state.sso.get('')?.value.sinceMs === login.sinceMs ? login : undefined
}

/**
 * Whoever signs in by SSO may have a password all the same: for databases, where it counts. Here it would outlive what the
 * identity provider says. Administrators are spared, so that somebody can get in when the identity provider cannot.
 */
export function isSsoAlone(state: State, { userUid, rights }: Identity): boolean {
  if (rights.management.includes('admin')) return false
  const isEnforced = isSsoOn(state) && state.sso.get('')?.value.settings.enforce_control_plane === true
  return isEnforced || state.users.get(userUid)?.value.authMethod === 'sso'
}
