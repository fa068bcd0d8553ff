/**
 * The exporter's door: HTTPS on a port of its own, with the cluster's certificate for it, which may change while it runs.
 * `/` and `/metrics` answer with the first version of the metrics, `/v2` with the second, `/v2/node` with that of this node
 * alone. Who may read is asked of whoever made it. Callers: the exporter's thread.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Admission, KeyPair, Version, Visitor } from './messages.ts'
import type { Scraper } from './scrape.ts'

const VERSIONS: Readonly<Record<string, Version>> = {
  '/': 'v1',
  '/metrics': 'v1',
  '/v2': 'v2',
  '/v2/': 'v2',
  '/v2/node': 'v2-node',
}
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const REQUEST_MS = 10_000
/** Those who scrape are few. */
const CONNECTIONS = 256
/** Text that is nearly the same over and over packs well at any level. */
const GZIP_LEVEL = 1

export type ServerOptions = {
  readonly scraper: Pick<Scraper, 'tell'>
  readonly host: string
  readonly port: number
  /** Whether whoever asks may read metrics, and how many may at once. */
  readonly admit: (visitor: Visitor) => Promise<Admission>
  readonly onTrouble: (error: Error) => void
}

export class ExporterServer {
  readonly #options: ServerOptions
  readonly #server: Server
  #inFlight = 0

  constructor(options: ServerOptions) {
    this.#options = options
    const timeouts = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, handshakeTimeout: REQUEST_MS }
    this.#server = createServer({ minVersion: 'TLSv1.2', ...timeouts }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        if (!request.socket.destroyed) options.onTrouble(error instanceof Error ? error : new Error(String(error)))
        response.destroy()
      })
    })
    this.#server.maxConnections = CONNECTIONS
  }

  /** Null: it listens. Otherwise why it does not, in words. */
  async start(): Promise<string | null> {
    const { host, port } = this.#options
    return await new Promise((resolve) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) =>
        resolve(error.code === 'EADDRINUSE' ? `port ${port} is in use by another program` : error.message),
      )
      this.#server.listen(port, host, () => resolve(null))
    })
  }

  /** Clients that connect from now on see this. */
  show({ key, certificate }: KeyPair): void {
    this.#server.setSecureContext({ key, cert: certificate, minVersion: 'TLSv1.2' })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { scraper, admit } = this.#options
    const { method = '', url = '', headers, socket } = request
    request.resume()
    const [path = ''] = url.split('?')
    const version = Object.hasOwn(VERSIONS, path) ? VERSIONS[path] : undefined
    if (!version)
      return say(response, 404, `There is nothing at this address; there are ${Object.keys(VERSIONS).join(', ')}.`)
    if (method !== 'GET' && method !== 'HEAD') return say(response, 405, 'Metrics can be read with GET only.')
    const { authorization } = headers
    const { mayRead, requestsAtOnce } = await admit({ authorization, remoteAddress: socket.remoteAddress })
    if (!mayRead) {
      response.setHeader('www-authenticate', 'Basic realm="Holdfast", charset="UTF-8"')
      return say(response, 401, 'Metrics need the name and password of a user who may see all metrics.')
    }
    if (version !== 'v1' && !this.#hold(response, requestsAtOnce)) return
    const isPacked = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''))
    await scraper.tell(version, async (text) => {
      const byteCount = text.reduce((sum, { length }) => sum + length, 0)
      response.writeHead(200, {
        'content-type': CONTENT_TYPE,
        ...(isPacked ? { 'content-encoding': 'gzip' } : { 'content-length': byteCount }),
      })
      if (method === 'HEAD') response.end()
      else await pass(text, isPacked, response)
    })
  }

  /** Whether there is a place for it among those that are answered at once: until it has its answer, or is gone. */
  #hold(response: ServerResponse, requestsAtOnce: number): boolean {
    if (this.#inFlight >= requestsAtOnce) {
      response.setHeader('retry-after', '1')
      say(response, 503, `${requestsAtOnce} requests are answered at once (max_requests_in_flight): try again.`)
      return false
    }
    this.#inFlight++
    response.once('close', () => {
      this.#inFlight--
    })
    return true
  }
}

/** Somebody who does not read the answer does not keep it. Rejects when it was not read. */
async function pass(text: readonly Buffer[], isPacked: boolean, response: ServerResponse): Promise<void> {
  const signal = AbortSignal.timeout(REQUEST_MS)
  const source = Readable.from(text)
  if (isPacked) await pipeline(source, createGzip({ level: GZIP_LEVEL }), response, { signal })
  else await pipeline(source, response, { signal })
}

function say(response: ServerResponse, status: number, text: string): void {
  const body = `${text}\n`
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
