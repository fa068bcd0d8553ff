/**
 * The exporter's door: HTTPS on a port of its own, with the cluster's certificate for it, which is followed while it runs.
 * `/` and `/metrics` answer with the first version of the metrics, `/v2` with the second, `/v2/node` with that of this node
 * alone. It reads, and changes nothing; who may read is asked of whoever made it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { exporterRules } from '#model/metrics-config.ts'
import type { State } from '#store/state.ts'
import type { Scraper, Version } from './scrape.ts'

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

export type ExporterOptions = {
  readonly state: State
  readonly scraper: Pick<Scraper, 'tell'>
  readonly host: string
  readonly port: number
  /** Whether whoever asks may read metrics. */
  readonly mayRead: (request: IncomingMessage) => Promise<boolean>
  readonly log: { warn(facts: object, message: string): void }
}

export class ExporterServer {
  readonly #options: ExporterOptions
  readonly #server: Server
  readonly #stopFollowing: () => void
  #inFlight = 0

  constructor(options: ExporterOptions) {
    this.#options = options
    const { state } = options
    const timeouts = { requestTimeout: REQUEST_MS, headersTimeout: REQUEST_MS, handshakeTimeout: REQUEST_MS }
    this.#server = createServer({ minVersion: 'TLSv1.2', ...timeouts }, (request, response) => {
      this.#serve(request, response).catch((err: unknown) => {
        if (!request.socket.destroyed) options.log.warn({ err }, 'metrics were not told')
        response.destroy()
      })
    })
    this.#server.maxConnections = CONNECTIONS
    this.#stopFollowing = state.view.onChange((collection, id) => {
      if (collection === state.certificates && id === 'metrics_exporter') this.#showCertificate()
    })
    this.#showCertificate()
  }

  get isListening(): boolean {
    return this.#server.listening
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

  async close(): Promise<void> {
    this.#stopFollowing()
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
    })
  }

  #showCertificate(): void {
    const held = this.#options.state.certificates.get('metrics_exporter')?.value
    if (held) this.#server.setSecureContext({ key: held.key, cert: held.certificate, minVersion: 'TLSv1.2' })
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { scraper, mayRead } = this.#options
    const { method = '', url = '', headers } = request
    request.resume()
    const [path = ''] = url.split('?')
    const version = Object.hasOwn(VERSIONS, path) ? VERSIONS[path] : undefined
    if (!version)
      return say(response, 404, `There is nothing at this address; there are ${Object.keys(VERSIONS).join(', ')}.`)
    if (method !== 'GET' && method !== 'HEAD') return say(response, 405, 'Metrics can be read with GET only.')
    if (!(await mayRead(request))) {
      response.setHeader('www-authenticate', 'Basic realm="Holdfast", charset="UTF-8"')
      return say(response, 401, 'Metrics need the name and password of a user who may see all metrics.')
    }
    if (version !== 'v1' && !this.#hold(response)) return
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
  #hold(response: ServerResponse): boolean {
    const { requestsAtOnce } = exporterRules(this.#options.state.cluster.get('')?.value.metrics)
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
