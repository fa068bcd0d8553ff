/**
 * How people sign in by SSO, as the cluster has it at this moment: for those who let them in, and for those who show it.
 */
import { type SsoSettings, ssoDefaults } from '#model/sso.ts'
import type { State } from '#store/state.ts'

/** What the identity provider knows us by. */
export type Service = { readonly entityId: string; readonly acsUrl: string; readonly sloUrl: string }

/** As they are now; the defaults where nobody has set any. */
export function ssoSettings({ sso }: State): SsoSettings {
  return Object.assign(ssoDefaults(), sso.get('')?.value.settings)
}

export function serviceOf(state: State, apiPort: number): Service {
  const { address } = ssoSettings(state).service
  const given = address === '' ? `${state.cluster.get('')?.value.name ?? 'localhost'}:${apiPort}` : address
  const base = given.includes('://') ? given : `https://${given}`
  return {
    entityId: `${base}/sp`,
    acsUrl: `${base}/v1/cluster/sso/saml/acs`,
    sloUrl: `${base}/v1/cluster/sso/saml/slo`,
  }
}
