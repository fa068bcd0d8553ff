/**
 * The JavaScript clients of the matrix, each in its plain, cluster and Sentinel mode.
 */
import { Cluster, Redis } from 'ioredis'
import { createClient, createCluster, createSentinel } from 'redis'
import type { Keyed, Subject } from './workload.ts'

export type Mode = 'plain' | 'sentinel' | 'cluster'

/** Where a database is, and what it asks of those who come. */
export type Target = {
  readonly name: string
  readonly port: number
  readonly discoveryPort: number
  readonly password: string | undefined
  /** PEM of the certificate that the endpoint shows; undefined: it does not speak TLS. */
  readonly trusted: string | undefined
}

export type Opened = { readonly subject: Subject; close(): Promise<void> }

const HOST = '127.0.0.1'

/** Over TLS the name in the certificate does not matter here: it is that very certificate that is trusted. */
function tlsOf({ trusted }: Target) {
  return { ca: trusted, checkServerIdentity: () => undefined }
}

export async function openIoredis(mode: Mode, target: Target): Promise<Opened> {
  const { port, password, trusted, name, discoveryPort } = target
  const credentials = {
    ...(password === undefined ? {} : { password }),
    ...(trusted === undefined ? {} : { tls: tlsOf(target) }),
  }
  const open = (): Redis | Cluster => {
    if (mode === 'plain') return new Redis({ host: HOST, port, ...credentials })
    if (mode === 'sentinel')
      return new Redis({
        sentinels: [{ host: HOST, port: discoveryPort }],
        name,
        ...credentials,
        enableTLSForSentinelMode: trusted !== undefined,
      })
    return new Cluster([{ host: HOST, port }], {
      redisOptions: credentials,
      clusterRetryStrategy: (times) => (times < 5 ? 20 : null),
    })
  }
  const client = open()
  client.on('error', () => undefined)
  const listeners: (Redis | Cluster)[] = []
  const scanOne = async (node: Redis, pattern: string) => {
    const keys: string[] = []
    let cursor = '0'
    do {
      const [next, portion] = await node.scan(cursor, 'MATCH', pattern)
      keys.push(...portion)
      cursor = next
    } while (cursor !== '0')
    return keys
  }
  const call: Subject['call'] = (_key, command = '', ...words) => client.call(command, ...words)
  const results = (all: [error: Error | null, result: unknown][] | null) =>
    (all ?? []).map(([error, result]) => {
      if (error) throw error
      return result
    })
  // In a batch it knows commands by the names of its methods.
  const wordsOf = ([, name = '', ...words]: Keyed) => [name.toLowerCase(), ...words]
  const subject: Subject = {
    call,
    pipeline: async (commands) =>
      client instanceof Cluster
        ? Promise.all(commands.map((command) => call(...command)))
        : results(await client.pipeline(commands.map(wordsOf)).exec()),
    transaction: async (commands) => results(await client.multi(commands.map(wordsOf)).exec()),
    listen: async (channel, onMessage) => {
      const listener = open()
      listener.on('error', () => undefined)
      listeners.push(listener)
      listener.on('message', (_channel: string, text: string) => onMessage(text))
      await listener.subscribe(channel)
    },
    scan: async (pattern) => {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client]
      return (await Promise.all(nodes.map((node) => scanOne(node, pattern)))).flat()
    },
  }
  const close = async () => {
    for (const one of [client, ...listeners]) one.disconnect()
  }
  return { subject, close }
}

type Sent = (key: string | undefined, words: string[]) => Promise<unknown>

/** `RESP`: which protocol is spoken. */
export async function openNodeRedis(mode: Mode, target: Target, RESP: 2 | 3): Promise<Opened> {
  const { port, password, trusted, name, discoveryPort } = target
  const socket = trusted === undefined ? {} : { tls: true as const, ...tlsOf(target) }
  const options = { RESP, ...(password === undefined ? {} : { password }) }
  const collect = async (send: (cursor: string) => Promise<unknown>) => {
    const keys: string[] = []
    let cursor = '0'
    do {
      const reply = await send(cursor)
      if (!Array.isArray(reply)) throw new Error('SCAN answers with a list')
      keys.push(...reply[1])
      cursor = String(reply[0])
    } while (cursor !== '0')
    return keys
  }
  const subjectOf = (send: Sent, more: Pick<Subject, 'transaction' | 'listen' | 'scan'>): Subject => ({
    call: (key, ...words) => send(key, words),
    // It sends together what is asked together.
    pipeline: (commands) => Promise.all(commands.map(([key, ...words]) => send(key, words))),
    ...more,
  })

  if (mode === 'plain') {
    const client = createClient({ ...options, socket: { host: HOST, port, ...socket } })
    client.on('error', () => undefined)
    await client.connect()
    const listener = client.duplicate()
    listener.on('error', () => undefined)
    const subject = subjectOf((_key, words) => client.sendCommand(words), {
      transaction: async (commands) => {
        const multi = client.multi()
        for (const [, ...words] of commands) multi.addCommand(words)
        return await multi.exec()
      },
      listen: async (channel, onMessage) => {
        await listener.connect()
        await listener.subscribe(channel, onMessage)
      },
      scan: (pattern) => collect((cursor) => client.sendCommand(['SCAN', cursor, 'MATCH', pattern])),
    })
    const close = async () => {
      client.destroy()
      if (listener.isOpen) listener.destroy()
    }
    return { subject, close }
  }

  if (mode === 'sentinel') {
    const client = createSentinel({
      name,
      RESP,
      sentinelRootNodes: [{ host: HOST, port: discoveryPort }],
      nodeClientOptions: { ...options, socket },
    })
    client.on('error', () => undefined)
    await client.connect()
    const subject = subjectOf((_key, words) => client.sendCommand(false, words), {
      transaction: async (commands) => {
        const multi = client.multi()
        for (const [, ...words] of commands) multi.addCommand(false, words)
        return await multi.exec()
      },
      listen: async (channel, onMessage) => void (await client.subscribe(channel, onMessage)),
      scan: (pattern) => collect((cursor) => client.sendCommand(false, ['SCAN', cursor, 'MATCH', pattern])),
    })
    return { subject, close: async () => client.destroy() }
  }

  const client = createCluster({
    RESP,
    rootNodes: [{ socket: { host: HOST, port, ...socket } }],
    defaults: { ...options, socket: { ...socket, reconnectStrategy: false } },
  })
  client.on('error', () => undefined)
  await client.connect()
  const subject = subjectOf((key, words) => client.sendCommand(key, false, words), {
    transaction: async (commands) => {
      const multi = client.multi()
      for (const [key, ...words] of commands) multi.addCommand(key, false, words)
      return await multi.exec()
    },
    listen: async (channel, onMessage) => void (await client.subscribe(channel, onMessage)),
    scan: async (pattern) => {
      const nodes = await Promise.all(client.masters.map((master) => client.nodeClient(master)))
      const all = nodes.map((node) => collect((cursor) => node.sendCommand(['SCAN', cursor, 'MATCH', pattern])))
      return (await Promise.all(all)).flat()
    },
  })
  return { subject, close: async () => client.destroy() }
}
