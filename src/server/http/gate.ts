/**
 * What stands before every route: the headers that must make sense, the cluster that must exist, the caller who must be
 * somebody and must be allowed.
 */
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import type { Exchange } from './exchange.ts'
import type { Route } from './route.ts'

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
    if (access === undefined || access === 'open-until-bootstrapped') return
    if (who.rights.may(access)) return
    refuse('insufficient_permissions', { description: `This needs the permission ${access}.` })
  }
  return identity instanceof Promise ? identity.then(enter) : (enter(identity) ?? undefined)
}

function checkHeaders({ request }: Exchange): void {
  const { accept, 'x-api-version': version } = request.headers
  if (accept !== undefined && !/json|\*\/\*|application\/\*/i.test(accept)) {
    refuse('invalid_header', { field: 'accept', description: 'The accept header must allow application/json.' })
  }
  if (version !== undefined && !/^v?[12]$/.test(String(version))) refuse('unsupported_api_version')
}
