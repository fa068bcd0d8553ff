/**
 * The proxy program, one per node: reads what to serve from a file that only its owner may read, follows the file when
 * it changes (and on SIGHUP), and outlives the control plane that writes it. With one worker it serves by itself; with
 * more, it opens the doors and hands the clients out.
 *
 * On SIGUSR2, or when it is asked to over its control socket, it starts its own successor from the code that is on the disk
 * now, hands it the listening sockets, and ends when its last client has gone, or after a while. On SIGTERM it ends at once.
 *
 *     node proxy.ts --config FILE [--control SOCKET] [--workers 1] [--key-passphrase-stdin]
 *
 * Keys in the file may be encrypted; the passphrase then comes over standard input, up to its end.
 */
import { fork, type SendHandle, type StdioOptions } from 'node:child_process'
import { hash } from 'node:crypto'
import { watch } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { basename, dirname } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { AskedPeers } from '#proxy/asked-peers.ts'
import { parseProxyConfig } from '#proxy/config.ts'
import { type ProxyStatus, type Succession, serveControl } from '#proxy/control-server.ts'
import { Crew } from '#proxy/crew.ts'
import { numberClients } from '#proxy/endpoint.ts'
import { withOpenKeys } from '#proxy/keys.ts'
import { ProxyServer } from '#proxy/proxy-server.ts'
import type { WorkerOrder, WorkerQuestion, WorkerReport } from '#proxy/worker.ts'
import { proxyBuild } from './proxy-build.ts'

const PROGRAM = fileURLToPath(import.meta.url)
/** A file is written in several steps; they count as one change. */
const SETTLE_MS = 50
/** Clients that never rest are asked to connect again after this time. */
const DRAIN_MS = 60_000
const DRAIN_LOOK_MS = 100
const SUCCESSOR_TIMEOUT_MS = 20_000

type Handover = { readonly kind: 'door'; readonly place: string } | { readonly kind: 'doors-end' }

const ports = {
  nowMs: () => performance.now(),
  onTrouble: (message: string, detail: object) => {
    const { err, ...more } = detail as { err?: Error }
    const line = { time: Date.now(), pid: process.pid, msg: message, ...more, ...(err && { err: err.message }) }
    process.stderr.write(`${JSON.stringify(line)}\n`)
  },
}

const { values } = parseArgs({
  options: {
    config: { type: 'string' },
    control: { type: 'string' },
    workers: { type: 'string', default: '1' },
    worker: { type: 'boolean', default: false },
    successor: { type: 'boolean', default: false },
    'key-passphrase-stdin': { type: 'boolean', default: false },
  },
})

/** What is served of the file, one change after another. */
class Served {
  readonly #proxy: ProxyServer | Crew
  readonly #path: string
  readonly #keyPassphrase: string | undefined
  readonly #build = proxyBuild()
  #digest = ''
  #turn: Promise<void> = Promise.resolve()

  constructor(proxy: ProxyServer | Crew, path: string, keyPassphrase: string | undefined) {
    this.#proxy = proxy
    this.#path = path
    this.#keyPassphrase = keyPassphrase
  }

  get status(): ProxyStatus {
    const problems = Object.fromEntries(this.#proxy.problems)
    return { digest: this.#digest, problems, build: this.#build, workers: Number(values.workers) }
  }

  /**
   * Rejects when the file cannot be read, or makes no sense. An endpoint whose port cannot be had is a problem of its own,
   * and no reason not to serve the others; only a proxy that nobody can ask for its problems rejects then.
   */
  apply(): Promise<void> {
    const turn = this.#turn.then(() => this.#apply())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #apply(): Promise<void> {
    const file = await readPrivate(this.#path)
    const parsed = parseProxyConfig(file)
    const config = this.#keyPassphrase === undefined ? parsed : withOpenKeys(parsed, this.#keyPassphrase)
    await this.#proxy.apply(config).catch((error: unknown) => {
      if (values.control === undefined) throw error
    })
    this.#digest = hash('sha256', file, 'hex')
  }
}

if (values.worker) beWorker()
else await beProxy(values.config ?? '', Number(values.workers))

async function beProxy(path: string, workers: number): Promise<void> {
  if (path === '' || !Number.isInteger(workers) || workers < 1) {
    process.stderr.write('proxy: --config FILE is needed, and --workers is a whole number from 1\n')
    process.exit(2)
  }
  const proxy = workers === 1 ? new ProxyServer(ports) : new Crew({ program: PROGRAM, size: workers, ...ports })
  if (values.successor) await takeDoors(proxy)
  const keyPassphrase = values['key-passphrase-stdin'] ? await readPassphrase() : undefined
  const served = new Served(proxy, path, keyPassphrase)
  try {
    await served.apply()
  } catch (error) {
    process.stderr.write(`proxy: ${error instanceof Error ? error.message : error}\n`)
    process.exit(2)
  }
  let isLeaving = false
  const replace = async (succession: Succession) => {
    if (isLeaving) return false
    isLeaving = true
    isLeaving = await startSuccessor(proxy, path, keyPassphrase, succession)
    return isLeaving
  }
  if (values.control !== undefined)
    await serveControl(values.control, {
      status: () => served.status,
      apply: () => served.apply().then(() => served.status),
      counts: (databaseUids) => proxy.counts(databaseUids),
      pids: () => [process.pid, ...(proxy instanceof Crew ? proxy.pids : [])],
      visitor: (databaseUid) => proxy.visitor(databaseUid),
      replace,
      leave: () => void leave(proxy),
      end: () => process.exit(0),
    })
  if (values.successor) {
    report('ready')
    if (process.connected) process.disconnect()
  }
  process.stdout.write('ready\n')

  let timer: NodeJS.Timeout | undefined
  const reload = () => {
    clearTimeout(timer)
    timer = setTimeout(async () => {
      // What is served goes on being served as it was.
      if (!isLeaving)
        await served.apply().catch((err) => ports.onTrouble('the configuration cannot be taken over', { err }))
    }, SETTLE_MS)
  }
  watch(dirname(path), (_event, name) => name === basename(path) && reload())
  process.on('SIGHUP', reload)
  process.on('SIGUSR2', async () => {
    const command = [process.execPath, ...process.execArgv, PROGRAM]
    if (await replace({ workers, command })) await leave(proxy)
  })
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      proxy.close()
      process.exit(0)
    })
}

/** Without it no key can be opened, and clients would be turned away: then it is better not to start at all. */
async function readPassphrase(): Promise<string> {
  const passphrase = await text(process.stdin)
  if (passphrase !== '') return passphrase
  process.stderr.write('proxy: --key-passphrase-stdin was given, and no passphrase came\n')
  process.exit(2)
}

/** Rejects when others can read the file. */
async function readPrivate(path: string): Promise<string> {
  await using file = await open(path, 'r')
  const { mode } = await file.stat()
  if ((mode & 0o077) !== 0) throw new Error(`${path} holds passwords: only its owner may read it (chmod 600)`)
  return await file.readFile('utf8')
}

/** True when the successor serves; false when it could not, and this one goes on. */
async function startSuccessor(
  proxy: ProxyServer | Crew,
  path: string,
  keyPassphrase: string | undefined,
  { workers, command }: Succession,
): Promise<boolean> {
  const control = values.control === undefined ? [] : ['--control', values.control]
  const keys = keyPassphrase === undefined ? [] : ['--key-passphrase-stdin']
  const args = ['--config', path, ...control, '--workers', String(workers), '--successor', ...keys]
  const [execPath, execArgv, program] = [command[0] ?? '', command.slice(1, -1), command.at(-1) ?? '']
  const stdio: StdioOptions = ['pipe', 'inherit', 'inherit', 'ipc']
  const successor = fork(program, args, { detached: true, stdio, execPath, execArgv })
  successor.stdin?.on('error', () => undefined).end(keyPassphrase)
  for (const [place, handle] of proxy.doors) successor.send({ kind: 'door', place } satisfies Handover, handle)
  successor.send({ kind: 'doors-end' } satisfies Handover)
  const isReady = await new Promise<boolean>((resolve) => {
    successor.once('message', () => resolve(true))
    successor.once('exit', () => resolve(false))
    // Each socket that cannot be handed over is one.
    successor.on('error', () => resolve(false))
    setTimeout(() => resolve(false), SUCCESSOR_TIMEOUT_MS).unref()
  })
  if (isReady) successor.unref()
  else {
    successor.kill('SIGKILL')
    ports.onTrouble('the successor did not become ready: this proxy goes on', {})
  }
  return isReady
}

function takeDoors(proxy: ProxyServer | Crew): Promise<void> {
  return new Promise((resolve) => {
    process.on('message', (message: Handover, handle: unknown) => {
      if (message.kind === 'door') proxy.takeDoor(message.place, handle as SendHandle)
      else resolve()
    })
  })
}

async function leave(proxy: ProxyServer | Crew): Promise<void> {
  if (proxy instanceof Crew) await proxy.retire()
  else {
    proxy.stopListening()
    await drained(proxy)
  }
  process.exit(0)
}

/** Clients stay until they leave, or until their time is up: then each ends where it is in the middle of nothing. */
async function drained(proxy: ProxyServer): Promise<void> {
  const endsAt = performance.now() + DRAIN_MS
  while (proxy.clientCount > 0 && performance.now() < endsAt + DRAIN_MS) {
    if (performance.now() > endsAt) proxy.endIdleClients()
    await new Promise((resolve) => setTimeout(resolve, DRAIN_LOOK_MS))
  }
}

function beWorker(): void {
  const peers = new AskedPeers(report)
  const proxy = new ProxyServer({ ...ports, peers }, { listens: false })
  let isNumbered = false
  process.on('message', (order: WorkerOrder, handle: unknown) => {
    if (order.kind === 'client') {
      const socket = handle as Socket | undefined
      if (socket && order.isVisitor) proxy.visitor(order.databaseUid)?.(socket)
      else if (socket) proxy.accept(order.databaseUid, socket)
    } else if (order.kind === 'serve') {
      if (!isNumbered) numberClients(order.lastClientId + order.worker, order.workers)
      isNumbered = true
      proxy
        .apply(order.config)
        .catch((err) => ports.onTrouble('the configuration cannot be taken over', { err }))
        .then(() => report({ round: order.round, counts: [] }))
    } else if (order.kind === 'count') report({ round: order.round, counts: proxy.counts(order.databaseUids) })
    else if (order.kind === 'peer')
      void proxy
        .answer(order.databaseUid, order.question)
        .then((answer) => report({ round: order.round, counts: [], answer }))
    else if (order.kind === 'answers') peers.take(order.number, order.answers)
    else void drained(proxy).then(() => process.exit(0))
  })
  // Without the one who opens the doors there is nothing to come; those who are here are served to the end.
  process.on('disconnect', () => void drained(proxy).then(() => process.exit(0)))
  for (const signal of ['SIGHUP', 'SIGUSR2'] as const) process.on(signal, () => undefined)
}

/** Whoever has the doors may be gone: that ends nobody who serves clients. */
function report(what: WorkerReport | WorkerQuestion | 'ready'): void {
  process.send?.(what, undefined, undefined, () => undefined)
}
