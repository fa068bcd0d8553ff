/**
 * A private etcd for one test: on free ports, in a temporary folder, ended by its pid. It can be stopped, killed and
 * started again on the same data, and told to forget its history or to be full.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { endChild, standStill } from './children.ts'
import { freePort } from './ports.ts'
import { until } from './wait.ts'

export class EtcdServer {
  readonly url: string
  readonly #folder: string
  readonly #name: string
  readonly #peerUrl: string
  readonly #options: readonly string[]
  #child: ChildProcess | undefined

  constructor(folder: string, ports: { client: number; peer: number }, options: readonly string[]) {
    this.#folder = folder
    this.#name = basename(folder)
    this.url = `http://127.0.0.1:${ports.client}`
    this.#peerUrl = `http://127.0.0.1:${ports.peer}`
    this.#options = options
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** Rejects with etcd's own last words when it ends instead. */
  async start(): Promise<void> {
    const args = [
      ...['--name', this.#name, '--data-dir', join(this.#folder, 'etcd'), '--log-level', 'error'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', this.#peerUrl, '--initial-advertise-peer-urls', this.#peerUrl],
      ...['--initial-cluster', `${this.#name}=${this.#peerUrl}`, '--unsafe-no-fsync', ...this.#options],
    ]
    const env = { ...process.env, ETCD_UNSUPPORTED_ARCH: 'arm64' }
    const child = spawn('etcd', args, { stdio: ['ignore', 'ignore', 'pipe'], env })
    this.#child = child
    let words = ''
    child.stderr?.on('data', (text) => {
      words = `${words}${text}`.slice(-LAST_WORDS_LENGTH)
    })
    const ended = new Promise<never>((_, reject) => {
      child.once('error', (cause) => reject(new Error('etcd cannot be run: apt install etcd-server', { cause })))
      child.once('close', (code) => reject(new Error(`etcd ended with ${code}: ${words}`)))
    })
    let hasEnded = false
    const failed = ended.catch((error) => {
      hasEnded = true
      throw error
    })
    await Promise.race([failed, until('etcd to be healthy', async () => hasEnded || (await this.#isHealthy()))])
    if (hasEnded) await failed
  }

  /** It answers nothing any more until it may go on. */
  async standStill(): Promise<void> {
    await standStill(this.#child)
  }

  goOn(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Forgets what was changed before `revision`. */
  async compact(revision: number): Promise<void> {
    await this.#call('kv/compaction', { revision, physical: true })
  }

  /** What etcd does by itself when its quota is used up: it takes no more until the alarm is taken back. */
  async setFull(isFull: boolean): Promise<void> {
    await this.#call('maintenance/alarm', { action: isFull ? 'ACTIVATE' : 'DEACTIVATE', memberID: 0, alarm: 'NOSPACE' })
  }

  async kill(): Promise<void> {
    await endChild(this.#child)
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }

  /** Its port may be taken by another's etcd, which would be just as healthy: only ours knows its name. */
  async #isHealthy(): Promise<boolean> {
    const health = await fetch(`${this.url}/health`)
    return health.ok && (await this.#call('cluster/member/list', {})).includes(`"${this.#name}"`)
  }

  async #call(path: string, body: object): Promise<string> {
    const response = await fetch(`${this.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })
    const text = await response.text()
    if (!response.ok) throw new Error(`etcd: ${path}: ${text}`)
    return text
  }
}

const LAST_WORDS_LENGTH = 2_000

/** `options` are more of etcd's own flags. */
export async function startEtcd(options: readonly string[] = []): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-etcd-'))
  const server = new EtcdServer(folder, { client: await freePort(), peer: await freePort() }, options)
  try {
    await server.start()
    return server
  } catch (error) {
    await server.stop()
    throw error
  }
}
