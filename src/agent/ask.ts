/**
 * Questions to a shard that are no steps: INFO, a command of the operator's, and whether its endpoint answers. Callers:
 * the agent. None of them may disturb the control connection: a command can block, subscribe or change the database it
 * works on, so each gets a connection of its own that ends with it.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { type CallOptions, ConnectionLost, ControlConnection, EngineError } from '#engine/control-connection.ts'
import { parseInfo } from '#engine/info.ts'
import { EngineRefusal, type EngineReply, type ShardQuestion, StepFailed } from '#plan/agent.ts'
import { encodeCommand } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import { textOf } from '#resp/value.ts'
import { CONTROL_USER, OPERATOR_USER } from './accounts.ts'
import { toEngineReply } from './replies.ts'
import type { Shard } from './shard.ts'

/** The kernel has the connection a moment before the engine has. */
const ACCEPT_TRIES = 5
const ACCEPT_PAUSE_MS = 2

export async function askInfo(shard: Shard, timeoutMs: number): Promise<Record<string, string> | null> {
  const reply = await shard.connection?.call(['INFO', 'everything'], { timeoutMs }).catch(() => null)
  return reply ? parseInfo(textOf(reply) ?? '') : null
}

/** Over the control connection, of which all that goes over it is known to be ours. */
export async function askQuestion(shard: Shard, question: ShardQuestion, timeoutMs: number): Promise<EngineReply> {
  const { connection } = shard
  if (!connection) throw new StepFailed('missing', `shard ${shard.uid} does not run`, shard.observed.lastWords)
  try {
    return toEngineReply(await connection.call(wordsOf(question), { timeoutMs }))
  } catch (cause) {
    throw asRefusal(cause, question.kind, `shard ${shard.uid}`)
  }
}

function wordsOf(question: ShardQuestion): readonly string[] {
  switch (question.kind) {
    case 'clients':
      return ['CLIENT', 'LIST']
    case 'slow-log':
      return ['SLOWLOG', 'GET', String(question.entries)]
    case 'delays':
      return ['LATENCY', 'LATEST']
    case 'latencies':
      return ['LATENCY', 'HISTOGRAM']
  }
}

export async function askCommand(
  shard: Shard,
  password: string,
  words: readonly string[],
  options: CallOptions,
): Promise<EngineReply> {
  const connection = await ControlConnection.open(shard.folder.socket).catch((cause: unknown) => {
    throw new StepFailed('missing', `shard ${shard.uid} does not run`, shard.observed.lastWords, { cause })
  })
  return await askOver(connection, [CONTROL_USER, password], words, `shard ${shard.uid}`, options)
}

/** The same of the whole of a sharded database: as a client of its endpoint. */
export async function askAtEndpoint(
  socket: Socket,
  databaseUid: number,
  password: string,
  words: readonly string[],
  options: CallOptions,
): Promise<EngineReply> {
  const connection = ControlConnection.over(socket)
  return await askOver(connection, [OPERATOR_USER, password], words, `database ${databaseUid}`, options)
}

async function askOver(
  connection: ControlConnection,
  login: readonly [user: string, password: string],
  words: readonly string[],
  whom: string,
  options: CallOptions,
): Promise<EngineReply> {
  try {
    const [auth, reply] = connection.send([['AUTH', ...login], words], options)
    const [, value] = await Promise.all([auth, reply])
    return value ? toEngineReply(value) : null
  } catch (cause) {
    throw asRefusal(cause, words[0] ?? '', whom)
  } finally {
    connection.close()
  }
}

function asRefusal(cause: unknown, what: string, whom: string): Error {
  if (cause instanceof EngineError) return new EngineRefusal(cause.message, { cause })
  if (cause instanceof ConnectionLost) return new EngineRefusal(`ERR ${cause.message}`, { cause })
  return new StepFailed('timeout', `${whom} did not answer ${what} in time`, null, { cause })
}

/**
 * A stranger may hold the port, so an answer alone proves nothing, and a password must not be shown to strangers. The
 * proof costs no secret: our process, asked over its own socket, closes the very connection that was made; only the one
 * that accepted it can.
 */
export async function pingEndpoint(shard: Shard, timeoutMs: number): Promise<number | null> {
  const listen = shard.record?.spec?.listen
  const { connection } = shard
  if (!listen || !connection) return null
  const signal = AbortSignal.timeout(timeoutMs)
  const began = performance.now()
  const socket = connect({ host: reachable(listen.host), port: listen.port, signal })
  try {
    // Without a handshake: the engine has the connection as soon as it has accepted it.
    const isThere = shard.record?.spec?.tls ? await opens(socket) : await answersPing(socket)
    if (!isThere) return null
    const tookMs = performance.now() - began
    const address = `${socket.remoteFamily === 'IPv6' ? `[${socket.localAddress}]` : socket.localAddress}:${socket.localPort}`
    for (let tries = 0; tries < ACCEPT_TRIES; tries++) {
      const closed = await connection.call(['CLIENT', 'KILL', 'ADDR', address, 'SKIPME', 'yes'], { signal })
      if (closed.kind === 'integer' && closed.value === 1) return tookMs
      await delay(ACCEPT_PAUSE_MS, undefined, { signal })
    }
    return null
  } catch {
    return null
  } finally {
    socket.destroy()
  }
}

function opens(socket: Socket): Promise<boolean> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('connect', () => resolve(true))
  })
}

/** Whoever asks for a password, or for more rights, has received a command and can answer it. */
function answersPing(socket: Socket): Promise<boolean> {
  const parser = new RespParser()
  return new Promise((resolve, reject) => {
    socket.on('error', reject)
    socket.on('close', () => resolve(false))
    socket.on('data', (chunk) => {
      try {
        const [value] = parser.push(chunk)
        if (value) resolve(value.kind === 'status' || (value.kind === 'error' && /^(NOAUTH|NOPERM)/.test(value.text)))
      } catch (error) {
        reject(error)
      }
    })
    socket.write(encodeCommand(['PING']))
  })
}

/** Where a listener on every address is found. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '*') return '127.0.0.1'
  return host === '::' ? '::1' : host
}
