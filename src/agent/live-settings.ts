/**
 * Settings of a running engine: read, change what differs, read again. What counts is what the engine says afterwards,
 * not that it said OK. Callers: configure-shard and the switch of persistence.
 */
import { type ControlConnection, EngineError } from '#engine/control-connection.ts'
import { StepFailed } from '#plan/agent.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { reportedSetting, type Settings } from './directives.ts'
import { kindOfWords } from './trouble.ts'

/** For commands that a healthy engine answers at once; it covers a script or a big eviction that is in the way. */
export const CONTROL_TIMEOUT_MS = 10_000

/** `together`: in one command, all or nothing; needs redis 7. */
export async function applySettings(
  connection: ControlConnection,
  wanted: Settings,
  { together = false } = {},
): Promise<void> {
  const differing = differences(await readSettings(connection, wanted), wanted)
  if (differing.length === 0) return
  const changes = together ? [differing.flat()] : differing
  const replies = await Promise.allSettled(
    connection.send(
      changes.map((words) => ['CONFIG', 'SET', ...words]),
      { timeoutMs: CONTROL_TIMEOUT_MS },
    ),
  )
  const refused = replies.find((reply) => reply.status === 'rejected')
  if (refused) await refusal(connection, refused.reason)
  const still = differences(await readSettings(connection, wanted), wanted).filter(([name]) => name !== 'maxclients')
  if (still.length > 0)
    throw new StepFailed('engine', `the engine did not take ${still.map(([name]) => name).join(', ')}`)
}

/** The engine allows fewer connections than asked when it may not open so many files; it says how many it can. */
async function refusal(connection: ControlConnection, reason: unknown): Promise<void> {
  const possible = reason instanceof EngineError ? /try with (\d+)/.exec(reason.message)?.[1] : undefined
  if (possible !== undefined) {
    await connection.call(['CONFIG', 'SET', 'maxclients', possible], { timeoutMs: CONTROL_TIMEOUT_MS })
    return
  }
  if (!(reason instanceof EngineError)) throw reason
  throw new StepFailed(kindOfWords(reason.message), 'the engine refuses a setting', reason.message, { cause: reason })
}

export async function readSettings(connection: ControlConnection, wanted: Settings): Promise<Settings> {
  const reply = await connection.call(['CONFIG', 'GET', '*'], { timeoutMs: CONTROL_TIMEOUT_MS })
  return Object.fromEntries(pairsOf(reply).filter(([name]) => name in wanted))
}

function differences(reported: Settings, wanted: Settings): [string, string][] {
  return Object.entries(wanted).filter(([name, value]) => reportedSetting(name, reported[name] ?? '') !== value)
}

function pairsOf(reply: RespValue): [string, string][] {
  const words = reply.kind === 'array' ? reply.items.map((item) => textOf(item) ?? '') : []
  return words.flatMap((name, at): [string, string][] => (at % 2 === 0 ? [[name, words[at + 1] ?? '']] : []))
}
