/**
 * The HTTPS face: takes the table of routes and serves it. What every request has in common happens here and in the
 * files beside this one: who is calling and whether they may, bodies, headers, errors. Routes know nothing of HTTP beyond
 * their row of the table.
 *
 * It stands on node:https and a router, without a framework: one costs as much per request as all of our own work.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Socket } from 'node:net'
import Router from 'find-my-way'
import { refuse } from '../errors.ts'
import type { Parts } from '../parts.ts'
import { readBody } from './body.ts'
import { type ConnectionLimits, Connections } from './connections.ts'
import { Exchange } from './exchange.ts'
import { admit } from './gate.ts'
import { refuseRaw, sendAnswer, sendRefusal, toRefusal } from './reply.ts'
import type { Answer, Route } from './route.ts'

export type Certificate = { readonly key: string; readonly cert: string }

/** What new connections meet. */
export type Presented = {
  readonly certificate: Certificate
  /** PEM of whose client certificates count; without it none is asked for, so that no browser bothers people about theirs. */
  readonly trusted: string | undefined
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3'
  /** Undefined: as Node.js chooses. */
  readonly ciphers: string | undefined
}

/** What a caller may take; only tests have others. */
export type ListenerLimits = ConnectionLimits & {
  /** A request that is not in by then is somebody holding a connection open. */
  readonly requestMs: number
  /** The same of its headers, and of the first request of a connection. */
  readonly headersMs: number
  readonly handshakeMs: number
  readonly keepAliveMs: number
  /** How often that is looked at. */
  readonly lookEveryMs: number
}

const LIMITS: ListenerLimits = {
  requestMs: 30_000,
  headersMs: 30_000,
  handshakeMs: 10_000,
  // Longer than the idle time of common load balancers, so that they close first.
  keepAliveMs: 75_000,
  lookEveryMs: 3_000,
  // An idle one takes some 40 kB: at most 160 MB of them.
  connections: 4_096,
  // Load balancers and proxies have one address for many people.
  connectionsEach: 1_024,
}
const CLOSE_PATIENCE_MS = 3_000
const LONGEST_PARAMETER = 256
const ALL_METHODS = ['GET', 'PUT', 'POST', 'DELETE', 'PATCH', 'HEAD', 'OPTIONS'] as const
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** What a method of a path leads to: a route, or the methods that the path has instead. */
type Target = { readonly route: Route } | { readonly route?: undefined; readonly allow: string }

export class Listener {
  readonly #parts: Parts
  readonly #server: Server
  readonly #connections: Connections
  readonly #router = Router({
    ignoreTrailingSlash: true,
    ignoreDuplicateSlashes: true,
    maxParamLength: LONGEST_PARAMETER,
  })
  #isClosing = false

  constructor(parts: Parts, routes: readonly Route[], certificate: Certificate, limits: ListenerLimits = LIMITS) {
    this.#parts = parts
    for (const route of routes) this.#register(route.method, route.path, { route })
    this.#registerOtherMethods(routes)
    this.#server = createServer(
      {
        ...certificate,
        minVersion: 'TLSv1.2',
        ALPNProtocols: ['http/1.1'],
        requestTimeout: limits.requestMs,
        headersTimeout: limits.headersMs,
        handshakeTimeout: limits.handshakeMs,
        keepAliveTimeout: limits.keepAliveMs,
        connectionsCheckingInterval: limits.lookEveryMs,
      },
      (request, response) => this.#serve(request, response),
    )
    // Told to go on only when the body is read: what is refused before need not be sent.
    this.#server.on('checkContinue', (request, response) => this.#serve(request, response))
    this.#connections = new Connections(limits)
    this.#server.on('connection', (socket) => socket instanceof Socket && this.#connections.opened(socket))
    this.#server.on('secureConnection', (socket) => this.#connections.secured(socket))
    this.#server.on('clientError', (error, socket) => {
      // An answer to somebody with whom there is no TLS would wait for it for ever.
      if (this.#connections.isSecured(socket)) refuseRaw(parts, error, socket)
      else socket.destroy()
    })
  }

  /** Resolves when requests are answered. Rejects with the system's error, e.g. EADDRINUSE. */
  async listen(host: string, port: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once('error', reject)
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject)
        resolve()
      })
    })
  }

  /** New connections meet this from now on; those that are open stay as they are. */
  present({ certificate, trusted, minVersion, ciphers }: Presented): void {
    this.#server.setSecureContext({
      ...certificate,
      ...(trusted ? { ca: trusted } : {}),
      ...(ciphers ? { ciphers } : {}),
      minVersion,
    })
    // Read by each new connection. Whoever shows none, or a wrong one, is told so in an answer that can be read.
    Object.assign(this.#server, { requestCert: trusted !== undefined, rejectUnauthorized: false })
  }

  /** Requests under way are answered, if that does not take for ever. */
  async close(): Promise<void> {
    this.#isClosing = true
    const force = setTimeout(() => this.#connections.closeAll(), CLOSE_PATIENCE_MS)
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
    clearTimeout(force)
  }

  #register(method: (typeof ALL_METHODS)[number], path: string, target: Target): void {
    this.#router.on(method, routerPath(path), () => {}, target)
    if (method === 'GET' && target.route) this.#router.on('HEAD', routerPath(path), () => {}, target)
  }

  /** A path that exists answers 405 to the methods that it does not have, and OPTIONS with those that it has. */
  #registerOtherMethods(routes: readonly Route[]): void {
    const shapeOf = (path: string) => routerPath(path).replace(/:\w+/g, ':any')
    const methodsOf = Map.groupBy(routes, ({ path }) => shapeOf(path))
    for (const [, alike] of methodsOf) {
      const methods = new Set<string>(alike.map(({ method }) => method))
      if (methods.has('GET')) methods.add('HEAD')
      const others = ALL_METHODS.filter((method) => !methods.has(method))
      const allow = [...methods, 'OPTIONS'].join(', ')
      const [first] = alike
      if (first) for (const method of others) this.#register(method, first.path, { allow })
    }
  }

  #serve(request: IncomingMessage, response: ServerResponse): void {
    if (this.#isClosing) response.shouldKeepAlive = false
    const exchange = new Exchange(request, response)
    this.#connections.asked(request, response, exchange.startedAtMs)
    try {
      const done = this.#answer(exchange)
      if (done instanceof Promise)
        done.catch((error) => sendRefusal(this.#parts, exchange, toRefusal(error, this.#parts)))
    } catch (error) {
      sendRefusal(this.#parts, exchange, toRefusal(error, this.#parts))
    }
  }

  /** At once where nothing has to be waited for: most requests are reads from memory. */
  #answer(exchange: Exchange): void | Promise<void> {
    const { method = '', url = '' } = exchange.request
    const found = this.#router.find(asMethod(method), url)
    const target: Target | undefined = found?.store ?? undefined
    if (!found || !target) return this.#answerNothingThere(exchange)
    if (!target.route && method === 'OPTIONS') {
      return sendAnswer(this.#parts, exchange, { json: '{}', headers: { allow: target.allow } })
    }
    exchange.found(found)
    exchange.route = target.route
    const allowed = admit(this.#parts, exchange, target.route)
    return allowed instanceof Promise
      ? allowed.then(() => this.#handle(exchange, target))
      : this.#handle(exchange, target)
  }

  #handle(exchange: Exchange, target: Target): void | Promise<void> {
    const { method = '' } = exchange.request
    if (!target.route) {
      const { allow } = target
      return refuse('method_not_allowed', {
        description: `${method} is not possible here; ${allow} is.`,
        headers: { allow },
      })
    }
    const { handle, isForm, ignoresBody } = target.route
    if (ignoresBody || WITHOUT_BODY.has(method)) return this.#send(exchange, handle(exchange, this.#parts))
    return readBody(exchange, isForm).then((body) => {
      exchange.body = body
      return this.#send(exchange, handle(exchange, this.#parts))
    })
  }

  #send(exchange: Exchange, answer: Answer | Promise<Answer>): void | Promise<void> {
    return answer instanceof Promise
      ? answer.then((late) => sendAnswer(this.#parts, exchange, late))
      : sendAnswer(this.#parts, exchange, answer)
  }

  /** Who may not come in does not learn either what is there and what is not. */
  async #answerNothingThere(exchange: Exchange): Promise<void> {
    await admit(this.#parts, exchange, undefined)
    const [path] = (exchange.request.url ?? '').split('?')
    refuse('not_found', { description: `There is nothing at ${path}.` })
  }
}

/** The router's type has the methods that it knows; any other it does not find. */
function asMethod(method: string): Router.HTTPMethod {
  return method as Router.HTTPMethod
}

/** `/v1/bdbs/{uid}` as the router writes it. */
function routerPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}
