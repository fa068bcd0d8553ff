/**
 * One connection to one engine over its unix socket: how the agent speaks to a shard, and how it learns that the shard
 * died. Callers: the agent.
 *
 * The kernel closes the socket the moment the process ends, so `closed` is the failure detector. The connection never
 * comes back by itself: whoever holds it decides what its end means. Commands are answered in order and may be sent
 * without waiting; the number of callers that wait for their answers is bounded. A caller that gives up leaves its place in the order.
 */
import type { Socket } from 'node:net'
import { encodeCommands, type Word } from '#resp/encode.ts'
import { RespParser } from '#resp/parser.ts'
import type { RespValue } from '#resp/value.ts'
import { connectUnix } from './unix-socket.ts'

/**
 * Sends, far beyond what one shard is asked at a time: reached only when it hangs. A send of many commands counts once, for
 * its sender waits; several that give slots to one shard send it thousands together.
 */
const MAX_WAITING = 1_000

/** Those that we use of the commands that the engine counts together with their second word. */
const CONTAINERS: ReadonlySet<string> = new Set([
  'acl',
  'client',
  'cluster',
  'config',
  'function',
  'latency',
  'script',
  'slowlog',
])

/** The engine answered with an error; `code` is its first word: `ERR`, `NOAUTH`. */
export class EngineError extends Error {
  override name = 'EngineError'
  readonly code: string
  constructor(text: string) {
    super(text)
    this.code = text.split(' ', 1)[0] ?? ''
  }
}

/** The connection ended, or never began; whether the command was carried out is not known. */
export class ConnectionLost extends Error {
  override name = 'ConnectionLost'
}

/** No answer in time. The command may still be carried out. */
export class CallTimeout extends Error {
  override name = 'CallTimeout'
}

export type CallOptions = { readonly timeoutMs?: number; readonly signal?: AbortSignal }
type Waiting = {
  readonly resolve: (value: RespValue) => void
  readonly reject: (error: Error) => void
  /** With this answer its sender has all. */
  readonly isLast: boolean
}

export class ControlConnection {
  readonly #socket: Socket
  readonly #parser = new RespParser()
  readonly #waiting: Waiting[] = []
  #unansweredSends = 0
  #heardAtMs = performance.now()
  #end: ConnectionLost | null = null
  /** How often each command went out on it, named as INFO commandstats does. */
  readonly sentCommands = new Map<string, number>()
  /** Resolves once, with the reason; never rejects. */
  readonly closed: Promise<ConnectionLost>

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk) => this.#receive(chunk))
    socket.on('error', (error) => this.#finish(new ConnectionLost(`the control connection broke: ${error.message}`)))
    this.closed = new Promise((resolve) => {
      socket.on('close', () => resolve(this.#finish(new ConnectionLost('the engine closed the control connection'))))
    })
  }

  /** Rejects with the kernel's own error (`code` ENOENT, ECONNREFUSED …) while nobody listens. */
  static async open(socketPath: string): Promise<ControlConnection> {
    return new ControlConnection(await connectUnix(socketPath))
  }

  /** Over a socket that somebody else has opened, and nobody else reads from. */
  static over(socket: Socket): ControlConnection {
    return new ControlConnection(socket)
  }

  get isOpen(): boolean {
    return this.#end === null
  }

  /** When the engine last said anything, by the monotonic clock. */
  get heardAtMs(): number {
    return this.#heardAtMs
  }

  /** Bytes so far, in both directions. */
  get sentBytes(): number {
    return this.#socket.bytesWritten
  }
  get receivedBytes(): number {
    return this.#socket.bytesRead
  }

  /** Rejects with EngineError, ConnectionLost, CallTimeout, or the signal's reason. */
  call(words: readonly Word[], options: CallOptions = {}): Promise<RespValue> {
    const [reply] = this.send([words], options)
    return reply ?? Promise.reject(new ConnectionLost('nothing was sent'))
  }

  /** All commands in one write; one promise for each. */
  send(commands: readonly (readonly Word[])[], options: CallOptions = {}): Promise<RespValue>[] {
    if (this.#end) return commands.map(() => Promise.reject(this.#end))
    if (commands.length === 0) return []
    if (this.#unansweredSends >= MAX_WAITING) {
      return commands.map(() => Promise.reject(new CallTimeout(`${MAX_WAITING} callers wait for the engine already`)))
    }
    this.#unansweredSends++
    const last = commands.length - 1
    const replies = commands.map((words, index) => bounded(this.#enqueue(index === last), words, options))
    for (const words of commands) this.#tally(words)
    this.#socket.write(encodeCommands(commands))
    return replies
  }

  /** The engine goes on without us. */
  close(): void {
    this.#finish(new ConnectionLost('the control connection was closed from our side'))
    this.#socket.destroy()
  }

  #tally([first = '', second]: readonly Word[]): void {
    const outer = String(first).toLowerCase()
    const name = second !== undefined && CONTAINERS.has(outer) ? `${outer}|${String(second).toLowerCase()}` : outer
    this.sentCommands.set(name, (this.sentCommands.get(name) ?? 0) + 1)
  }

  #enqueue(isLast: boolean): Promise<RespValue> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject, isLast }))
  }

  #receive(chunk: Buffer): void {
    this.#heardAtMs = performance.now()
    try {
      for (const value of this.#parser.push(chunk)) this.#answer(value)
    } catch (cause) {
      this.#finish(new ConnectionLost('the engine does not speak its protocol', { cause }))
      this.#socket.destroy()
    }
  }

  #answer(value: RespValue): void {
    if (value.kind === 'push') return
    const waiting = this.#waiting.shift()
    if (waiting?.isLast) this.#unansweredSends--
    // Said unasked: the only such line is why the engine refuses the connection it is about to close.
    if (!waiting) this.#finish(new ConnectionLost(value.kind === 'error' ? value.text : 'the engine speaks unasked'))
    else if (value.kind === 'error') waiting.reject(new EngineError(value.text))
    else waiting.resolve(value)
  }

  /** The first reason wins. */
  #finish(reason: ConnectionLost): ConnectionLost {
    this.#end ??= reason
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#end)
    return this.#end
  }
}

/** The reply, or the end of the caller's patience; what was set up for the waiting is taken down with it. */
function bounded(
  reply: Promise<RespValue>,
  words: readonly Word[],
  { timeoutMs, signal }: CallOptions,
): Promise<RespValue> {
  if (timeoutMs === undefined && !signal) return reply
  return new Promise((resolve, reject) => {
    const abort = () => settle(() => reject(signal?.reason))
    const timer =
      timeoutMs === undefined
        ? undefined
        : setTimeout(
            () => settle(() => reject(new CallTimeout(`no answer to ${String(words[0])} within ${timeoutMs} ms`))),
            timeoutMs,
          )
    const settle = (act: () => void) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      act()
    }
    reply.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort)
  })
}
