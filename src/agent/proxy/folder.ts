/**
 * The folder of the node's proxy: what lies where, what it is to serve, and the configuration that is made of it. Nobody
 * but its owner may look inside: the configuration holds passwords, and keys that are encrypted.
 */
import { createHmac, createPrivateKey } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StepFailed } from '#plan/agent.ts'
import type { EndpointSpec, EndpointTls } from '#plan/step.ts'
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

type KeyPair = { readonly certificate: string; readonly key: string }
/** As the agent is given them. */
type Secrets = { readonly controlSecret: Buffer; readonly keyPairOf: (digest: string) => KeyPair | undefined }

/** What the keys in the configuration are encrypted with. The program is told it at its start, and it is written nowhere. */
export function keyPassphrase(controlSecret: Buffer): string {
  return createHmac('sha256', controlSecret).update('keys of the proxy').digest('hex')
}

type Written = {
  /** The text of the configuration. */
  readonly config: string
  /** Of these databases a certificate is not at hand: their endpoints are as they were, or not there. */
  readonly outdated: ReadonlySet<number>
}

/**
 * One certificate that has been replaced is that of many endpoints, which hear of the new one in turn: until then nobody
 * has the old one any more, and that must keep no other endpoint from changing.
 */
export async function writeEndpoints(
  folder: ProxyFolder,
  specs: readonly EndpointSpec[],
  options: Secrets & { readonly clientMemoryBytes: number | null },
): Promise<Written> {
  const pairs = new KeyPairs(options)
  const outdated = new Set(specs.filter((spec) => !pairs.haveAllOf(spec)).map(({ databaseUid }) => databaseUid))
  const before = outdated.size > 0 ? await readConfig(folder) : []
  const endpoints = specs.flatMap((spec) =>
    outdated.has(spec.databaseUid)
      ? before.filter(({ databaseUid }) => databaseUid === spec.databaseUid)
      : configOf(spec, options.controlSecret, pairs),
  )
  const { clientMemoryBytes } = options
  const settings = clientMemoryBytes === null ? {} : { clientMemoryBytes }
  const config = `${JSON.stringify({ ...settings, endpoints }, null, 1)}\n`
  await mkdir(folder.path, { recursive: true, mode: 0o700 })
  await writeWhole(folder.config, config)
  await writeWhole(folder.endpoints, JSON.stringify(specs))
  return { config, outdated }
}

/** As it was written last. */
async function readConfig(folder: ProxyFolder): Promise<readonly { readonly databaseUid: number }[]> {
  const text = await readFile(folder.config, 'utf8').catch(() => '{}')
  try {
    return Object(JSON.parse(text)).endpoints ?? []
  } catch {
    return []
  }
}

/** Most endpoints show the same certificate: its key is encrypted once for all of them, which takes a millisecond. */
class KeyPairs {
  readonly #options: Secrets
  readonly #known = new Map<string, KeyPair>()

  constructor(options: Secrets) {
    this.#options = options
  }

  haveAllOf({ tls, internode }: EndpointSpec): boolean {
    const digests = [tls?.certificate, internode].filter((digest) => digest != null)
    return digests.every((digest) => this.#options.keyPairOf(digest) !== undefined)
  }

  of(digest: string): KeyPair {
    const known = this.#known.get(digest)
    if (known) return known
    const { controlSecret, keyPairOf } = this.#options
    const pair = keyPairOf(digest)
    if (!pair) throw new StepFailed('missing', 'the certificate of the database is not at hand')
    const passphrase = keyPassphrase(controlSecret)
    const encrypted = { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase } as const
    const made = { certificate: pair.certificate, key: String(createPrivateKey(pair.key).export(encrypted)) }
    this.#known.set(digest, made)
    return made
  }
}

function tlsConfig(tls: EndpointTls, pairs: KeyPairs): object {
  const { certificate, minVersion, ciphers, cipherSuites, clients } = tls
  return {
    ...pairs.of(certificate),
    minVersion: `TLSv${minVersion}`,
    ...(ciphers !== '' && { ciphers }),
    ...(cipherSuites !== '' && { cipherSuites }),
    ...(clients && { clients }),
  }
}

/** Nobody else has the key, whatever else the certificate says. */
function shardsTlsConfig(digest: string, pairs: KeyPairs): object {
  const own = pairs.of(digest)
  return { trusted: own.certificate, isPinned: true, own }
}

/** In the words of the proxy. */
function configOf(spec: EndpointSpec, controlSecret: Buffer, pairs: KeyPairs): object {
  const { tls, relay, internode } = spec
  const { databaseUid, listen, shards, isOpen, accountsDigest, maxConnections, maxClientPipeline } = spec
  return {
    databaseUid,
    listen,
    ...(tls && { tls: tlsConfig(tls, pairs) }),
    ...(relay && { relay }),
    ...(internode !== null && { shardsTls: shardsTlsConfig(internode, pairs) }),
    shards: shards.map(({ host, port, slots }) => ({
      host,
      port,
      slots: slots.map(({ first, last }) => [first, last]),
    })),
    control: { username: PROXY_USER, password: proxyPassword(controlSecret, databaseUid) },
    isOpen,
    // It has to differ, and nothing else.
    accountsEpoch: Number.parseInt(accountsDigest.slice(0, 12), 16),
    ...(spec.speaksCluster && { speaksCluster: true }),
    ...(spec.isMoving && { isMoving: true }),
    limits: { ...(maxConnections > 0 && { maxConnections }), maxClientPipeline },
  }
}
