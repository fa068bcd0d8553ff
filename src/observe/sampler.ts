/**
 * Reads all counters about once a second and makes samples of them: a few of the databases fifty times a second, so that
 * nothing is felt of it. A database that hardly anybody uses is read every few seconds only, as the API documents.
 * All shards of a database are read together: their sum is of one moment. Callers: main starts and stops it.
 *
 * It decides nothing and stops for nothing: what does not answer is missing in that sample.
 */
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import {
  clusterSample,
  databaseSample,
  endpointOfShards,
  endpointSample,
  nodeSample,
} from '#model/statistics/derive.ts'
import { shardSample } from '#model/statistics/derive-shard.ts'
import type { Measured } from '#model/statistics/objects.ts'
import {
  type EndpointReading,
  infoNumber,
  type NodeReading,
  type Readings,
  type ReadingsWanted,
} from '#model/statistics/readings.ts'
import type { Sample } from '#model/statistics/sample.ts'
import type { Agent } from '#plan/agent.ts'
import { leadsOf } from '#plan/leads.ts'
import { servingOf } from '#plan/serving.ts'
import type { State } from '#store/state.ts'
import { KeptReading } from './kept-reading.ts'
import type { Recorder } from './recorder.ts'
import { isTurnOfIdle, SLOTS, slotOf } from './turns.ts'

const SLOT_MS = 1_000 / SLOTS
/** Fewer operations per second: hardly used. */
const IDLE_OPS = 5
const SETTLE_EVERY_MS = 5_000
/** A database that is gone is forgotten. */
const FORGET_EVERY_MS = 10_000

export type SamplerOptions = {
  readonly state: Pick<State, 'databases' | 'statuses'>
  readonly agents: ReadonlyMap<number, Agent>
  readonly recorder: Recorder
  readonly log: { error(fields: object, message: string): void }
}

export class Sampler {
  readonly #options: SamplerOptions
  /** Those that hardly anybody used when they were read last, and when that was, by the monotonic clock. */
  readonly #idle = new Map<number, number>()
  /** What endpoints have served since their node was sampled: not all of them are read every second. */
  readonly #served = new Map<number, { requests: number; microseconds: number }>()
  readonly #timers = new Set<NodeJS.Timeout>()
  readonly #underWay = new Set<Promise<void>>()
  /** The uids of the databases of each slot, as of the last second. */
  readonly #uidsIn: number[][] = Array.from({ length: SLOTS }, () => [])
  #slot = 0
  /** How often all slots have had their turn. */
  #round = 0
  #isClosed = false

  constructor(options: SamplerOptions) {
    this.#options = options
  }

  async start(): Promise<void> {
    const { recorder } = this.#options
    await recorder.restore().catch((error) => this.#complain(error))
    if (this.#isClosed) return
    this.#every(SLOT_MS, () => this.#turn())
    this.#every(SETTLE_EVERY_MS, () => recorder.settle())
    this.#every(FORGET_EVERY_MS, async () => this.#forget())
  }

  async close(): Promise<void> {
    this.#isClosed = true
    for (const timer of this.#timers) clearInterval(timer)
    await Promise.all(this.#underWay)
    await this.#options.recorder.close()
  }

  #every(ms: number, act: () => Promise<void>): void {
    const timer = setInterval(() => {
      const done = act()
        .catch((error) => this.#complain(error))
        .finally(() => this.#underWay.delete(done))
      this.#underWay.add(done)
    }, ms)
    this.#timers.add(timer)
  }

  #complain(error: unknown): void {
    this.#options.log.error({ err: error }, 'sampling failed')
  }

  /** The databases of one slot, and once a second the nodes. */
  async #turn(): Promise<void> {
    const slot = this.#slot
    this.#slot = (slot + 1) % SLOTS
    const due = this.#dueIn(slot)
    const isNodes = slot === 0
    if (due.length === 0 && !isNodes) return
    const { agents } = this.#options
    const asked = [...agents].map(async ([nodeUid, agent]) => {
      const shardUids = due.flatMap(({ shards }) =>
        shards.flatMap((place) => (place.nodeUid === nodeUid ? place.uid : [])),
      )
      const databaseUids = due.map(({ uid }) => uid)
      const readings = await agent.counters({ shardUids, databaseUids, node: isNodes })
      this.#noteFailures(nodeUid, { shardUids, databaseUids, node: isNodes }, readings)
      return [nodeUid, readings] as const
    })
    const readings = new Map(await Promise.all(asked))
    if (this.#isClosed) return
    const shards = this.#shardSamples(readings)
    for (const database of due) this.#sampleDatabase(database, shards, readings)
    if (isNodes) this.#sampleNodes(readings)
  }

  #noteFailures(nodeUid: number, wanted: ReadingsWanted, { shards, endpoints, node }: Readings): void {
    const { failures } = this.#options.recorder.readings
    const served = this.#options.agents.get(nodeUid)?.endpoints()
    const now = performance.now()
    const answered = new Set(shards.map(({ uid }) => uid))
    for (const uid of wanted.shardUids) failures.shards.take(uid, answered.has(uid), now)
    const told = new Set(endpoints.map(({ databaseUid }) => databaseUid))
    for (const uid of wanted.databaseUids) if (served?.has(uid)) failures.endpoints.take(uid, told.has(uid), now)
    if (wanted.node && node && served && served.size > 0) failures.proxies.take(nodeUid, node.proxy.length > 0, now)
  }

  #dueIn(slot: number): DatabaseDocument[] {
    const { databases } = this.#options.state
    if (slot === 0) {
      for (const uids of this.#uidsIn) uids.length = 0
      for (const { value } of databases.values()) this.#uidsIn[slotOf(value.uid)]?.push(value.uid)
      this.#round++
    }
    const now = performance.now()
    const isDue = (uid: number) => {
      const readAt = this.#idle.get(uid)
      return readAt === undefined || isTurnOfIdle(uid, this.#round, now - readAt)
    }
    return (this.#uidsIn[slot] ?? []).flatMap((uid) => (isDue(uid) && databases.get(uid)?.value) || [])
  }

  #shardSamples(readings: ReadonlyMap<number, Readings>): Map<number, Sample<'shard'>> {
    const { recorder } = this.#options
    const samples = new Map<number, Sample<'shard'>>()
    for (const { shards } of readings.values()) {
      for (const reading of shards) {
        const { uid } = reading
        const object = { kind: 'shard', uid } as const
        const before = recorder.readings.shards.get(uid)
        const sample = shardSample(before, reading, this.#lastRequest(object))
        if (before) before.take(reading)
        else recorder.readings.shards.set(uid, new KeptReading(reading))
        if (!sample) continue
        samples.set(uid, sample)
        recorder.take(object, sample)
      }
    }
    return samples
  }

  #sampleDatabase(
    database: DatabaseDocument,
    shards: ReadonlyMap<number, Sample<'shard'>>,
    readings: ReadonlyMap<number, Readings>,
  ): void {
    const { state, recorder } = this.#options
    const { uid } = database
    const leads = new Set(
      leadsOf(state.statuses.get(uid)?.value.leads ?? [], database.shards).map(({ shardUid }) => shardUid),
    )
    const led = database.shards.filter((place) => leads.has(place.uid))
    const samplesOf = (places: readonly ShardPlace[]) => places.flatMap((place) => shards.get(place.uid) ?? [])
    const [all, primaries] = [samplesOf(database.shards), samplesOf(led)]
    const told = this.#endpointSamples(uid, readings)
    // Shards count what a proxy asks for itself, too; but clients of a cluster go to them, past the proxy.
    const isToldByProxy = servingOf(database.config) === 'proxy' && !database.config.oss_cluster
    const endpoints = isToldByProxy ? told : new Map<number, Sample<'endpoint'>>()
    for (const [nodeUid, places] of isToldByProxy ? [] : Map.groupBy(led, (place) => place.nodeUid)) {
      const sample = endpointOfShards(samplesOf(places), this.#toldUntil({ kind: 'endpoint', uid, nodeUid }))
      if (sample) endpoints.set(nodeUid, sample)
    }
    for (const [nodeUid, sample] of endpoints) this.#takeEndpoint({ kind: 'endpoint', uid, nodeUid }, sample)
    // A sum over some of its shards would look as if the others had lost everything.
    const isComplete = primaries.length === leads.size
    const since = this.#toldUntil({ kind: 'database', uid })
    const sample = isComplete ? databaseSample([...endpoints.values()], primaries, all, since) : null
    // One of whose clients nothing is known is looked at again soon.
    if (sample && (sample.get('total_req') ?? IDLE_OPS) < IDLE_OPS) this.#idle.set(uid, performance.now())
    else this.#idle.delete(uid)
    if (sample) recorder.take({ kind: 'database', uid }, sample)
  }

  /** As the proxies tell it, by node. */
  #endpointSamples(uid: number, readings: ReadonlyMap<number, Readings>): Map<number, Sample<'endpoint'>> {
    const { recorder } = this.#options
    const samples = new Map<number, Sample<'endpoint'>>()
    for (const [nodeUid, { endpoints }] of readings) {
      const reading = endpoints.find(({ databaseUid }) => databaseUid === uid)
      if (!reading) continue
      const ofNodes = recorder.readings.endpoints.get(uid) ?? new Map<number, EndpointReading>()
      const lastRequest = this.#lastRequest({ kind: 'endpoint', uid, nodeUid })
      const sample = endpointSample(ofNodes.get(nodeUid), reading, lastRequest)
      recorder.readings.endpoints.set(uid, ofNodes.set(nodeUid, reading))
      if (sample) samples.set(nodeUid, sample)
    }
    return samples
  }

  #takeEndpoint(object: Extract<Measured, { kind: 'endpoint' }>, sample: Sample<'endpoint'>): void {
    this.#options.recorder.take(object, sample)
    const seconds = sample.knownMs / 1_000
    const served = this.#served.get(object.nodeUid) ?? { requests: 0, microseconds: 0 }
    served.requests += (sample.get('total_req') ?? 0) * seconds
    served.microseconds += (sample.get('acc_latency') ?? 0) * seconds
    this.#served.set(object.nodeUid, served)
  }

  #toldUntil(object: Measured): number {
    return this.#options.recorder.toldUntilMs(object)
  }

  #lastRequest(object: Measured): number {
    return this.#options.recorder.latestOf(object, 'last_req_time') ?? 0
  }

  #sampleNodes(readings: ReadonlyMap<number, Readings>): void {
    const { recorder } = this.#options
    const samples: Sample<'node'>[] = []
    for (const [nodeUid, { node }] of readings) {
      if (!node) continue
      const sample = this.#nodeSample(nodeUid, node)
      recorder.readings.nodes.set(nodeUid, node)
      if (!sample) continue
      samples.push(sample)
      recorder.take({ kind: 'node', uid: nodeUid }, sample)
    }
    const cluster = clusterSample(samples)
    if (cluster) recorder.take({ kind: 'cluster' }, cluster)
  }

  #nodeSample(nodeUid: number, now: NodeReading): Sample<'node'> | null {
    const { state, recorder } = this.#options
    const served = this.#served.get(nodeUid) ?? { requests: 0, microseconds: 0 }
    this.#served.delete(nodeUid)
    const load = { ...served, promisedBytes: 0, usedBytes: 0, clients: 0, aofRewrites: 0 }
    for (const { value } of state.databases.values()) {
      load.clients += recorder.latestOf({ kind: 'endpoint', uid: value.uid, nodeUid }, 'conns') ?? 0
      for (const place of value.shards) {
        if (place.nodeUid !== nodeUid) continue
        load.promisedBytes += value.config.memory_size / value.shards.length
        const reading = recorder.readings.shards.get(place.uid)
        if (!reading) continue
        load.usedBytes += infoNumber(reading, 'used_memory') || 0
        load.aofRewrites += infoNumber(reading, 'aof_rewrite_in_progress') || 0
      }
    }
    return nodeSample(recorder.readings.nodes.get(nodeUid), now, load)
  }

  #forget(): void {
    const { state, recorder } = this.#options
    const shards = new Set<number>()
    for (const { value } of state.databases.values()) for (const { uid } of value.shards) shards.add(uid)
    for (const uid of recorder.readings.shards.keys()) if (!shards.has(uid)) recorder.readings.shards.delete(uid)
    for (const uid of recorder.readings.endpoints.keys())
      if (!state.databases.get(uid)) recorder.readings.endpoints.delete(uid)
    const { failures } = recorder.readings
    failures.shards.forget((uid) => shards.has(uid))
    failures.endpoints.forget((uid) => state.databases.get(uid) !== undefined)
    for (const uid of this.#idle.keys()) if (!state.databases.get(uid)) this.#idle.delete(uid)
  }
}
