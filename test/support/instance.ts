/**
 * A whole Holdfast of a test's own: started as people start it, on free ports and in a temporary folder, on either
 * store; gone without a trace when the test ends. `kill` is kill -9: the databases stay, as they should.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, readdir, readFile, readlink, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { programFile, readyPrograms } from '../../launcher/programs.mjs'
import { START_ENVIRONMENT, START_FLAGS } from '../../launcher/start-options.mjs'
import { ApiClient, type Reply } from './api.ts'
import { endChild, hasEnded } from './children.ts'
import { doAll } from './clean-ups.ts'
import { type EtcdServer, startEtcd } from './etcd-server.ts'
import { type PortBlock, reservePorts } from './ports.ts'
import { GiveUp, until, within } from './wait.ts'

export type StoreKind = 'sqlite' | 'etcd'
export const STORES: readonly StoreKind[] = ['sqlite', 'etcd']
export const USER = 'admin@example.com'
export const PASSWORD = 'test-password'

const LAST_WORDS_MS = 2_000
/** From Ctrl-C to the end of a control plane, which takes its time to close what it has open. */
const INTERRUPTED_MS = 30_000
/** Many shards take some seconds to get to know each other, and several times that on a busy machine; so do many ends. */
const CREATION_MS = 60_000
/** For a program of ours that runs to its end. */
const RUN_MS = 60_000
/** For a walk over /proc: a process that cannot go on keeps whoever reads its command line waiting. */
const WALK_MS = 10_000
const COMPILE_CACHE = fileURLToPath(new URL('../../.runtime/compile-cache', import.meta.url))

/** Somewhere to leave a clean-up: a test context, or a suite's list. */
export type CleanUps = { after(cleanUp: () => Promise<void>): void }

export type InstanceOptions = {
  readonly store?: StoreKind
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** A folder that the test has made, e.g. a small file system. */
  readonly dataDir?: string
  /** Do not wait for it to be ready. */
  readonly expectFailure?: boolean
}

export class Instance {
  readonly dataDir: string
  readonly ports: PortBlock
  readonly api: ApiClient
  readonly #options: InstanceOptions
  readonly #etcd: EtcdServer | undefined
  #child: ChildProcess | undefined
  #output = ''

  constructor(dataDir: string, ports: PortBlock, options: InstanceOptions, etcd: EtcdServer | undefined) {
    this.dataDir = dataDir
    this.ports = ports
    this.api = new ApiClient(ports.api, `${USER}:${PASSWORD}`)
    this.#options = options
    this.#etcd = etcd
  }

  get output(): string {
    return this.#output
  }
  get pid(): number {
    return this.#child?.pid ?? 0
  }
  get etcd(): EtcdServer | undefined {
    return this.#etcd
  }

  flags(): string[] {
    const { ports, dataDir } = this
    return [
      ...['--data-dir', dataDir, '--api-port', String(ports.api)],
      ...['--discovery-port', String(ports.discovery)],
      ...['--metrics-port', String(ports.metrics)],
      ...['--database-ports', `${ports.databases.low}-${ports.databases.high}`],
      ...['--shard-ports', `${ports.shards.low}-${ports.shards.high}`],
      ...(this.#etcd ? ['--etcd', this.#etcd.url] : []),
      ...(this.#options.args ?? []),
    ]
  }

  /** Resolves when it says that it is ready. */
  async start(): Promise<void> {
    this.#output = ''
    const child = await this.#spawn('start')
    this.#child = child
    await until('Holdfast to be ready', () => {
      if (this.#output.includes('is ready.')) return true
      if (child.exitCode !== null) throw new GiveUp(`it ended with ${child.exitCode}: ${this.#output}`)
      return false
    })
  }

  /** Runs a program of ours to its end. */
  async run(program: 'start' | 'stop'): Promise<{ code: number; output: string }> {
    const child = await this.#spawn(program)
    let output = ''
    child.stdout?.on('data', (text) => {
      output += text
    })
    child.stderr?.on('data', (text) => {
      output += text
    })
    const ended = new Promise<number>((resolve) => child.once('close', (exit) => resolve(exit ?? -1)))
    try {
      const code = await within(`${program} to end`, ended, RUN_MS)
      return { code, output }
    } finally {
      child.kill('SIGKILL')
    }
  }

  /** kill -9, and wait until it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** Ctrl-C. */
  async interrupt(): Promise<void> {
    await this.#end('SIGINT', INTERRUPTED_MS)
  }

  /** Pids of engine processes that belong to this instance. */
  async engines(): Promise<{ pid: number; shardUid: number }[]> {
    const found: { pid: number; shardUid: number }[] = []
    for (const entry of await readdir('/proc')) {
      if (!/^\d+$/.test(entry)) continue
      const cmdline = await readFile(`/proc/${entry}/cmdline`, 'utf8').catch(() => '')
      const at = cmdline.indexOf(join(this.dataDir, 'shards/'))
      const stat = at < 0 ? '' : await readFile(`/proc/${entry}/stat`, 'utf8').catch(() => '')
      if (at < 0 || stat === '' || / Z /.test(stat.slice(stat.lastIndexOf(')')))) continue
      const uid = /shards\/(\d+)\//.exec(cmdline.slice(at))?.[1]
      found.push({ pid: Number(entry), shardUid: Number(uid) })
    }
    return found
  }

  /** Pids of proxies, and their workers, that belong to this instance. */
  async proxies(): Promise<number[]> {
    const pids = (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))
    const folder = join(this.dataDir, 'proxy')
    const found = await Promise.all(
      pids.map(async (pid) => {
        const cwd = await readlink(`/proc/${pid}/cwd`).catch(() => '')
        return cwd === folder ? Number(pid) : []
      }),
    )
    return found.flat()
  }

  /** The uids of the shards that have a folder. */
  async folders(): Promise<number[]> {
    const names = await readdir(join(this.dataDir, 'shards')).catch(() => [])
    return names.map(Number).sort((a, b) => a - b)
  }

  async active(uid: number): Promise<void> {
    await until(
      `database ${uid} to be active`,
      async () => {
        const { json } = await this.api.get(`/v1/bdbs/${uid}?fields=status`)
        if (json.status === 'creation-failed') throw new GiveUp(`the creation of database ${uid} failed`)
        return json.status === 'active'
      },
      CREATION_MS,
    )
  }

  /** Resolves when no database is under way to anything. */
  async settled(): Promise<void> {
    await until('every database to be active', async () => {
      const { json } = await this.api.get('/v1/bdbs?fields=status')
      return json.every(({ status }: { status: string }) => status === 'active')
    })
  }

  /** Creates a database, waits until it is active, and returns it. */
  async create(body: Record<string, unknown> = {}): Promise<Reply['json']> {
    const { status, json, text } = await this.api.post('/v1/bdbs', { name: 'db', memory_size: 10_000_000, ...body })
    if (status !== 200) throw new Error(`create answered ${status}: ${text}`)
    await this.active(json.uid)
    return (await this.api.get(`/v1/bdbs/${json.uid}`)).json
  }

  async gone(uid: number): Promise<void> {
    const isGone = async () => (await this.api.get(`/v1/bdbs/${uid}`)).status === 404
    await until(`database ${uid} to be gone`, isGone, CREATION_MS)
  }

  /** Ends everything that was started, and removes the folder. */
  async dispose(): Promise<void> {
    this.api.close()
    const found = <T>(pids: Promise<T[]>) => within('a walk over all processes', pids, WALK_MS)
    await doAll([
      () => this.#end('SIGKILL'),
      async () => {
        for (const { pid } of await found(this.engines())) killNow(pid)
      },
      async () => {
        for (const pid of await found(this.proxies())) killNow(pid)
      },
      () => until('all engines to be gone', async () => (await this.engines()).length === 0),
      async () => this.#etcd?.stop(),
      () => rm(this.dataDir, { recursive: true, force: true, maxRetries: 5 }).catch(() => undefined),
    ])
  }

  async #spawn(program: 'start' | 'stop'): Promise<ChildProcess> {
    await readyPrograms()
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', ...START_FLAGS, programFile(program), ...this.flags()],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        // As the launcher does: without it every start would compile everything anew.
        env: {
          ...process.env,
          ...START_ENVIRONMENT,
          NODE_COMPILE_CACHE: COMPILE_CACHE,
          HOLDFAST_USERNAME: USER,
          HOLDFAST_PASSWORD: PASSWORD,
          ...this.#options.env,
        },
      },
    )
    const take = (text: Buffer) => {
      this.#output += text
    }
    child.stdout.on('data', take)
    child.stderr.on('data', take)
    return child
  }

  async #end(signal: NodeJS.Signals, withinMs?: number): Promise<void> {
    const child = this.#child
    if (!child || hasEnded(child)) return
    const read = new Promise((resolve) => child.once('close', resolve))
    await endChild(child, signal, withinMs)
    // What it said last is read to the end; a pipe that somebody else holds as well has none.
    await within('its last words', read, LAST_WORDS_MS).catch(() => undefined)
  }
}

export function killNow(pid: number, signal: NodeJS.Signals = 'SIGKILL'): void {
  try {
    process.kill(pid, signal)
  } catch {
    // It is gone already.
  }
}

/** Started and ready, unless `expectFailure`; taken down when the test ends. */
export async function startInstance(t: CleanUps, options: InstanceOptions = {}): Promise<Instance> {
  const ports = await reservePorts()
  const dataDir = options.dataDir ?? (await mkdtemp(join(tmpdir(), 'holdfast-test-')))
  // Last of what can fail: nobody would end it before it is the instance's.
  const etcd = options.store === 'etcd' ? await startEtcd() : undefined
  const instance = new Instance(dataDir, ports, options, etcd)
  t.after(() => instance.dispose())
  if (!options.expectFailure) await instance.start()
  return instance
}
