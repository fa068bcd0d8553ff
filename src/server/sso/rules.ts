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

/** Undefined when it is over, also because SSO has been off since, or the identity provider is another one. */
export function ssoLoginOf(state: State, id: string, nowMs: number): SsoLoginDocument | undefined {
  const login = state.ssoLogins.get(id)?.value
  if (!login || nowMs >= login.endsAtMs || !isSsoOn(state)) return undefined
  return state.sso.get('')?.value.sinceMs === login.sinceMs ? login : undefined
}

/** Administrators are spared, so that somebody can get in when the identity provider cannot. */
export function isEnforcedFor(state: State, { rights }: Identity): boolean {
  const isEnforced = isSsoOn(state) && state.sso.get('')?.value.settings.enforce_control_plane === true
  return isEnforced && !rights.management.includes('admin')
}
