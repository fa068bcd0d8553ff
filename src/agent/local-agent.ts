/**
 * The agent of the machine that this process runs on: adopts the shards it finds, carries out steps, tells what it sees.
 * Callers: main makes it, the reconciler asks it. It keeps shards alive through its own end: `close` only lets go.
 *
 * Steps of one shard run one after another; a bounded number of processes is started at a time; nothing else waits.
 */
import { mkdir, readdir } from 'node:fs/promises'
import { resolve } from 'node:path'
import { askAclProblem } from '#engine/acl-check.ts'
import { findEngines, type ProcessIdentity } from '#engine/process.ts'
import type { PortRange } from '#model/port-range.ts'
import type { SlotRange } from '#model/slots.ts'
import type { Readings, ReadingsWanted, ShardReading } from '#model/statistics/readings.ts'
import {
  type Agent,
  type DataFile,
  type DataFileFacts,
  type EngineReply,
  type HostFacts,
  type HostReadings,
  type KeySampling,
  type LogOwner,
  type NodeCheck,
  type ShardQuestion,
  type SocketFacts,
  StepFailed,
} from '#plan/agent.ts'
import type { SlotLoads } from '#plan/balance.ts'
import type { ObservedEndpoint, ObservedShard, ShardStep, Step } from '#plan/step.ts'
import { controlPassword, operatorPassword } from './accounts.ts'
import { askAtEndpoint, askCommand, askInfo, askQuestion, pingEndpoint } from './ask.ts'
import { findBusyPorts } from './busy-ports.ts'
import { checkNode } from './checks.ts'
import { readClusterFile } from './cluster-view.ts'
import type { StepContext } from './context.ts'
import { readDataFile } from './data-file.ts'
import { controlPlaneLog, shardsPath } from './folder.ts'
import { readHost, readHostFacts } from './host.ts'
import { dataFiles, networkCounters, sockets } from './inventory.ts'
import { sampleKeys } from './key-sample.ts'
import { Limiter, Turns } from './limiter.ts'
import { readLogTail } from './log-tail.ts'
import { readNode } from './node-reading.ts'
import type { LocalAgentOptions } from './options.ts'
import { keepPace } from './pace.ts'
import { ProcessReader } from './process-readings.ts'
import { proxyFolder } from './proxy/folder.ts'
import { ProxyKeeper } from './proxy/keeper.ts'
import { NO_PROXY } from './proxy/readings.ts'
import { visitEndpoint } from './proxy/visit.ts'
import { readRecord } from './record.ts'
import { Shard } from './shard.ts'
import { ShardReader } from './shard-readings.ts'
import { slotLoads } from './slot-loads.ts'
import { assignSlots } from './steps/assign-slots.ts'
import { configureShard } from './steps/configure-shard.ts'
import { flushShard } from './steps/flush-shard.ts'
import { followShard } from './steps/follow-shard.ts'
import { forgetShards } from './steps/forget-shards.ts'
import { meetShards } from './steps/meet-shards.ts'
import { closeSlots, moveSlots } from './steps/move-slots.ts'
import { promoteShard } from './steps/promote-shard.ts'
import { removeShard } from './steps/remove-shard.ts'
import { restartShard } from './steps/restart-shard.ts'
import { startShard } from './steps/start-shard.ts'
import { stopShard } from './steps/stop-shard.ts'
import { yieldShard } from './steps/yield-shard.ts'
import { type Subject, supervise } from './supervise.ts'
import { asStepFailed } from './trouble.ts'

/** Starting more at a time than this only makes each of them later. */
const SPAWNS_AT_A_TIME = 8
const ADOPTIONS_AT_A_TIME = 64
/** A shard that says nothing for so long is watched on, but the others need not wait for it. */
const ADOPTION_PATIENCE_MS = 1_000
const IDLE_PATIENCE_MS = 10_000
/** As long as shards have for theirs: they are one sample. */
const COUNTS_TIMEOUT_MS = 900

export class LocalAgent implements Agent {
  readonly #options: LocalAgentOptions
  readonly #shards = new Map<number, Shard>()
  readonly #observed = new Map<number, ObservedShard>()
  readonly #listeners = new Set<(shard: ObservedShard) => void>()
  readonly #watches = new Set<Promise<void>>()
  readonly #turns = new Turns<number>()
  readonly #spawns = new Limiter(SPAWNS_AT_A_TIME)
  readonly #closing = new AbortController()
  readonly #proxy: ProxyKeeper
  readonly #reader = new ShardReader()
  readonly #processes = new ProcessReader()
  #host: HostFacts | null = null

  constructor(options: LocalAgentOptions) {
    // Absolute: a process is recognised by the path of its configuration.
    this.#options = { ...options, dataDir: resolve(options.dataDir) }
    this.#proxy = new ProxyKeeper({ ...this.#options, program: options.proxy })
  }

  get host(): HostFacts {
    this.#host ??= readHostFacts(this.#options)
    return this.#host
  }

  /** Adopts what is there: every folder, with the process that belongs to it. */
  async start(signal: AbortSignal): Promise<void> {
    const folders = shardsPath(this.#options.dataDir)
    await mkdir(folders, { recursive: true, mode: 0o700 })
    const uids = (await readdir(folders)).filter((name) => /^[1-9]\d*$/.test(name)).map(Number)
    const engines = once(findEngines)
    const adoptions = new Limiter(ADOPTIONS_AT_A_TIME)
    await this.#proxy.start()
    await Promise.all(uids.map((uid) => adoptions.run(() => this.#adopt(uid, engines, signal))))
    const { log } = this.#options
    log.info({ nodeUid: this.#options.nodeUid, shardCount: uids.length }, 'shards adopted')
  }

  /** The shards go on running. Steps that are under way are given up. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.#proxy.close()
    await this.#turns.idle()
    await Promise.all(this.#watches)
    this.#listeners.clear()
  }

  /** Ends the proxy until the next start. True when there was one. */
  async stopProxy(): Promise<boolean> {
    return await this.#proxy.stop()
  }

  observed(): ReadonlyMap<number, ObservedShard> {
    return this.#observed
  }

  onChange(listener: (shard: ObservedShard) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  endpoints(): ReadonlyMap<number, ObservedEndpoint> {
    return this.#proxy.observed()
  }

  onEndpointChange(listener: (databaseUid: number) => void): void {
    this.#proxy.onChange(listener)
  }

  async endpointServes(databaseUid: number, timeoutMs: number): Promise<boolean> {
    return await this.#proxy.serves(databaseUid, timeoutMs)
  }

  async replaceProxy(options: { readonly always: boolean }): Promise<void> {
    await this.#proxy.replace(options)
  }

  async configureProxy(): Promise<void> {
    await this.#proxy.configure()
  }

  async apply(step: Step, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    if (step.kind === 'open-endpoint') return await this.#proxy.open(step.endpoint)
    if (step.kind === 'close-endpoint') return await this.#proxy.end(step.databaseUid)
    const uid = 'spec' in step ? step.spec.uid : step.shardUid
    const either = AbortSignal.any([signal, this.#closing.signal])
    await this.#turns.take(uid, async () => {
      try {
        either.throwIfAborted()
        await this.#carryOut(step, uid, either)
      } catch (error) {
        throw asStepFailed(error, `${step.kind} of shard ${uid}`, either)
      }
    })
  }

  async #carryOut(step: ShardStep, uid: number, signal: AbortSignal): Promise<void> {
    switch (step.kind) {
      case 'start-shard':
        return await startShard(this.#context(this.#shard(uid), signal), step.spec, step)
      case 'configure-shard':
        return await configureShard(this.#context(this.#known(uid), signal), step.spec)
      case 'restart-shard':
        return await restartShard(this.#context(this.#shard(uid), signal), step.spec)
      case 'yield-shard':
        return await yieldShard(this.#context(this.#known(uid), signal), this.#known(step.successorUid), step)
      case 'promote-shard':
        return await promoteShard(this.#context(this.#known(uid), signal), step)
      case 'flush-shard':
        return await flushShard(this.#context(this.#known(uid), signal), step.spec)
      case 'stop-shard':
        return await stopShard(this.#context(this.#known(uid), signal), step)
      case 'remove-shard':
        await removeShard(this.#context(this.#shard(uid), signal))
        this.#shards.delete(uid)
        this.#observed.delete(uid)
        return
      case 'assign-slots':
        return await assignSlots(this.#context(this.#known(uid), signal), step.slots)
      case 'meet-shards':
        return await meetShards(this.#context(this.#known(uid), signal), step.others)
      case 'follow-shard':
        return await followShard(this.#context(this.#known(uid), signal), step.nodeId)
      case 'forget-shards':
        return await forgetShards(this.#context(this.#known(uid), signal), step.nodeIds)
      case 'move-slots':
        return await moveSlots(this.#context(this.#known(uid), signal), this.#known(step.to.shardUid), step)
      case 'close-slots':
        return await closeSlots(this.#context(this.#known(uid), signal), step.slots)
      default:
        step satisfies never
    }
  }

  async busyPorts(host: string, ports: readonly number[]): Promise<readonly number[]> {
    return await findBusyPorts(host, ports)
  }

  async readings(): Promise<HostReadings> {
    return await readHost(this.#options)
  }

  async checks(ports: readonly PortRange[]): Promise<readonly NodeCheck[]> {
    return await checkNode({ options: this.#options, host: this.host, shards: [...this.#shards.values()], ports })
  }

  async networkCounters(): Promise<Readonly<Record<string, string>>> {
    return await networkCounters()
  }

  async dataFiles(): Promise<readonly DataFileFacts[]> {
    return await dataFiles(this.#options.dataDir, [...this.#shards.keys()])
  }

  async sockets(): Promise<readonly SocketFacts[]> {
    const { dataDir } = this.#options
    return await sockets(dataDir, [...this.#shards.keys()], proxyFolder(dataDir).socket)
  }

  async logTail(of: LogOwner, maxBytes: number): Promise<string | null> {
    const path = this.#logOf(of)
    return path === undefined ? null : await readLogTail(path, maxBytes)
  }

  async dataFile(shardUid: number): Promise<DataFile | null> {
    const shard = this.#shards.get(shardUid)
    return shard ? await readDataFile(shard.folder, shard.record) : null
  }

  async counters({ shardUids, databaseUids, node }: ReadingsWanted): Promise<Readings> {
    const known = shardUids.flatMap((uid) => this.#shards.get(uid) ?? [])
    const [shards, proxied, machine] = await Promise.all([
      Promise.all(known.map((shard) => this.#read(shard).catch(() => null))),
      this.#proxy.readings(databaseUids, node, COUNTS_TIMEOUT_MS).catch(() => NO_PROXY),
      node ? readNode(this.#options).catch(() => null) : null,
    ])
    const { endpoints, pids } = proxied
    return {
      shards: shards.filter((reading) => reading !== null),
      endpoints,
      node: machine && { ...machine, proxy: await this.#processes.read(pids) },
    }
  }

  async #read(shard: Shard): Promise<ShardReading | null> {
    const reading = await this.#reader.read(shard)
    if (reading) keepPace(shard, reading, this.#options.idlePatienceMs ?? IDLE_PATIENCE_MS)
    return reading
  }

  async info(shardUid: number, timeoutMs: number): Promise<Readonly<Record<string, string>> | null> {
    const shard = this.#shards.get(shardUid)
    return shard ? await askInfo(shard, timeoutMs) : null
  }

  async ask(shardUid: number, question: ShardQuestion, timeoutMs: number): Promise<EngineReply> {
    return await askQuestion(this.#known(shardUid), question, timeoutMs)
  }

  async aclProblem(rules: readonly string[]): Promise<string | null> {
    const answers = await Promise.all(this.#options.engines.map(({ path }) => askAclProblem(path, rules)))
    return answers.find((answer) => answer !== null) ?? null
  }

  async command(shardUid: number, words: readonly string[], timeoutMs: number): Promise<EngineReply> {
    return await askCommand(this.#known(shardUid), this.#password(shardUid), words, {
      timeoutMs,
      signal: this.#closing.signal,
    })
  }

  async commandAtEndpoint(databaseUid: number, words: readonly string[], timeoutMs: number): Promise<EngineReply> {
    const { dataDir, controlSecret } = this.#options
    const socket = await visitEndpoint(proxyFolder(dataDir).socket, databaseUid, timeoutMs)
    const password = operatorPassword(controlSecret, databaseUid)
    return await askAtEndpoint(socket, databaseUid, password, words, { timeoutMs, signal: this.#closing.signal })
  }

  async sampleKeys(
    shardUid: number,
    options: { readonly keys: number; readonly timeoutMs: number },
  ): Promise<KeySampling> {
    const signal = this.#closing.signal
    return await sampleKeys(this.#known(shardUid), this.#password(shardUid), { ...options, signal })
  }

  async slotLoads(shardUid: number, slots: readonly SlotRange[], timeoutMs: number): Promise<SlotLoads> {
    return await slotLoads(this.#known(shardUid), slots, { timeoutMs, signal: this.#closing.signal })
  }

  replicationGap(primaryUid: number, successorUid: number): number | null {
    const had = this.#shards.get(primaryUid)?.primaryOffset ?? null
    const has = this.#shards.get(successorUid)?.promotedAtOffset ?? null
    return had === null || has === null ? null : Math.max(0, had - has)
  }

  async pingEndpoint(shardUid: number, timeoutMs: number): Promise<number | null> {
    const shard = this.#shards.get(shardUid)
    return shard ? await pingEndpoint(shard, timeoutMs) : null
  }

  #logOf(of: LogOwner): string | undefined {
    switch (of.kind) {
      case 'control-plane':
        return controlPlaneLog(this.#options.dataDir)
      case 'proxy':
        return proxyFolder(this.#options.dataDir).log
      case 'shard':
        return this.#shards.get(of.shardUid)?.folder.log
    }
  }

  async #adopt(uid: number, engines: () => ReadonlyMap<string, ProcessIdentity>, signal: AbortSignal): Promise<void> {
    const shard = this.#shard(uid)
    const record = await readRecord(shard.folder)
    if (record) shard.adopt(record)
    const cluster = record?.spec?.cluster ? await readClusterFile(shard.folder) : null
    shard.observe({ state: 'starting', cluster })
    const find = () => engines().get(shard.folder.config) ?? null
    this.#watch(shard, { process: null, ended: null, find })
    const patience = AbortSignal.any([signal, AbortSignal.timeout(ADOPTION_PATIENCE_MS)])
    await shard.until(['running', 'loading', 'stopped', 'exited'], { signal: patience }).catch(() => {})
    signal.throwIfAborted()
  }

  #watch(shard: Shard, process: Pick<Subject, 'process' | 'ended' | 'find'>): void {
    const { log, hangsAfterMs } = this.#options
    const subject = { ...process, shard, password: this.#password(shard.uid), log, hangsAfterMs }
    const watch = supervise(subject, { signal: this.#closing.signal }).finally(() => this.#watches.delete(watch))
    this.#watches.add(watch)
  }

  #context(shard: Shard, signal: AbortSignal): StepContext {
    const watch: StepContext['watch'] = (process) => this.#watch(shard, process)
    return { shard, options: this.#options, spawns: this.#spawns, signal, watch }
  }

  #shard(uid: number): Shard {
    const known = this.#shards.get(uid)
    if (known) return known
    const { dataDir, now } = this.#options
    const shard = new Shard(uid, { dataDir, now, changed: (observed) => this.#changed(observed) })
    this.#shards.set(uid, shard)
    return shard
  }

  #known(uid: number): Shard {
    const shard = this.#shards.get(uid)
    if (!shard) throw new StepFailed('missing', `shard ${uid} is not on this machine`)
    return shard
  }

  #changed(observed: ObservedShard): void {
    this.#observed.set(observed.uid, observed)
    for (const listener of [...this.#listeners]) listener(observed)
  }

  #password(shardUid: number): string {
    return controlPassword(this.#options.controlSecret, shardUid)
  }
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null
  return () => {
    made ??= { value: make() }
    return made.value
  }
}
