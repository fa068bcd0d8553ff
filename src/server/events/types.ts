/**
 * What an event is called: the reference's names where it has one (bdb_created, user_updated, cluster_updated …), and
 * names made the same way for the rest, so that a new route needs no line here.
 */
import type { Refusal } from '../errors.ts'
import type { Route } from '../http/route.ts'

/** Requests of which the path does not say what they do. */
const OWN_NAMES: Readonly<Record<string, string>> = {
  'POST /v1/users/authorize': 'user_token_issued',
  'POST /v1/users/refresh_jwt': 'user_token_issued',
  'POST /v1/cluster/sso/saml/acs': 'user_token_issued',
  'POST /v1/cluster/sso/saml/logout': 'user_signed_out',
  'POST /v1/bdbs/{uid}/command': 'bdb_command_run',
  'POST /v1/local/services': 'services_operated',
  'POST /v1/services': 'services_operated',
  'POST /v1/bootstrap/{action}': 'cluster_created',
  'POST /v1/bootstrap/validate/{action}': 'bootstrap_validated',
  'DELETE /v1/actions/{uid}': 'action_cancelled',
  'DELETE /v2/actions/{uid}': 'action_cancelled',
}

const VERBS: Readonly<Record<string, string>> = { POST: 'created', PUT: 'updated', DELETE: 'deleted' }

/** Of a request that was carried out. What is below an object is part of it: a new password is `user_updated`. */
export function carriedOutType({ method, path }: Pick<Route, 'method' | 'path'>): string {
  const own = OWN_NAMES[`${method} ${path}`]
  if (own !== undefined) return own
  const [noun = '', ...below] = path.split('/').slice(2)
  const isWhole = below.length === 0 || (below.length === 1 && below[0]?.startsWith('{') && method !== 'POST')
  return `${noun.replace(/(?<!s)s$/, '')}_${isWhole ? VERBS[method] : 'updated'}`
}

export function refusedType({ code, status }: Pick<Refusal, 'code' | 'status'>): string {
  if (status === 401) return 'login_failed'
  if (code === 'too_many_logins') return 'login_refused'
  if (status === 403) return 'permission_denied'
  return 'request_refused'
}
