/**
 * A private etcd for one test: on free ports, in a temporary folder, ended by its pid. It can be stopped, killed and
 * started again on the same data, and told to forget its history or to be full.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './wait.ts'

/** Other tests look for free ports at the same time: whoever comes second tries again with others. */
const ATTEMPTS = 5

export class EtcdServer {
  readonly url: string
  readonly #folder: string
  readonly #peerUrl: string
  readonly #options: readonly string[]
  #child: ChildProcess | undefined

  constructor(folder: string, ports: { client: number; peer: number }, options: readonly string[]) {
    this.#folder = folder
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
      ...['--name', 'test', '--data-dir', join(this.#folder, 'etcd'), '--log-level', 'error'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', this.#peerUrl, '--initial-advertise-peer-urls', this.#peerUrl],
      ...['--initial-cluster', `test=${this.#peerUrl}`, '--unsafe-no-fsync', ...this.#options],
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
    // Its port may be somebody else's: that one being healthy says nothing about ours, which must also be alive.
    await Promise.race([ended, until('etcd to be healthy', () => this.#isHealthy(child))])
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
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
    const child = this.#child
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }

  async #isHealthy(child: ChildProcess): Promise<boolean> {
    const response = await fetch(`${this.url}/health`)
    return response.ok && child.exitCode === null
  }

  async #call(path: string, body: object): Promise<void> {
    const response = await fetch(`${this.url}/v3/${path}`, { method: 'POST', body: JSON.stringify(body) })
    if (!response.ok) throw new Error(`etcd: ${path}: ${await response.text()}`)
  }
}

const LAST_WORDS_LENGTH = 2_000

/** `options` are more of etcd's own flags. */
export async function startEtcd(options: readonly string[] = []): Promise<EtcdServer> {
  for (let attempt = 1; ; attempt++) {
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-etcd-'))
    const [client, peer] = await Promise.all([freePort(), freePort()])
    const server = new EtcdServer(folder, { client, peer }, options)
    try {
      await server.start()
      return server
    } catch (error) {
      await server.stop()
      const isTaken = error instanceof Error && error.message.includes('address already in use')
      if (!isTaken || attempt === ATTEMPTS) throw error
    }
  }
}

function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        address && typeof address === 'object' ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
