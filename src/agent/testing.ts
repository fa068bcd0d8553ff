/**
 * What the tests of this room share: an agent in a folder of its own, specs, free ports, and a client for what an
 * application would do. Everything that a test starts is ended by its id and removed, whether it passes or not.
 */
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { askEngine } from '#engine/detect.ts'
import { findEngines, isAlive, signalProcess } from '#engine/process.ts'
import type { ObservedShard, ShardSpec, Step } from '#plan/step.ts'
import { encodeCommand, type Word } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { freePort } from '../../test/support/ports.ts'
import { LocalAgent } from './local-agent.ts'
import type { LocalAgentOptions } from './options.ts'

export const REDIS_PATH = '/usr/bin/redis-server'
export const redis = await askEngine(REDIS_PATH)
const DEADLINE_MS = 20_000

export type Bench = {
  readonly dataDir: string
  readonly options: LocalAgentOptions
  /** Makes one more agent on the same folder; the earlier one is dropped as by a kill. */
  readonly restart: () => Promise<LocalAgent>
  agent: LocalAgent
}

/** `dataDir`: one that the test made itself, and removes itself. */
export async function makeBench(t: TestContext, changes: Partial<LocalAgentOptions> = {}): Promise<Bench> {
  const dataDir = changes.dataDir ?? (await mkdtemp(join(tmpdir(), 'holdfast-agent-')))
  const options: LocalAgentOptions = {
    dataDir,
    nodeUid: 1,
    engines: [redis],
    controlSecret: randomBytes(32),
    keyPairOf: () => undefined,
    hangsAfterMs: () => 1_500,
    log: { info: () => {}, warn: () => {} },
    proxy: { command: ['false'], env: {}, workers: () => 1, clientMemoryBytes: () => null, build: '' },
    now: Date.now,
    ...changes,
  }
  const agents: LocalAgent[] = []
  const restart = async () => {
    // A killed agent finishes nothing: its connections end, its steps are given up.
    await agents.at(-1)?.close()
    const agent = new LocalAgent(options)
    agents.push(agent)
    await agent.start(AbortSignal.timeout(DEADLINE_MS))
    bench.agent = agent
    return agent
  }
  t.after(async () => {
    await agents.at(-1)?.close()
    await endEngines(dataDir)
    if (!changes.dataDir) await rm(dataDir, { recursive: true, force: true, maxRetries: 5 })
  })
  const bench: Bench = { dataDir, options, restart, agent: new LocalAgent(options) }
  agents.push(bench.agent)
  await bench.agent.start(AbortSignal.timeout(DEADLINE_MS))
  return bench
}

/** The processes that were started below `folder`, by id. */
export function enginesBelow(folder: string) {
  return [...findEngines()].filter(([configPath]) => configPath.startsWith(folder)).map(([, identity]) => identity)
}

export async function endEngines(folder: string): Promise<void> {
  const engines = enginesBelow(folder)
  for (const engine of engines) signalProcess(engine, 'SIGKILL')
  await eventually(() => !engines.some(isAlive))
}

export const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

export async function makeSpec(uid: number, changes: Partial<ShardSpec> = {}): Promise<ShardSpec> {
  return {
    uid,
    databaseUid: uid,
    generation: 1,
    engine: { name: redis.name, version: redis.version },
    role: { kind: 'primary', term: 1, isReplicated: false },
    takesClients: true,
    listen: { host: '127.0.0.1', port: await freePort() },
    cluster: null,
    tls: null,
    memoryLimitBytes: 0,
    evictionPolicy: 'noeviction',
    persistence: { kind: 'none' },
    maxConnections: 1000,
    activeDefrag: {
      enabled: false,
      cycleMaxPercent: null,
      cycleMinPercent: 1,
      ignoreBytes: '100mb',
      maxScanFields: 1000,
      thresholdLowerPercent: 10,
      thresholdUpperPercent: 100,
    },
    replicationBacklogBytes: null,
    replicaOutputBuffer: null,
    trackingTableMaxKeys: 0,
    allowsResp3: true,
    users: [{ name: 'default', enabled: true, passwordHashes: null, rules: ['~*', '&*', '+@all', '-shutdown'] }],
    disconnectOnPasswordRemoval: false,
    flushes: 0,
    ...changes,
  }
}

export async function apply(agent: LocalAgent, step: Step): Promise<void> {
  await agent.apply(step, { signal: AbortSignal.timeout(DEADLINE_MS) })
}

export const start = (agent: LocalAgent, spec: ShardSpec) => apply(agent, { kind: 'start-shard', spec })
export const configure = (agent: LocalAgent, spec: ShardSpec) => apply(agent, { kind: 'configure-shard', spec })
export const stop = (agent: LocalAgent, shardUid: number, save = true) =>
  apply(agent, { kind: 'stop-shard', shardUid, save })

export async function seen(agent: LocalAgent, uid: number, state: ObservedShard['state']): Promise<ObservedShard> {
  await eventually(
    () => agent.observed().get(uid)?.state === state,
    () => JSON.stringify(agent.observed().get(uid)),
  )
  const shard = agent.observed().get(uid)
  assert.ok(shard)
  return shard
}

/** Asks until it is so; a deadline, not a sleep. */
export async function eventually(
  isSo: () => boolean | Promise<boolean>,
  describe: () => string = () => '',
): Promise<void> {
  for (const until = performance.now() + DEADLINE_MS; !(await isSo()); await delay(2)) {
    if (performance.now() > until) assert.fail(`not so within ${DEADLINE_MS} ms: ${describe()}`)
  }
}

/** Kills the shard's process as the kernel would, and waits until it is gone. */
export async function killProcess(agent: LocalAgent, uid: number, bench: Bench): Promise<void> {
  const pid = agent.observed().get(uid)?.pid
  const identity = enginesBelow(bench.dataDir).find((engine) => engine.pid === pid)
  assert.ok(identity)
  signalProcess(identity, 'SIGKILL')
  await eventually(() => !isAlive(identity))
}

/** One application connection. Errors are returned as text that begins with `-`. */
export class Client {
  readonly #socket
  readonly #parser = new RespParser()
  readonly #waiting: ((value: RespValue | null) => void)[] = []
  readonly closed: Promise<void>

  constructor(port: number) {
    this.#socket = connect(port, '127.0.0.1')
    this.#socket.on('error', () => {})
    this.#socket.on('data', (chunk) => {
      for (const value of this.#parser.push(chunk)) this.#waiting.shift()?.(value)
    })
    this.closed = new Promise((resolve) => this.#socket.on('close', () => resolve()))
    this.closed.then(() => this.#waiting.splice(0).map((answer) => answer(null)))
  }

  async call(...words: Word[]): Promise<string | null> {
    const value = await new Promise<RespValue | null>((resolve) => {
      if (this.#socket.destroyed) resolve(null)
      this.#waiting.push(resolve)
      this.#socket.write(encodeCommand(words))
    })
    if (!value) return 'closed'
    return value.kind === 'error'
      ? `-${value.text}`
      : value.kind === 'array'
        ? value.items.map(textOf).join(' ')
        : textOf(value)
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }
}

export async function ask(port: number, ...words: Word[]): Promise<string | null> {
  using client = new Client(port)
  return await client.call(...words)
}
