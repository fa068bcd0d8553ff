/**
 * Keeps the node's proxy: one program that serves the endpoints of all sharded databases, outlives us like the shards do,
 * is found again when we come back, and is started again at once when it ends. Callers: the agent.
 *
 * What it is to serve stands in a file, so that it serves after any crash without us; that it serves it is only believed
 * when it says so itself, over its control socket. The kernel closes that the moment it ends.
 */
import { hash } from 'node:crypto'
import type { Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { connectUnix } from '#engine/unix-socket.ts'
import { StepFailed } from '#plan/agent.ts'
import { endpointDigest } from '#plan/endpoint.ts'
import type { EndpointSpec, ObservedEndpoint } from '#plan/step.ts'
import type { LocalAgentOptions } from '../options.ts'
import { keyPassphrase, type ProxyFolder, proxyFolder, readEndpoints, writeEndpoints } from './folder.ts'
import { type ProxyProgram, startProxy } from './program.ts'
import { NO_PROXY, type ProxyReadings, readingsOf } from './readings.ts'

/** It is a Node program: it needs some hundred milliseconds, and more on a busy machine. */
const START_TIMEOUT_MS = 20_000
const CONNECT_PAUSE_MS = 10
const ANSWER_TIMEOUT_MS = 20_000
/** Longer than it gives its successor to start. */
const SUCCESSION_TIMEOUT_MS = 30_000
/** One that ends at once is not started in a loop. */
const RESTART_MIN_MS = 100
const RESTART_MAX_MS = 5_000
const HEALTHY_AFTER_MS = 10_000
/** More questions than this are only asked of one that hangs. */
const MAX_WAITING = 100

export type KeeperOptions = Pick<LocalAgentOptions, 'dataDir' | 'controlSecret' | 'keyPairOf' | 'log'> & {
  readonly program: ProxyProgram
}

/** One of an older version does not say what it is. */
type Status = {
  readonly digest: string
  readonly build?: string
  readonly workers?: number
  readonly problems: Readonly<Record<string, string>>
}

export class ProxyKeeper {
  readonly #options: KeeperOptions
  readonly #folder: ProxyFolder
  readonly #specs = new Map<number, EndpointSpec>()
  readonly #observed = new Map<number, ObservedEndpoint>()
  readonly #listeners = new Set<(databaseUid: number) => void>()
  readonly #closing = new AbortController()
  #turn: Promise<void> = Promise.resolve()
  #link: Link | null = null
  /** Predecessors that serve their clients to the end. */
  readonly #leaving = new Set<Link>()
  /** A proxy of another build that could not hand over is not asked again and again. */
  #isHandoverTried = false
  #configDigest = ''
  /** Databases of whose endpoints a certificate is not at hand. */
  #outdated: ReadonlySet<number> = new Set()
  #restartMs = RESTART_MIN_MS

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#folder = proxyFolder(options.dataDir)
  }

  /** Finds what was served before; whether it still is shows when the planner asks for it again. */
  async start(): Promise<void> {
    for (const spec of await readEndpoints(this.#folder)) {
      this.#specs.set(spec.databaseUid, spec)
      this.#observe(notServed(spec))
    }
  }

  /** The proxy goes on serving. */
  close(): void {
    this.#closing.abort()
    this.#link?.close()
    for (const link of this.#leaving) link.close()
    this.#listeners.clear()
  }

  observed(): ReadonlyMap<number, ObservedEndpoint> {
    return this.#observed
  }

  onChange(listener: (databaseUid: number) => void): void {
    this.#listeners.add(listener)
  }

  /** Resolves when it is served. Rejects with StepFailed. */
  async open(spec: EndpointSpec): Promise<void> {
    const { databaseUid } = spec
    await this.#inTurn(async () => {
      this.#specs.set(databaseUid, spec)
      await this.#bring()
    })
    if (this.#outdated.has(databaseUid))
      throw new StepFailed('missing', `the certificate of database ${databaseUid} is not at hand`)
    const { problem = '' } = this.#observed.get(databaseUid) ?? {}
    if (problem !== '')
      throw new StepFailed('port', `the endpoint of database ${databaseUid} cannot be opened`, problem)
  }

  /** Whether it says at this moment that it serves. */
  async serves(databaseUid: number, timeoutMs: number): Promise<boolean> {
    const status = await this.#link?.ask('status', timeoutMs).catch(() => null)
    return status != null && this.#observed.get(databaseUid)?.digest != null && !status.problems[String(databaseUid)]
  }

  /** What has been counted of the endpoints of these databases, and its processes; nothing when it is not said in time. */
  async readings(databaseUids: readonly number[], processes: boolean, timeoutMs: number): Promise<ProxyReadings> {
    const served = databaseUids.filter((uid) => this.#observed.get(uid)?.digest != null)
    if (served.length === 0 && !processes) return NO_PROXY
    const line = await this.#link?.askCounts(served, timeoutMs)
    return line ? readingsOf(line, Date.now(), performance.now()) : NO_PROXY
  }

  async end(databaseUid: number): Promise<void> {
    await this.#inTurn(async () => {
      this.#specs.delete(databaseUid)
      await this.#bring()
      this.#observed.delete(databaseUid)
    })
    this.#tell(databaseUid)
  }

  /** Until the next start; what it served is remembered. True when there was one. */
  async stop(): Promise<boolean> {
    const link = await this.#connect()
    this.#closing.abort()
    await this.#endAll(link)
    return link !== null
  }

  /**
   * Has a successor take the place of the proxy, with the code and the number of workers that are wanted now: whoever
   * connects is served all the while. Nothing happens without a proxy, or, unless `always`, when it is as wanted. Rejects with StepFailed.
   */
  async replace({ always }: { readonly always: boolean }): Promise<void> {
    await this.#inTurn(async () => {
      const link = await this.#connect()
      if (!link) return
      const { program } = this.#options
      const { build, workers } = await link.ask('status', ANSWER_TIMEOUT_MS)
      if (!always && build === program.build && workers === program.workers()) return
      await this.#write()
      await this.#handOver(link)
    })
  }

  /** Has the proxy take over what is set for it and needs no restart. Rejects with StepFailed. */
  async configure(): Promise<void> {
    await this.#inTurn(async () => {
      if (this.#specs.size > 0) await this.#bring()
    })
  }

  async #handOver(link: Link): Promise<void> {
    const { command, workers, build } = this.#options.program
    this.#options.log.info({ workers: workers(), build }, 'a successor takes the place of the proxy')
    await link.askReplace({ workers: workers(), command }, SUCCESSION_TIMEOUT_MS)
    this.#link = null
    this.#leaving.add(link)
    void link.closed.then(() => this.#leaving.delete(link))
    // From here on it is the successor that serves, and that is asked.
    if (this.#specs.size > 0) await this.#take((await this.#connect()) ?? (await this.#launch()))
  }

  async #endAll(link: Link | null): Promise<void> {
    const links = [...this.#leaving, ...(link ? [link] : [])]
    for (const one of links) one.end()
    const over = new AbortController()
    const late = delay(ANSWER_TIMEOUT_MS, 'late', { signal: over.signal }).catch(() => 'late')
    const outcome = await Promise.race([Promise.all(links.map((one) => one.closed)), late])
    over.abort()
    if (outcome !== 'late') return
    // Others wait for their turn; one that hangs is spoken to anew.
    for (const one of links) one.close()
    throw new StepFailed('timeout', 'the proxy does not end: if it hangs, end its process by hand')
  }

  /** Writes down what is to be served, and has the proxy take it over; without endpoints there is none. */
  async #bring(): Promise<void> {
    await this.#write()
    if (this.#specs.size === 0) return await this.#endAll(await this.#connect())
    const link = (await this.#connect()) ?? (await this.#launch())
    const { build } = await this.#take(link)
    if (build === this.#options.program.build || this.#isHandoverTried) return
    this.#isHandoverTried = true
    // It serves, which is what was asked for.
    await this.#handOver(link).catch((error) => this.#complain(error))
  }

  async #write(): Promise<void> {
    const clientMemoryBytes = this.#options.program.clientMemoryBytes()
    const options = { ...this.#options, clientMemoryBytes }
    const { config, outdated } = await writeEndpoints(this.#folder, [...this.#specs.values()], options)
    this.#outdated = outdated
    this.#configDigest = hash('sha256', config, 'hex')
  }

  /** Resolves when it serves what is written down. */
  async #take(link: Link): Promise<Status> {
    const specs = [...this.#specs.values()]
    const status = await link.ask('apply', ANSWER_TIMEOUT_MS)
    if (status.digest !== this.#configDigest)
      throw new StepFailed('engine', 'the proxy does not take its configuration over')
    for (const spec of specs) {
      const problem = status.problems[String(spec.databaseUid)] ?? ''
      const digest = this.#outdated.has(spec.databaseUid) ? null : endpointDigest(spec)
      this.#observe({ ...notServed(spec), digest, problem })
    }
    return status
  }

  /** Null: nobody is there. */
  async #connect(): Promise<Link | null> {
    if (this.#link) return this.#link
    const socket = await connectUnix(this.#folder.socket).catch(() => null)
    if (!socket) return null
    const link = new Link(socket)
    this.#link = link
    const since = performance.now()
    void link.closed.then(() => this.#lost(link, performance.now() - since))
    return link
  }

  async #launch(): Promise<Link> {
    const began = performance.now()
    const child = startProxy(this.#options.program, this.#folder, keyPassphrase(this.#options.controlSecret))
    this.#options.log.info({}, 'starting the proxy')
    while (performance.now() - began < START_TIMEOUT_MS && !this.#closing.signal.aborted) {
      const link = await this.#connect()
      if (link) return link
      if (child.hasEnded()) break
      await delay(CONNECT_PAUSE_MS)
    }
    throw new StepFailed('engine', 'the proxy does not start', await child.lastWords())
  }

  #lost(link: Link, livedMs: number): void {
    if (this.#link !== link) return
    this.#link = null
    if (this.#closing.signal.aborted || this.#specs.size === 0) return
    this.#restartMs = livedMs > HEALTHY_AFTER_MS ? RESTART_MIN_MS : Math.min(this.#restartMs * 2, RESTART_MAX_MS)
    const pauseMs = livedMs > HEALTHY_AFTER_MS ? 0 : this.#restartMs
    this.#options.log.warn({ livedMs: Math.round(livedMs) }, 'the proxy ended unasked')
    for (const spec of [...this.#specs.values()]) this.#observe(notServed(spec))
    void delay(pauseMs, undefined, { signal: this.#closing.signal, ref: false })
      .then(() => this.#inTurn(() => this.#bring()))
      .catch((error) => this.#complain(error))
  }

  #complain(error: unknown): void {
    if (!this.#closing.signal.aborted) this.#options.log.warn({ err: error }, 'the proxy is not as it should be')
  }

  async #inTurn(act: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(act)
    this.#turn = turn.catch(() => undefined)
    await turn
  }

  #observe(endpoint: ObservedEndpoint): void {
    if (JSON.stringify(this.#observed.get(endpoint.databaseUid)) === JSON.stringify(endpoint)) return
    this.#observed.set(endpoint.databaseUid, endpoint)
    this.#tell(endpoint.databaseUid)
  }

  #tell(databaseUid: number): void {
    for (const listener of [...this.#listeners]) listener(databaseUid)
  }
}

function notServed({ databaseUid, isMoving }: EndpointSpec): ObservedEndpoint {
  return { databaseUid, digest: null, problem: '', isMoving }
}

/** One connection to the proxy's control socket; answers come in the order of the questions. */
class Link {
  readonly #socket: Socket
  readonly #waiting: ((line: string | null) => void)[] = []
  readonly closed: Promise<void>

  constructor(socket: Socket) {
    this.#socket = socket
    socket.on('error', () => undefined)
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        for (const answer of this.#waiting.splice(0)) answer(null)
        resolve()
      })
    })
    createInterface({ input: socket })
      .on('line', (line) => this.#waiting.shift()?.(line))
      // It hands on the errors of its socket, which would not come to its close if nobody heard them.
      .on('error', () => undefined)
  }

  /** Rejects with StepFailed when it ends, or is silent for so long. */
  async ask(what: 'apply' | 'status', timeoutMs: number): Promise<Status> {
    const line = await this.#answer({ ask: what }, timeoutMs)
    const status = line === null ? null : statusOf(line)
    if (status) return status
    // Whatever it would still say is out of step now.
    this.close()
    throw new StepFailed('timeout', 'the proxy does not answer')
  }

  /** Resolves when a successor serves. Rejects with StepFailed. */
  async askReplace(how: { readonly workers: number; readonly command: readonly string[] }, timeoutMs: number) {
    const line = await this.#answer({ ask: 'replace', ...how }, timeoutMs)
    if (line === null) throw new StepFailed('timeout', 'the proxy does not say that its successor serves')
    if (!isReplaced(line)) throw new StepFailed('engine', 'the successor of the proxy does not start')
  }

  /** Null: not in time. What it says later is read in its turn, and nobody waits for it any more. */
  async askCounts(databases: readonly number[], timeoutMs: number): Promise<string | null> {
    // While it takes over a configuration it answers nothing else.
    if (this.#waiting.length >= MAX_WAITING) return null
    return await this.#answer({ ask: 'counts', databases }, timeoutMs)
  }

  async #answer(question: object, timeoutMs: number): Promise<string | null> {
    const answered = new Promise<string | null>((resolve) => this.#waiting.push(resolve))
    this.#socket.write(`${JSON.stringify(question)}\n`)
    const over = new AbortController()
    try {
      return await Promise.race([answered, delay(timeoutMs, null, { signal: over.signal })])
    } finally {
      over.abort()
    }
  }

  end(): void {
    this.#socket.write(`${JSON.stringify({ ask: 'end' })}\n`)
  }

  close(): void {
    this.#socket.destroy()
  }
}

function statusOf(line: string): Status | null {
  try {
    const status = JSON.parse(line) as Status
    return typeof status.digest === 'string' ? { ...status, problems: status.problems ?? {} } : null
  } catch {
    return null
  }
}

function isReplaced(line: string): boolean {
  try {
    return Object(JSON.parse(line)).isReplaced === true
  } catch {
    return false
  }
}
