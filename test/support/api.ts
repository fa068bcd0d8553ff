/**
 * A plain HTTPS client for tests: shows status, headers and body as they came.
 */
import { Agent, request } from 'node:https'

/** Longer than any answer takes, and less than a test may. */
const PATIENCE_MS = 60_000

export type Reply = {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  readonly bytes: Buffer
  /** The body as JSON; undefined when it is empty. Tests look into it freely. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
  readonly json: any
}

export type Call = {
  readonly body?: unknown
  /** Sent as it is, instead of `body`. */
  readonly raw?: string | Buffer
  readonly headers?: Readonly<Record<string, string>>
  readonly auth?: string | null
}

export class ApiClient {
  readonly #agent: Agent
  readonly port: number
  readonly auth: string

  /** `from`: an address of this machine that requests come from. */
  constructor(port: number, auth: string, { sockets = 64, from }: { sockets?: number; from?: string } = {}) {
    this.port = port
    this.auth = auth
    const local = from === undefined ? {} : { localAddress: from }
    this.#agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxSockets: sockets, ...local })
  }

  call(method: string, path: string, call: Call = {}): Promise<Reply> {
    const payload = call.raw ?? (call.body === undefined ? undefined : JSON.stringify(call.body))
    const auth = call.auth === undefined ? this.auth : call.auth
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        reject(new Error(`${method} ${path} was not answered within ${PATIENCE_MS} ms`))
        sent.destroy()
      }
      const timer = setTimeout(giveUp, PATIENCE_MS)
      const sent = request(
        {
          host: '127.0.0.1',
          port: this.port,
          method,
          path,
          agent: this.#agent,
          ...(auth === null ? {} : { auth }),
          headers: {
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
            ...call.headers,
          },
        },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('error', reject)
          response.on('end', () => {
            const bytes = Buffer.concat(chunks)
            const text = bytes.toString('utf8')
            const { statusCode: status = 0, headers } = response
            const isJson = headers['content-type'] === 'application/json' && text !== '' && method !== 'HEAD'
            resolve({ status, headers, text, bytes, json: isJson ? JSON.parse(text) : undefined })
          })
        },
      )
      sent.on('error', reject)
      sent.on('close', () => clearTimeout(timer))
      sent.end(payload)
    })
  }

  get(path: string, call?: Call): Promise<Reply> {
    return this.call('GET', path, call)
  }
  put(path: string, body?: unknown, call?: Call): Promise<Reply> {
    return this.call('PUT', path, { ...call, body })
  }
  post(path: string, body?: unknown, call?: Call): Promise<Reply> {
    return this.call('POST', path, { ...call, body })
  }
  delete(path: string, call?: Call): Promise<Reply> {
    return this.call('DELETE', path, call)
  }

  close(): void {
    this.#agent.destroy()
  }
}
