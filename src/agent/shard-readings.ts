/**
 * Reads the counters of shards: one INFO each, never a second one while the first is unanswered, so that an engine that is
 * busy is not made busier. Callers: the agent.
 */
import { commandKinds } from '#engine/command-kinds.ts'
import type { ControlConnection } from '#engine/control-connection.ts'
import { readInfo } from '#engine/info-reading.ts'
import type { RequestKind, ShardReading } from '#model/statistics/readings.ts'
import type { RespValue } from '#resp/value.ts'
import type { Shard } from './shard.ts'

/** One that takes longer than this is missing in the sample. */
const ANSWER_MS = 900
const COMMANDS_MS = 5_000
/** `$123456\r\n` before the text of INFO, and the end of its line. */
const BULK_FRAME_BYTES = (textBytes: number) => `$${textBytes}\r\n\r\n`.length

type Kinds = { readonly byName: Map<string, RequestKind>; asking: Promise<void> | null }

export class ShardReader {
  /** What commands do, by the version of the engine. */
  readonly #kinds = new Map<string, Kinds>()
  readonly #underWay = new Map<Shard, ControlConnection>()

  /** Null: it does not run, or does not answer in time. */
  async read(shard: Shard): Promise<ShardReading | null> {
    const { connection } = shard
    if (!connection || this.#underWay.get(shard) === connection) return null
    const before = shard.own.total()
    this.#underWay.set(shard, connection)
    const reply = connection.call(['INFO', 'everything'])
    const asked = shard.own.total()
    const settle = () => {
      if (this.#underWay.get(shard) === connection) this.#underWay.delete(shard)
    }
    reply.then(settle, settle)
    const answer = await within(reply, ANSWER_MS)
    if (answer?.kind !== 'bulk' && answer?.kind !== 'verbatim') return null
    const atMs = shard.now()
    const clockMs = performance.now()
    const { numbers, commands } = readInfo(answer.bytes.toString('latin1'))
    // The engine has not counted this INFO and its reply yet, but it has read it.
    const sentBytes = shard.own.total().sentBytes - answer.bytes.length - BULK_FRAME_BYTES(answer.bytes.length)
    const own = { ...before, receivedBytes: asked.receivedBytes, sentBytes }
    const kinds = await this.#kindsOf(shard, connection, commands)
    return {
      uid: shard.uid,
      atMs,
      clockMs,
      numbers,
      commands: commands.map((command) => ({ ...command, kind: kinds.get(command.name) ?? 'other' })),
      own,
    }
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

/** Null: no answer in time, or none at all. */
function within(reply: Promise<RespValue>, timeoutMs: number): Promise<RespValue | null> {
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
