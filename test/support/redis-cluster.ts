/**
 * A real Redis Cluster for one test or bench: redis-server processes on free ports with all slots given out, in a
 * temporary folder, ended by their pids.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeCommand, type Word } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { endChild } from './children.ts'
import type { CleanUps } from './instance.ts'
import { freePort } from './ports.ts'
import { until } from './wait.ts'

const SLOTS = 16_384

export type ClusterNode = {
  readonly port: number
  /** Where it speaks TLS, and what it tells the others of itself; `port` when it does not. */
  readonly servicePort: number
  /** The path at which it listens beside its ports. */
  readonly socket: string
  readonly slots: readonly [number, number][]
  readonly pid: number
  call(...words: Word[]): Promise<RespValue>
  signal(signal: NodeJS.Signals): void
  /** kill -9, and wait until it is gone. */
  kill(): Promise<void>
  /** The same process again: same port, same folder. */
  restart(): Promise<void>
}

export class RedisCluster {
  readonly nodes: ClusterNode[]
  constructor(nodes: ClusterNode[]) {
    this.nodes = nodes
  }

  /** As the proxy's configuration wants them. */
  get shards() {
    return this.nodes
      .filter(({ slots }) => slots.length > 0)
      .map(({ servicePort, slots }) => ({ host: '127.0.0.1', port: servicePort, slots, epoch: 0 }))
  }

  node(index: number): ClusterNode {
    const node = this.nodes[index]
    if (!node) throw new Error(`there is no node ${index}`)
    return node
  }
}

/** What nodes that speak TLS show, and by whom the certificates of others must be signed. */
export type ClusterTls = {
  readonly certificate: string
  readonly key: string
  readonly trusted: string
  readonly asksClients?: boolean
}

/** With `tls`, the nodes speak it with each other and with clients; on `port` they are plain for the test itself. */
export async function startCluster(t: CleanUps, shardCount = 3, tls?: ClusterTls): Promise<RedisCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-cluster-'))
  const nodes: ClusterNode[] = []
  t.after(async () => {
    await Promise.all(nodes.map((node) => node.kill()))
    await rm(folder, { recursive: true, force: true, maxRetries: 5 })
  })
  for (let index = 0; index < shardCount; index++) {
    const first = Math.floor((index * SLOTS) / shardCount)
    const last = Math.floor(((index + 1) * SLOTS) / shardCount) - 1
    nodes.push(await startNode(join(folder, String(index)), [[first, last]], tls))
  }
  const [one] = nodes
  if (!one) throw new Error('a cluster has at least one node')
  for (const node of nodes) {
    const [range] = node.slots
    if (range) await node.call('CLUSTER', 'ADDSLOTSRANGE', ...range)
    await node.call('CLUSTER', 'SET-CONFIG-EPOCH', nodes.indexOf(node) + 1)
  }
  for (const node of nodes)
    if (node !== one) await one.call('CLUSTER', 'MEET', '127.0.0.1', node.servicePort, busPorts.get(node.port) ?? 0)
  for (const node of nodes) {
    await until(`node ${node.port} to see a whole cluster`, async () => {
      const info = textOf(await node.call('CLUSTER', 'INFO')) ?? ''
      return (
        info.includes('cluster_state:ok') &&
        info.includes('cluster_slots_ok:16384') &&
        info.includes(`cluster_known_nodes:${nodes.length}`)
      )
    })
  }
  return new RedisCluster(nodes)
}

const busPorts = new Map<number, number>()

async function startNode(
  folder: string,
  slots: readonly [number, number][],
  tls: ClusterTls | undefined,
): Promise<ClusterNode> {
  const port = await freePort()
  const servicePort = tls ? await freePort() : port
  const busPort = await freePort()
  busPorts.set(port, busPort)
  await mkdir(folder, { recursive: true })
  const more = tls ? await tlsArguments(folder, servicePort, tls) : []
  let child = await launch(folder, port, busPort, more)
  return {
    port,
    servicePort,
    socket: join(folder, 's.sock'),
    slots,
    get pid() {
      return child.pid ?? 0
    },
    call: (...words) => callOnce(port, words),
    signal: (signal) => void child.kill(signal),
    kill: () => endChild(child),
    restart: async () => {
      await endChild(child)
      child = await launch(folder, port, busPort, more)
    },
  }
}

async function tlsArguments(folder: string, port: number, tls: ClusterTls): Promise<string[]> {
  const [certificate, key, trusted] = ['tls.crt', 'tls.key', 'tls.ca'].map((name) => join(folder, name))
  if (!certificate || !key || !trusted) return []
  await writeFile(certificate, tls.certificate)
  await writeFile(key, tls.key)
  await writeFile(trusted, tls.trusted)
  return [
    ...['--tls-port', String(port), '--tls-cluster', 'yes', '--tls-replication', 'yes'],
    ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', trusted],
    ...['--tls-auth-clients', tls.asksClients ? 'yes' : 'no'],
  ]
}

async function launch(folder: string, port: number, busPort: number, more: readonly string[]): Promise<ChildProcess> {
  const args = [
    ...['--port', String(port), '--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--dir', folder],
    ...['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--cluster-node-timeout', '2000'],
    ...['--cluster-require-full-coverage', 'no', '--cluster-config-file', join(folder, 'nodes.conf')],
    ...['--enable-debug-command', 'yes', '--unixsocket', join(folder, 's.sock')],
    ...more,
  ]
  const child = spawn('redis-server', args, { stdio: 'ignore' })
  try {
    await until(`redis-server on ${port}`, async () => textOf(await callOnce(port, ['PING'])) === 'PONG')
    return child
  } catch (error) {
    await endChild(child)
    throw error
  }
}

/** One command on a connection of its own. */
export function callOnce(port: number, words: readonly Word[]): Promise<RespValue> {
  return new Promise((resolve, reject) => {
    const parser = new RespParser()
    const socket = connect({ port, host: '127.0.0.1' })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error(`port ${port} closed the connection`)))
    socket.on('data', (chunk) => {
      const [value] = parser.push(chunk)
      if (!value) return
      resolve(value)
      socket.destroy()
    })
    socket.write(encodeCommand(words))
  })
}
