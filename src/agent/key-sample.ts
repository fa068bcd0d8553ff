/**
 * Looks at some keys of a shard without keeping it from its work: a few at a time over a connection of its own, with pauses
 * between, bounded in number and time. SCAN goes through a hash table, in which names lie as chance has it, so that the
 * first so many are a fair sample of all. Callers: the agent.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ControlConnection, EngineError } from '#engine/control-connection.ts'
import { type KeySample, type KeySampling, StepFailed } from '#plan/agent.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { CONTROL_USER } from './accounts.ts'
import type { Shard } from './shard.ts'
import { asStepFailed } from './trouble.ts'

/** Five questions each: what the engine answers within a millisecond. */
const KEYS_TOGETHER = 40
const PAUSE_MS = 1
/** Of a large collection so many members are looked at, and the rest is reckoned from them. */
const MEMBERS = 5
const LONGEST_NAME = 512

/** Rejects with StepFailed. */
export async function sampleKeys(
  shard: Shard,
  password: string,
  { keys, timeoutMs, signal }: { readonly keys: number; readonly timeoutMs: number; readonly signal: AbortSignal },
): Promise<KeySampling> {
  const connection = await ControlConnection.open(shard.folder.socket).catch((cause: unknown) => {
    throw new StepFailed('missing', `shard ${shard.uid} does not run`, shard.observed.lastWords, { cause })
  })
  const options = { timeoutMs, signal }
  const endsAt = performance.now() + timeoutMs
  try {
    await connection.call(['AUTH', CONTROL_USER, password], options)
    const total = Number(textOf(await connection.call(['DBSIZE'], options)))
    const samples: KeySample[] = []
    let cursor = '0'
    do {
      const [next, names] = await scan(connection, cursor, options)
      cursor = next
      samples.push(...(await lookAt(connection, names.slice(0, keys - samples.length), options)))
      if (cursor !== '0') await delay(PAUSE_MS, undefined, { signal })
    } while (cursor !== '0' && samples.length < keys && performance.now() < endsAt)
    return { total, samples, isComplete: cursor === '0' && samples.length >= total }
  } catch (error) {
    throw asStepFailed(error, `looking at keys of shard ${shard.uid}`, signal)
  } finally {
    connection.close()
  }
}

type Options = { readonly timeoutMs: number; readonly signal: AbortSignal }

async function scan(connection: ControlConnection, cursor: string, options: Options): Promise<[string, Buffer[]]> {
  const reply = await connection.call(['SCAN', cursor, 'COUNT', String(KEYS_TOGETHER)], options)
  const [next, names] = reply.kind === 'array' ? reply.items : []
  const keys = names?.kind === 'array' ? names.items.flatMap((item) => (item.kind === 'bulk' ? item.bytes : [])) : []
  return [(next && textOf(next)) ?? '0', keys]
}

async function lookAt(connection: ControlConnection, names: readonly Buffer[], options: Options): Promise<KeySample[]> {
  const questions = names.flatMap((name) => [
    ['TYPE', name],
    ['MEMORY', 'USAGE', name, 'SAMPLES', String(MEMBERS)],
    ['PTTL', name],
    ['OBJECT', 'IDLETIME', name],
    ['OBJECT', 'FREQ', name],
  ])
  const answers = await Promise.all(connection.send(questions, options).map(orNothing))
  return names.flatMap((name, index) => {
    const [type, bytes, ttl, idle, frequency] = answers.slice(5 * index, 5 * index + 5).map(toNumber)
    const kind = answers[5 * index]
    // It went away in the meantime.
    if (bytes === null || bytes === undefined || type === undefined || !kind) return []
    return {
      name: name.subarray(0, LONGEST_NAME).toString('utf8'),
      type: textOf(kind) ?? '',
      bytes,
      ttlMs: ttl !== null && ttl !== undefined && ttl >= 0 ? ttl : null,
      idleSeconds: idle ?? null,
      frequency: frequency ?? null,
    }
  })
}

/** Which of idle time and frequency is kept depends on the eviction policy: the other question is refused. */
function orNothing(reply: Promise<RespValue>): Promise<RespValue | null> {
  return reply.catch((error: unknown) => {
    if (error instanceof EngineError) return null
    throw error
  })
}

function toNumber(value: RespValue | null): number | null {
  return value?.kind === 'integer' ? Number(value.value) : null
}
