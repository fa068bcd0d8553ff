/**
 * A private etcd for one test: on free ports, in a temporary folder, ended by its pid.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { until } from './wait.ts'

export class EtcdServer {
  readonly url: string
  readonly #folder: string
  readonly #peerUrl: string
  #child: ChildProcess | undefined

  constructor(folder: string, clientPort: number, peerPort: number) {
    this.#folder = folder
    this.url = `http://127.0.0.1:${clientPort}`
    this.#peerUrl = `http://127.0.0.1:${peerPort}`
  }

  async start(): Promise<void> {
    const args = [
      ...['--name', 'test', '--data-dir', join(this.#folder, 'etcd'), '--log-level', 'error'],
      ...['--listen-client-urls', this.url, '--advertise-client-urls', this.url],
      ...['--listen-peer-urls', this.#peerUrl, '--initial-advertise-peer-urls', this.#peerUrl],
      ...['--initial-cluster', `test=${this.#peerUrl}`, '--unsafe-no-fsync'],
    ]
    const child = spawn('etcd', args, { stdio: 'ignore', env: { ...process.env, ETCD_UNSUPPORTED_ARCH: 'arm64' } })
    let failure: Error | undefined
    child.once('error', (error) => {
      failure = new Error('etcd cannot be run: install etcd-server', { cause: error })
    })
    this.#child = child
    await until('etcd to be healthy', async () => {
      if (failure) throw failure
      const response = await fetch(`${this.url}/health`)
      return response.ok
    })
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal)
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    await rm(this.#folder, { recursive: true, force: true })
  }
}

export async function startEtcd(): Promise<EtcdServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-etcd-'))
  const [client, peer] = await Promise.all([freePort(), freePort()])
  const server = new EtcdServer(folder, client, peer)
  await server.start()
  return server
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
