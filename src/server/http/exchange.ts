/**
 * One request and its answer under way: what routes may ask about the request, read when it is asked for, because most
 * ask for little.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ApiRequest, Caller, Route } from './route.ts'

type Found = {
  readonly params: Readonly<Record<string, string | undefined>>
  readonly searchParams: Readonly<Record<string, unknown>>
}

export class Exchange implements ApiRequest {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** By the monotonic clock. */
  readonly startedAtMs = performance.now()
  caller: Caller | undefined
  route: Route | undefined
  /** Of what is recorded: the answer names it. */
  requestId: string | undefined
  body: unknown
  #found: Found | undefined

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request
    this.response = response
  }

  /** What the router made of the address. */
  found(found: Found): void {
    this.#found = found
  }

  get params(): Readonly<Record<string, string>> {
    return stringMap(this.#found?.params)
  }

  get query(): Readonly<Record<string, string>> {
    return stringMap(this.#found?.searchParams)
  }

  get remoteAddress(): string | undefined {
    return this.request.socket.remoteAddress
  }

  header(name: string): string | undefined {
    const value = this.request.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }
}

/** A parameter that is given twice counts as its last value. */
function stringMap(values: Readonly<Record<string, unknown>> | undefined): Readonly<Record<string, string>> {
  const map: Record<string, string> = {}
  for (const name in values) {
    const given = values[name]
    map[name] = String(Array.isArray(given) ? given.at(-1) : given)
  }
  return map
}
