/**
 * What stands before every route: the headers that must make sense, the cluster that must exist, the caller who must be
 * somebody and must be allowed.
 */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { isPermission } from '#model/permissions.ts'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import { isAuthorized, type SubjectRule } from '../users/client-certificates.ts'
import type { Exchange } from './exchange.ts'
import { type Caller, databaseParameter, type Route } from './route.ts'

/** Throws a Refusal, or rejects with one, unless the request may go on. Undefined: it may, right now. */
export function admit(parts: Parts, exchange: Exchange, route: Route | undefined): Promise<void> | undefined {
  const { request } = exchange
  checkHeaders(exchange, route?.file)
  if (!parts.bootstrap.isDone) {
    if (route?.beforeBootstrap) return undefined
    refuse('not_bootstrapped')
  }
  const access = route?.access
  if (access === 'open') return undefined
  const certificate = clientCertificate(parts, request.socket)
  const identity =
    request.headers.authorization === undefined && certificate
      ? parts.credentials.checkCertificate(certificate)
      : parts.credentials.check(request.headers.authorization, request.socket)
  const enter = (who: Awaited<typeof identity>): void => {
    if (!who) refuse('unauthorized', { headers: { 'www-authenticate': 'Basic realm="Holdfast", charset="UTF-8"' } })
    exchange.caller = who
    if (who.mustChangePassword && access !== 'own-password') refuse('password_expired')
    if (route) checkRights(exchange, route, who)
  }
  return identity instanceof Promise ? identity.then(enter) : (enter(identity) ?? undefined)
}

/**
 * The certificate that the caller has shown, if it is one that is trusted. Throws a Refusal when the cluster wants one of
 * everybody.
 */
function clientCertificate({ state }: Parts, socket: Socket): X509Certificate | undefined {
  const settings = state.cluster.get('')?.value.settings ?? {}
  const isTrusted = socket instanceof TLSSocket && socket.authorized
  const shown = isTrusted ? socket.getPeerX509Certificate() : undefined
  const rule = settings.mtls_client_cert_subject_validation_type
  const subjects = Array.isArray(settings.mtls_authorized_subjects) ? settings.mtls_authorized_subjects : []
  const certificate = shown && isAuthorized(shown, isRule(rule) ? rule : 'disabled', subjects) ? shown : undefined
  if (settings.mtls_certificate_authentication === true && !certificate) refuse('client_certificate_required')
  return certificate
}

function isRule(value: unknown): value is SubjectRule {
  return value === 'disabled' || value === 'san_cn' || value === 'full_subject'
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

/** `file`: the media type of what the route answers with, where that is no JSON. A `+xml` is a kind of XML, too. */
function checkHeaders({ request }: Exchange, file: string | undefined): void {
  const { accept, 'x-api-version': version } = request.headers
  const isFine = accept === undefined || /json|\*\/\*|application\/\*/i.test(accept)
  if (!isFine && !(file && (accept.includes(file) || accept.includes(file.replace(/.*\//, '+')))))
    refuse('invalid_header', {
      field: 'accept',
      description: `The accept header must allow ${file ?? 'application/json'}.`,
    })
  if (version !== undefined && !/^v?[12]$/.test(String(version))) refuse('unsupported_api_version')
}
