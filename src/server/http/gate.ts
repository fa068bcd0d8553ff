/**
 * What stands before every route: the headers that must make sense, the cluster that must exist, the caller who must be
 * somebody and must be allowed.
 */
import { isPermission } from '#model/permissions.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import type { Exchange } from './exchange.ts'
import { type Caller, databaseParameter, type Route } from './route.ts'

/** Throws a Refusal, or rejects with one, unless the request may go on. Undefined: it may, right now. */
export function admit(parts: Parts, exchange: Exchange, route: Route | undefined): Promise<void> | undefined {
  const { request } = exchange
  checkHeaders(exchange)
  if (!parts.bootstrap.isDone) {
    if (route?.beforeBootstrap) return undefined
    refuse('not_bootstrapped')
  }
  const access = route?.access
  if (access === 'open') return undefined
  const identity = parts.credentials.check(request.headers.authorization, request.socket)
  const enter = (who: Awaited<typeof identity>): void => {
    if (!who) refuse('unauthorized', { headers: { 'www-authenticate': 'Basic realm="Holdfast", charset="UTF-8"' } })
    exchange.caller = who
    if (who.mustChangePassword && access !== 'own-password') refuse('password_expired')
    if (route) checkRights(exchange, route, who)
  }
  return identity instanceof Promise ? identity.then(enter) : (enter(identity) ?? undefined)
}

/** Somebody whose roles are limited to some databases must have the permission in the one that the path names. */
function checkRights({ params }: Exchange, { access, path }: Route, { rights }: Caller): void {
  if (!isPermission(access)) return
  const missing = { description: `This needs the permission ${access}.` }
  if (!rights.may(access)) refuse('insufficient_permissions', missing)
  if (!rights.isLimited) return
  const parameter = databaseParameter(path)
  const isAllowed =
    access === 'create_bdb'
      ? rights.mayEverywhere(access)
      : parameter === undefined || rights.mayIn(Number(params[parameter]), access)
  if (!isAllowed)
    refuse('insufficient_permissions', { description: `${missing.description} Roles limit it to others.` })
}

function checkHeaders({ request }: Exchange): void {
  const { accept, 'x-api-version': version } = request.headers
  if (accept !== undefined && !/json|\*\/\*|application\/\*/i.test(accept)) {
    refuse('invalid_header', { field: 'accept', description: 'The accept header must allow application/json.' })
  }
  if (version !== undefined && !/^v?[12]$/.test(String(version))) refuse('unsupported_api_version')
}
