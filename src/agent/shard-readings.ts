/**
 * Reads the counters of shards: one INFO each, never a second one while the first is unanswered, so that an engine that is
 * busy is not made busier. Callers: the agent.
 */
import { commandKinds } from '#engine/command-kinds.ts'
import { type ControlConnection, Question } from '#engine/control-connection.ts'
import { readInfo } from '#engine/info-reading.ts'
import { latencyHistograms } from '#engine/latency-histogram.ts'
import {
  INFO_COLUMNS,
  LATENCY_BOUNDS_US,
  type ProcessSize,
  type RequestKind,
  type ShardReading,
} from '#model/statistics/readings.ts'
import { readProcessSize } from './process-size.ts'
import type { Shard } from './shard.ts'

/** One that takes longer than this is missing in the sample. */
const ANSWER_MS = 900
const COMMANDS_MS = 5_000
/** How latencies are spread costs the engine more to tell than INFO, and is looked at less often. */
const SPREAD_EVERY_MS = 10_000
const SIZE_EVERY_MS = 30_000
/** `$123456\r\n` before the text of INFO, and the end of its line. */
const BULK_FRAME_BYTES = (textBytes: number) => `$${textBytes}\r\n\r\n`.length

type Sized = { readonly pid: number; readonly atMs: number; readonly of: ProcessSize | null }
type Spread = {
  readonly connection: ControlConnection
  readonly atMs: number
  /** Calls of others by then. */
  readonly calls: number
  readonly of: ShardReading['latencies']
}
type Kinds = { readonly byName: Map<string, RequestKind>; asking: Promise<void> | null }

export class ShardReader {
  /** What commands do, by the version of the engine. */
  readonly #kinds = new Map<string, Kinds>()
  readonly #sizes = new WeakMap<Shard, Sized>()
  readonly #spreads = new WeakMap<Shard, Spread>()
  readonly #underWay = new Map<Shard, ControlConnection>()

  /** Null: it does not run, or does not answer in time. */
  async read(shard: Shard): Promise<ShardReading | null> {
    const { connection } = shard
    if (!connection || this.#underWay.get(shard) === connection) return null
    const before = shard.own.total()
    this.#underWay.set(shard, connection)
    const reply = connection.text(QUESTION)
    const askedBytes = shard.own.receivedBytes
    const settle = () => {
      if (this.#underWay.get(shard) === connection) this.#underWay.delete(shard)
    }
    reply.then(settle, settle)
    const answer = await within(reply, ANSWER_MS)
    if (answer === null) return null
    const atMs = shard.now()
    const clockMs = performance.now()
    const { numbers, commands } = readInfo(answer)
    // The engine has not counted this INFO and its reply yet, but it has read it.
    const sentBytes = shard.own.sentBytes - answer.length - BULK_FRAME_BYTES(answer.length)
    const own = { ...before, receivedBytes: askedBytes, sentBytes }
    const kinds = await this.#kindsOf(shard, connection, commands)
    const latencies = await this.#latenciesOf(shard, connection, commands, kinds, own.calls)
    return {
      uid: shard.uid,
      atMs,
      clockMs,
      numbers,
      commands: commands.map((command) =>
        Object.assign(command, { kind: kinds.get(command.name) ?? ('other' as const) }),
      ),
      latencies,
      process: this.#sizeOf(shard, numbers[INFO_COLUMNS.get('process_id') ?? -1] ?? Number.NaN),
      own,
    }
  }

  /** What was found last, while that is not old: most of it hardly changes, and reading it costs as much as INFO. */
  #sizeOf(shard: Shard, pid: number): ProcessSize | null {
    const last = this.#sizes.get(shard)
    const now = performance.now()
    if (last?.pid === pid && now - last.atMs < SIZE_EVERY_MS) return last.of
    const of = readProcessSize(pid, last?.pid === pid ? last.of : null)
    this.#sizes.set(shard, { pid, atMs: now, of })
    return of
  }

  /** Of a shard whose clients nobody else sees. What the engine said last, while that is not old, or nobody has come since. */
  async #latenciesOf(
    shard: Shard,
    connection: ControlConnection,
    commands: readonly { readonly name: string; readonly calls: number }[],
    kinds: ReadonlyMap<string, RequestKind>,
    ours: Readonly<Record<string, number>>,
  ): Promise<ShardReading['latencies']> {
    if (shard.record?.spec?.cluster) return null
    const last = this.#spreads.get(shard)
    const now = performance.now()
    const calls = commands.reduce((sum, command) => sum + command.calls - (ours[command.name] ?? 0), 0)
    if (last?.connection === connection && (now - last.atMs < SPREAD_EVERY_MS || calls === last.calls)) return last.of
    const reply = await within(connection.call(['LATENCY', 'HISTOGRAM']), ANSWER_MS)
    const sums = { read: noLatencies(), write: noLatencies(), other: noLatencies() }
    for (const [name, counts] of reply ? latencyHistograms(reply) : []) {
      const sum = sums[kinds.get(name) ?? 'other']
      // Which of them were ours, the engine cannot say.
      if ((ours[name] ?? 0) === 0) for (const [index, count] of counts.entries()) sum[index] = (sum[index] ?? 0) + count
    }
    const of = reply ? sums : null
    this.#spreads.set(shard, { connection, atMs: now, calls, of })
    return of
  }

  /** A command that is not known may be of a module: the engine is asked once more, and then it is remembered as other. */
  async #kindsOf(
    shard: Shard,
    connection: ControlConnection,
    commands: readonly { readonly name: string }[],
  ): Promise<ReadonlyMap<string, RequestKind>> {
    const build = `${shard.record?.spec?.engine.name} ${shard.observed.engineVersion}`
    const kinds = this.#kinds.get(build) ?? { byName: new Map(), asking: null }
    this.#kinds.set(build, kinds)
    const { byName } = kinds
    if (commands.every(({ name }) => byName.has(name))) return byName
    // A thousand shards of one build that are seen for the first time need one answer.
    kinds.asking ??= connection
      .call(['COMMAND'], { timeoutMs: COMMANDS_MS })
      .then((reply) => {
        for (const [name, kind] of commandKinds(reply)) byName.set(name, kind)
      })
      .catch(() => undefined)
      .finally(() => {
        kinds.asking = null
      })
    await kinds.asking
    if (byName.size > 0) for (const { name } of commands) if (!byName.has(name)) byName.set(name, 'other')
    return byName
  }
}

/** As it is shown elsewhere: what an engine says of its memory depends on how it is asked. */
const QUESTION = new Question(['INFO', 'everything'])

const noLatencies = (): number[] => new Array(LATENCY_BOUNDS_US.length + 1).fill(0)

/** Null: no answer in time, or none at all. */
function within<T>(reply: Promise<T>, timeoutMs: number): Promise<T | null> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(null), timeoutMs)
    reply.then(
      (value) => {
        clearTimeout(timer)
        resolve(value)
      },
      () => {
        clearTimeout(timer)
        resolve(null)
      },
    )
  })
}
