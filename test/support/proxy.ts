/**
 * A proxy of a test's own in front of a cluster, in the test's process, and a client that speaks raw RESP to it.
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectSecurely } from 'node:tls'
import type { EndpointConfig } from '#proxy/config.ts'
import { DEFAULT_LIMITS } from '#proxy/limits.ts'
import { ProxyServer } from '#proxy/proxy-server.ts'
import { encodeCommand, type Word } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import type { RespValue } from '#resp/value.ts'
import type { CleanUps } from './instance.ts'
import { freePort } from './ports.ts'
import type { RedisCluster } from './redis-cluster.ts'
import { within } from './wait.ts'

/** For what a client waits for, however busy the machine is. */
const PATIENCE_MS = 30_000

export type Trouble = { readonly message: string; readonly detail: object }
export type TestProxy = {
  readonly server: ProxyServer
  readonly port: number
  readonly config: EndpointConfig
  /** What it has complained of. */
  readonly troubles: Trouble[]
}

export async function startProxy(
  t: CleanUps,
  cluster: RedisCluster,
  changes: Partial<EndpointConfig> = {},
): Promise<TestProxy> {
  const port = await freePort()
  const config: EndpointConfig = {
    databaseUid: 1,
    listen: { host: '127.0.0.1', port },
    shards: cluster.shards,
    isOpen: true,
    speaksCluster: false,
    isMoving: false,
    accountsEpoch: 0,
    limits: DEFAULT_LIMITS,
    ...changes,
  }
  const troubles: Trouble[] = []
  const server = new ProxyServer({
    nowMs: () => performance.now(),
    onTrouble: (message, detail) => void troubles.push({ message, detail }),
  })
  t.after(async () => server.close())
  await server.apply({ endpoints: [config] })
  return { server, port, config, troubles }
}

/** Speaks RESP without any of a client library's opinions. */
export class RawClient {
  readonly socket: Socket
  readonly replies: RespValue[] = []
  isClosed = false
  readonly #parser = new RespParser()
  readonly #waiting: (() => void)[] = []

  /** `tls`: it speaks TLS, with these options. */
  constructor(port: number, tls?: ConnectionOptions) {
    const target = { port, host: '127.0.0.1' }
    this.socket = tls ? connectSecurely({ ...tls, ...target }) : connect(target)
    this.socket.on('error', () => undefined)
    this.socket.on('close', () => {
      this.isClosed = true
      for (const wake of this.#waiting.splice(0)) wake()
    })
    this.socket.on('data', (chunk) => {
      this.replies.push(...this.#parser.push(Buffer.from(chunk)))
      for (const wake of this.#waiting.splice(0)) wake()
    })
  }

  static open(t: CleanUps, port: number, tls?: ConnectionOptions): RawClient {
    const client = new RawClient(port, tls)
    t.after(async () => void client.socket.destroy())
    return client
  }

  send(...words: Word[]): void {
    this.socket.write(encodeCommand(words))
  }

  /** The next reply, or null when the connection ended instead. */
  async next(): Promise<RespValue | null> {
    for (;;) {
      const reply = this.replies.shift()
      if (reply) return reply
      if (this.isClosed) return null
      await within('a reply', new Promise<void>((resolve) => this.#waiting.push(resolve)), PATIENCE_MS)
    }
  }

  async call(...words: Word[]): Promise<RespValue | null> {
    this.send(...words)
    return this.next()
  }

  async closed(): Promise<void> {
    if (this.isClosed) return
    const closed = new Promise((resolve) => this.socket.once('close', resolve))
    await within('the connection to be closed', closed, PATIENCE_MS)
  }
}

/** A value as plain data, for comparing. */
export function plain(value: RespValue | null | undefined): unknown {
  if (!value) return value
  switch (value.kind) {
    case 'status':
      return value.text
    case 'error':
      return `error: ${value.text}`
    case 'integer':
    case 'double':
    case 'boolean':
    case 'big':
      return value.value
    case 'bulk':
    case 'verbatim':
      return value.bytes.toString()
    case 'null':
      return null
    case 'map':
      return Object.fromEntries(value.entries.map(([key, one]) => [String(plain(key)), plain(one)]))
    case 'attributed':
      return plain(value.value)
    default:
      return value.items.map(plain)
  }
}
