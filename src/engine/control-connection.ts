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

/** A command that is asked again and again: its words, as they go out, and as the engine counts them. */
export class Question {
  readonly words: readonly Word[]
  readonly bytes: Buffer
  readonly name: string
  constructor(words: readonly Word[]) {
    this.words = words
    this.bytes = encodeCommands([words])
    this.name = countedAs(words)
  }
}

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
  readonly take: (value: RespValue) => void
  /** For whom an answer need not be made a value first. */
  readonly takeText?: (text: string) => void
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
    socket.on('error', (error) => this.#finish(new ConnectionLost(`the control connection broke: ${error.message}`)))
    this.closed = new Promise((resolve) => {
      socket.on('close', () => resolve(this.#finish(new ConnectionLost('the engine closed the control connection'))))
    })
  }

  /** Rejects with the kernel's own error (`code` ENOENT, ECONNREFUSED …) while nobody listens. */
  static async open(socketPath: string): Promise<ControlConnection> {
    let connection: ControlConnection | undefined
    // Nobody speaks to us before we have asked.
    const socket = await connectUnix(socketPath, (piece) => {
      if (connection && !connection.#receiveText(piece)) connection.#receive(Buffer.from(piece))
    })
    connection = new ControlConnection(socket)
    return connection
  }

  /** Over a socket that somebody else has opened, and nobody else reads from. */
  static over(socket: Socket): ControlConnection {
    const connection = new ControlConnection(socket)
    socket.on('data', (chunk) => connection.#receive(chunk))
    return connection
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

  /**
   * A command whose answer is one text, such as INFO: its bytes, a character each. For what is asked of a thousand engines
   * all the time: nothing is copied or made a value on the way. Rejects as `call` does, and has no patience of its own.
   */
  text({ words, bytes, name }: Question): Promise<string> {
    const refusal = this.#refusal
    if (refusal) return Promise.reject(refusal)
    this.#unansweredSends++
    const reply = new Promise<string>((resolve, reject) =>
      this.#waiting.push({
        take: (value) =>
          value.kind === 'bulk' || value.kind === 'verbatim'
            ? resolve(value.bytes.toString('latin1'))
            : reject(new EngineError(`ERR the engine answered ${String(words[0])} with no text`)),
        takeText: resolve,
        reject,
        isLast: true,
      }),
    )
    this.#count(name)
    this.#socket.write(bytes)
    return reply
  }

  /** All commands in one write; one promise for each. */
  send(commands: readonly (readonly Word[])[], options: CallOptions = {}): Promise<RespValue>[] {
    const refusal = this.#refusal
    if (refusal) return commands.map(() => Promise.reject(refusal))
    if (commands.length === 0) return []
    this.#unansweredSends++
    const last = commands.length - 1
    const replies = commands.map((words, index) => {
      const reply = new Promise<RespValue>((take, reject) =>
        this.#waiting.push({ take, reject, isLast: index === last }),
      )
      return bounded(reply, words, options)
    })
    for (const words of commands) this.#count(countedAs(words))
    this.#socket.write(encodeCommands(commands))
    return replies
  }

  /** Why nothing can be sent now; null: it can. */
  get #refusal(): ConnectionLost | CallTimeout | null {
    if (this.#end) return this.#end
    if (this.#unansweredSends < MAX_WAITING) return null
    return new CallTimeout(`${MAX_WAITING} callers wait for the engine already`)
  }

  /** The engine goes on without us. */
  close(): void {
    this.#finish(new ConnectionLost('the control connection was closed from our side'))
    this.#socket.destroy()
  }

  #count(name: string): void {
    this.sentCommands.set(name, (this.sentCommands.get(name) ?? 0) + 1)
  }

  /** True: it was the whole answer that the only caller waits for, as a text. `piece` is not kept. */
  #receiveText(piece: Buffer): boolean {
    const [waiting] = this.#waiting
    if (!waiting?.takeText || this.#waiting.length > 1 || !this.#parser.isAtRest) return false
    const text = wholeBulk(piece)
    if (text === null) return false
    this.#heardAtMs = performance.now()
    this.#waiting.shift()
    this.#unansweredSends--
    waiting.takeText(text)
    return true
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
    else waiting.take(value)
  }

  /** The first reason wins. */
  #finish(reason: ConnectionLost): ConnectionLost {
    this.#end ??= reason
    for (const waiting of this.#waiting.splice(0)) waiting.reject(this.#end)
    return this.#end
  }
}

function countedAs([first = '', second]: readonly Word[]): string {
  const outer = String(first).toLowerCase()
  return second !== undefined && CONTAINERS.has(outer) ? `${outer}|${String(second).toLowerCase()}` : outer
}

const DOLLAR = '$'.charCodeAt(0)
const CR = '\r'.charCodeAt(0)
const ZERO = '0'.charCodeAt(0)
const CR_LF_BYTES = 2

/** `$5\r\nhello\r\n` → `hello`; null: it is not one bulk string from its first byte to its last. */
function wholeBulk(piece: Buffer): string | null {
  if (piece[0] !== DOLLAR) return null
  let length = 0
  let at = 1
  for (; at < piece.length && piece[at] !== CR; at++) {
    const digit = (piece[at] ?? 0) - ZERO
    if (digit < 0 || digit > 9) return null
    length = length * 10 + digit
  }
  const start = at + CR_LF_BYTES
  return at > 1 && start + length + CR_LF_BYTES === piece.length
    ? piece.toString('latin1', start, start + length)
    : null
}

/** The reply, or the end of the caller's patience; what was set up for the waiting is taken down with it. */
function bounded<T>(reply: Promise<T>, words: readonly Word[], { timeoutMs, signal }: CallOptions): Promise<T> {
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
