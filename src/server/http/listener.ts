/**
 * The HTTPS face: takes the table of routes and serves it. What every request has in common happens here and only here:
 * the gate before there is a cluster, who is calling and whether they may, bodies, headers, errors. Routes know nothing
 * of HTTP beyond their row of the table.
 */
import { STATUS_CODES } from 'node:http'
import type { Server } from 'node:https'
import type { Socket } from 'node:net'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { permissionsOf } from '#model/permissions.ts'
import { StoreTrouble } from '#store/contract.ts'
import { errorBody, Refusal, type RefusalCode, refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import { notJson, parseBody } from './body.ts'
import type { Answer, ApiRequest, Caller, Route } from './route.ts'

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | undefined
  }
  interface FastifyReply {
    startedAtMs: number
  }
}

export type Certificate = { readonly key: string; readonly cert: string }

/** The largest object is a database with its certificates; a mebibyte is ten times that. */
const BODY_LIMIT_BYTES = 1_048_576
/** A request that is not in by then is somebody holding a connection open. */
const REQUEST_TIMEOUT_MS = 30_000
/** Longer than the idle time of common load balancers, so that they close first. */
const KEEP_ALIVE_MS = 75_000
const CLOSE_PATIENCE_MS = 3_000
const ALL_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD'] as const

export class Listener {
  readonly #app: FastifyInstance<Server>

  constructor(parts: Parts, routes: readonly Route[], certificate: Certificate) {
    this.#app = fastify({
      https: { ...certificate, minVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'] },
      bodyLimit: BODY_LIMIT_BYTES,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
      forceCloseConnections: 'idle',
      exposeHeadRoutes: true,
      routerOptions: { ignoreTrailingSlash: true, ignoreDuplicateSlashes: true, maxParamLength: 256 },
      frameworkErrors: (error, _request, reply) => {
        reply.startedAtMs = performance.now()
        sendRefusal(parts, reply, toRefusal(error, parts))
      },
      clientErrorHandler: (error, socket) => refuseRaw(parts, error, socket),
    })
    this.#app.decorateRequest('caller', undefined)
    this.#app.decorateReply('startedAtMs', 0)
    this.#app.removeAllContentTypeParsers()
    this.#app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
      try {
        done(null, parseBody(request.headers['content-type'], body))
      } catch (error) {
        done(error instanceof Error ? error : notJson())
      }
    })
    this.#app.setErrorHandler((error, _request, reply) => sendRefusal(parts, reply, toRefusal(error, parts)))
    this.#app.setNotFoundHandler(async (request, reply) => {
      reply.startedAtMs = performance.now()
      // Who may not come in does not learn either what is there and what is not.
      await admit(parts, request, undefined)
      const [path] = request.url.split('?')
      return refuse('not_found', { description: `There is nothing at ${path}.` })
    })
    for (const route of routes) this.#register(parts, route)
    this.#registerOtherMethods(parts, routes)
  }

  /** Resolves when requests are answered. Rejects with the system's error, e.g. EADDRINUSE. */
  async listen(host: string, port: number): Promise<void> {
    await this.#app.listen({ host, port })
  }

  /** New connections get this certificate; those that are open stay. */
  useCertificate(certificate: Certificate): void {
    this.#app.server.setSecureContext({ ...certificate, minVersion: 'TLSv1.2' })
  }

  /** Requests under way are answered, if that does not take for ever. */
  async close(): Promise<void> {
    const force = setTimeout(() => this.#app.server.closeAllConnections(), CLOSE_PATIENCE_MS)
    await this.#app.close()
    clearTimeout(force)
  }

  #register(parts: Parts, route: Route): void {
    this.#app.route({
      method: route.method,
      url: routerPath(route.path),
      onRequest: gate(parts, route),
      handler: (request, reply) => {
        const answer = route.handle(toApiRequest(request), parts)
        return answer instanceof Promise
          ? answer.then((late) => sendAnswer(parts, reply, late))
          : sendAnswer(parts, reply, answer)
      },
    })
  }

  /** A path that exists answers 405 to the methods that it does not have, and OPTIONS with those that it has. */
  #registerOtherMethods(parts: Parts, routes: readonly Route[]): void {
    const methodsOf = new Map<string, Set<string>>()
    for (const { path, method } of routes) {
      const shape = routerPath(path).replace(/:\w+/g, ':any')
      methodsOf.set(shape, (methodsOf.get(shape) ?? new Set<string>()).add(method))
    }
    const seen = new Set<string>()
    for (const { path } of routes) {
      const url = routerPath(path)
      const shape = url.replace(/:\w+/g, ':any')
      if (seen.has(shape)) continue
      seen.add(shape)
      const methods = methodsOf.get(shape) ?? new Set<string>()
      const allow = [...methods, ...(methods.has('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ')
      const others = ALL_METHODS.filter((method) => !methods.has(method === 'HEAD' ? 'GET' : method))
      this.#app.route({
        method: others,
        url,
        exposeHeadRoute: false,
        onRequest: gate(parts, undefined),
        handler: (request) =>
          refuse('method_not_allowed', {
            description: `${request.method} is not possible here; ${allow} is.`,
            headers: { allow },
          }),
      })
      this.#app.route({
        method: 'OPTIONS',
        url,
        onRequest: (_request, reply, done) => {
          reply.startedAtMs = performance.now()
          done()
        },
        handler: (_request, reply) => sendAnswer(parts, reply, { json: '{}', headers: { allow } }),
      })
    }
  }
}

/** What stands before a route, or before a path without one; made once, because requests are many. */
function gate(parts: Parts, route: Route | undefined) {
  return (request: FastifyRequest, reply: FastifyReply, done: (error?: Error) => void): void => {
    reply.startedAtMs = performance.now()
    const allowed = admit(parts, request, route)
    if (allowed === undefined) done()
    else allowed.then(() => done(), done)
  }
}

/** Throws a Refusal, or rejects with one, unless the request may go on. Undefined: it may, right now. */
function admit(parts: Parts, request: FastifyRequest, route: Route | undefined): Promise<void> | undefined {
  checkHeaders(request)
  if (!parts.bootstrap.isDone) {
    if (route?.beforeBootstrap) return undefined
    refuse('not_bootstrapped')
  }
  const access = route?.access
  if (access === 'open') return undefined
  const identity = parts.credentials.check(request.headers.authorization, request.raw.socket)
  const enter = (who: Awaited<typeof identity>): void => {
    if (!who) refuse('unauthorized', { headers: { 'www-authenticate': 'Basic realm="Holdfast", charset="UTF-8"' } })
    request.caller = who
    if (access === undefined || access === 'open-until-bootstrapped') return
    if (permissionsOf(who.managementRole).has(access)) return
    refuse('insufficient_permissions', { description: `This needs the permission ${access}.` })
  }
  return identity instanceof Promise ? identity.then(enter) : (enter(identity) ?? undefined)
}

function checkHeaders(request: FastifyRequest): void {
  const { accept, 'x-api-version': version } = request.headers
  if (accept !== undefined && !/json|\*\/\*|application\/\*/i.test(accept)) {
    refuse('invalid_header', { field: 'accept', description: 'The accept header must allow application/json.' })
  }
  if (version !== undefined && !/^v?[12]$/.test(String(version))) refuse('unsupported_api_version')
}

function toApiRequest(request: FastifyRequest): ApiRequest {
  const { headers } = request
  return {
    params: stringMap(request.params),
    query: stringMap(request.query),
    body: request.body,
    header: (name) => headerText(headers[name]),
    caller: request.caller,
  }
}

function headerText(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}

/** A parameter that is given twice counts as its last value. */
function stringMap(value: unknown): Record<string, string> {
  const map: Record<string, string> = {}
  if (!isRecord(value)) return map
  for (const name in value) {
    const given = value[name]
    map[name] = String(Array.isArray(given) ? given.at(-1) : given)
  }
  return map
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function sendAnswer(parts: Parts, reply: FastifyReply, { json, headers }: Answer): void {
  finish(parts, reply, 200, json === null ? '' : isReady(json) ? json : JSON.stringify(json), headers)
}

function isReady(json: Buffer | string | object): json is Buffer | string {
  return typeof json === 'string' || Buffer.isBuffer(json)
}

function sendRefusal(parts: Parts, reply: FastifyReply, refusal: Refusal): void {
  finish(parts, reply, refusal.status, errorBody(refusal), refusal.details.headers)
}

/**
 * Written past the framework: nothing hooks into replies, and its way through them costs as much as the whole request.
 */
function finish(
  parts: Parts,
  reply: FastifyReply,
  status: number,
  body: Buffer | string,
  headers: Readonly<Record<string, string>> | undefined,
): void {
  reply.hijack()
  const head = [
    'server',
    'holdfast',
    'content-type',
    'application/json',
    'content-length',
    String(Buffer.byteLength(body)),
    'cluster-state-id',
    String(parts.state.view.stateId),
    'x-envoy-upstream-service-time',
    String(Math.round(performance.now() - reply.startedAtMs)),
  ]
  for (const name in headers) head.push(name, headers[name] ?? '')
  reply.raw.writeHead(status, head)
  reply.raw.end(body)
}

/** What never became a request cannot be answered through the framework. */
function refuseRaw(parts: Parts, error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable) {
    socket.destroy()
    return
  }
  const refusal = rawRefusal(error.code)
  const body = errorBody(refusal)
  const head = [
    `HTTP/1.1 ${refusal.status} ${STATUS_CODES[refusal.status]}`,
    'content-type: application/json',
    `content-length: ${Buffer.byteLength(body)}`,
    `date: ${new Date(parts.now()).toUTCString()}`,
    `cluster-state-id: ${parts.state.view.stateId}`,
    'x-envoy-upstream-service-time: 0',
    'server: holdfast',
    'connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`)
}

function rawRefusal(code: string | undefined): Refusal {
  if (code === 'HPE_HEADER_OVERFLOW') return new Refusal('headers_too_large')
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return new Refusal('request_timeout')
  return new Refusal('bad_request', { description: 'This is not an HTTP request.' })
}

/** The one place where an error of any kind becomes something that a caller can read. */
function toRefusal(error: unknown, parts: Parts): Refusal {
  if (error instanceof Refusal) return error
  if (error instanceof StoreTrouble) {
    parts.log.warn({ err: error }, 'the state cannot be written')
    return new Refusal(STORE_CODES[error.kind])
  }
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  switch (status) {
    case 413:
      return new Refusal('body_too_large', { description: `A body may have ${BODY_LIMIT_BYTES} bytes at most.` })
    case 415:
      return new Refusal('unsupported_media_type')
    case 404:
      return new Refusal('not_found')
    case 500:
      parts.log.error({ err: error }, 'a request failed')
      return new Refusal('internal_error')
    default:
      return new Refusal('bad_request', error instanceof Error ? { description: error.message } : {})
  }
}

const STORE_CODES: Readonly<Record<StoreTrouble['kind'], RefusalCode>> = {
  full: 'disk_full',
  'read-only': 'disk_read_only',
  unreachable: 'store_unavailable',
  unknown: 'outcome_unknown',
  closed: 'store_unavailable',
}

/** `/v1/bdbs/{uid}` as the router writes it. */
function routerPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}
