/**
 * The first words with an engine: log in as the control user and ask who it is and whether it is ready, all in one
 * round trip. Callers: the supervision of a shard, and short-lived connections.
 */
import { CallTimeout, ConnectionLost, ControlConnection, EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { type RespValue, textOf } from '#resp/value.ts'
import { CONTROL_USER } from './accounts.ts'

export type Greeting = {
  readonly connection: ControlConnection
  readonly pid: number
  readonly version: string
  readonly role: 'primary' | 'replica'
  readonly loading: boolean
}

/** A healthy engine answers within a millisecond; one that runs a long script is asked again. */
const GREETING_TIMEOUT_MS = 2_000

/**
 * Null: nobody answers there yet, or it has no connection to spare; ask again. Throws EngineError when the engine knows
 * the control user no longer.
 */
export async function greet(
  socketPath: string,
  password: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Greeting | null> {
  const connection = await ControlConnection.open(socketPath).catch(() => null)
  if (!connection) return null
  try {
    return await introduce(connection, password, signal)
  } catch (error) {
    connection.close()
    if (error instanceof ConnectionLost || error instanceof CallTimeout || isFull(error)) return null
    throw error
  }
}

async function introduce(connection: ControlConnection, password: string, signal: AbortSignal): Promise<Greeting> {
  const words = [['AUTH', CONTROL_USER, password], ['INFO', 'server'], ['ROLE'], ['PING']]
  const [auth, info, role, ping] = connection.send(words, { timeoutMs: GREETING_TIMEOUT_MS, signal })
  const [, fields, roleReply, loading] = await Promise.all([
    auth,
    info?.then(infoOf),
    role,
    ping?.then(() => false, isLoading),
  ])
  return {
    connection,
    pid: Number(fields?.process_id),
    version: fields?.valkey_version ?? fields?.redis_version ?? '',
    role: roleOf(roleReply),
    loading: loading ?? false,
  }
}

/** Any other complaint (a script runs, a disk is full) comes from an engine that has its data. */
function isLoading(error: unknown): boolean {
  if (error instanceof EngineError) return error.code === 'LOADING'
  throw error
}

function infoOf(reply: RespValue): Record<string, string> {
  return parseInfo(textOf(reply) ?? '')
}

/** `master` and `slave` are the engine's words; ours begin here. */
function roleOf(reply: RespValue | undefined): 'primary' | 'replica' {
  const first = reply?.kind === 'array' ? reply.items[0] : undefined
  return first && textOf(first) === 'slave' ? 'replica' : 'primary'
}

function isFull(error: unknown): boolean {
  return error instanceof EngineError && error.message.includes('max number of clients')
}
