/**
 * The folder of the node's proxy: what lies where, what it is to serve, and the configuration that is made of it. Nobody
 * but its owner may look inside: the configuration holds passwords.
 */
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EndpointSpec } from '#plan/step.ts'
import { PROXY_USER, proxyPassword } from '../accounts.ts'
import { writeWhole } from '../folder.ts'

export type ProxyFolder = {
  readonly path: string
  /** The specs of its endpoints, without a secret. */
  readonly endpoints: string
  /** What the program reads. */
  readonly config: string
  readonly socket: string
  readonly log: string
}

/** Relative to the folder, in which the program works: the kernel limits the length of a socket's name. */
export const SOCKET_NAME = 'control.sock'

export function proxyFolder(dataDir: string): ProxyFolder {
  const path = join(dataDir, 'proxy')
  return {
    path,
    endpoints: join(path, 'endpoints.json'),
    config: join(path, 'proxy.json'),
    socket: join(path, SOCKET_NAME),
    log: join(path, 'proxy.log'),
  }
}

/** Empty when there is no such file, or a power cut has left half of one: the planner asks for its endpoints again. */
export async function readEndpoints(folder: ProxyFolder): Promise<EndpointSpec[]> {
  const text = await readFile(folder.endpoints, 'utf8').catch(() => '[]')
  try {
    return JSON.parse(text) as EndpointSpec[]
  } catch {
    return []
  }
}

/** Returns the text of the configuration. */
export async function writeEndpoints(
  folder: ProxyFolder,
  specs: readonly EndpointSpec[],
  controlSecret: Buffer,
): Promise<string> {
  const config = `${JSON.stringify({ endpoints: specs.map((spec) => configOf(spec, controlSecret)) }, null, 1)}\n`
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
  await writeWhole(folder.config, config)
  await writeWhole(folder.endpoints, JSON.stringify(specs))
  return config
}

/** In the words of the proxy. */
function configOf(spec: EndpointSpec, controlSecret: Buffer): object {
  const { databaseUid, listen, shards, isOpen, accountsDigest, maxConnections, maxClientPipeline } = spec
  return {
    databaseUid,
    listen,
    shards: shards.map(({ host, port, slots }) => ({
      host,
      port,
      slots: slots.map(({ first, last }) => [first, last]),
    })),
    control: { username: PROXY_USER, password: proxyPassword(controlSecret, databaseUid) },
    isOpen,
    // It has to differ, and nothing else.
    accountsEpoch: Number.parseInt(accountsDigest.slice(0, 12), 16),
    limits: { ...(maxConnections > 0 && { maxConnections }), maxClientPipeline },
  }
}
