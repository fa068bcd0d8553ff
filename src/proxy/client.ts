/**
 * One client's connection: cuts what it sends into requests, sends the simple ones straight to their shards, hands the
 * others to the router, and gives the answers back in the order of the requests. Callers: the server makes them.
 *
 * `consume` is the path of nearly every command and makes nothing new on it: requests that follow each other to the
 * same shard are copied there in one piece.
 */
import type { Socket } from 'node:net'
import { hashSlotWithin } from '#resp/hash-slot.ts'
import { Answers, type AnswersHost } from './answers.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Endpoint } from './endpoint.ts'
import { splitInline } from './inline.ts'
import { readClock } from './latency.ts'
import { READ_BUFFER_BYTES, STREAM_REQUEST_BYTES } from './limits.ts'
import type { Pending } from './pending.ts'
import type { Pool, Protocol } from './pool.ts'
import { errorLine, type Request, requestOf } from './request.ts'
import { BROKEN, INCOMPLETE, INLINE, REQUEST_LIMITS, RequestFramer, STRANGER_LIMITS, WHOLE } from './request-framer.ts'
import { adoptSocket } from './wire.ts'

/** What takes a client's requests while its connection has a state: a transaction, a subscription. */
export interface Session {
  /** `pass`: not its business. False: not now; ask again when everything before it is answered. */
  take(client: Client, request: Request): boolean | 'pass'
  /** The client is gone. */
  close(): void
}
export type Handle = (client: Client, request: Request) => boolean
/** Takes over a request that is too large to be kept, if it can: then it gets all bytes until it gives them back. */
export type StreamRequest = (client: Client, framer: RequestFramer, bytes: Buffer) => ByteTaker | null
/** Takes bytes of the client's; tells how many were its own. Fewer than given: it is done. */
export type ByteTaker = (bytes: Buffer, byteCount: number) => number
export type Handlers = { readonly handle: Handle; readonly stream: StreamRequest }

const framerOfAll = new RequestFramer()
const HELD = 1
const OUTPUT = 2
const SHARD = 4

export class Client implements AnswersHost {
  readonly id: number
  readonly endpoint: Endpoint
  readonly socket: Socket
  readonly address: string
  readonly localAddress: string
  readonly openedAt: number
  lastAt: number
  /** Null: has not logged in, and must. */
  pool: Pool | null
  protocol: Protocol = 2
  name = ''
  libraryName = ''
  libraryVersion = ''
  lastCommand = ''
  isNoEvict = false
  /** It has subscribed to something, which in RESP3 is no session. */
  isSubscribed = false
  session: Session | null = null
  /** What the client waits for on a connection of its own. */
  blocked: { unblock(withError: boolean): Promise<boolean> } | null = null
  /** Its keys are watched for it (CLIENT TRACKING), and how. */
  tracking: { readonly flags: readonly string[] } | null = null
  /** More of the same kind that goes when the client goes. */
  readonly companions = new Set<{ close(): void }>()
  /** Answered requests that were asked for before are sent first; then the connection is closed. */
  isEnding = false
  isClosed = false
  readonly answers: Answers
  readonly #handlers: Handlers
  #framer: RequestFramer | null = null
  #rest: Buffer | null = null
  #restUsed = 0
  #streamed: ByteTaker | null = null
  #holds = 0
  #isWaiting = false
  #isResuming = false
  #paused = 0

  constructor(accepted: Socket, endpoint: Endpoint, handlers: Handlers) {
    this.localAddress = `${accepted.localAddress ?? '?'}:${accepted.localPort ?? 0}`
    this.address = `${accepted.remoteAddress ?? '?'}:${accepted.remotePort ?? 0}`
    this.endpoint = endpoint
    this.#handlers = handlers
    this.id = endpoint.nextClientId()
    this.openedAt = endpoint.nowMs()
    this.lastAt = this.openedAt
    this.pool = endpoint.isOpen ? endpoint.join(endpoint.anybody, 2) : null
    const socket = adoptSocket(accepted, (bytes, byteCount) => this.#receive(bytes, byteCount))
    this.socket = socket
    this.answers = new Answers(socket, this, () => endpoint.limits.maxOutputBytes)
    socket.on('error', () => this.close())
    socket.on('close', () => this.close())
    socket.on('end', () => this.#end())
    socket.on('drain', () => this.answers.onDrain())
    endpoint.clients.set(this.id, this)
    socket.resume()
  }

  /** Nothing asked is unanswered. */
  get isQuiet(): boolean {
    return this.answers.isQuiet
  }
  get isIdle(): boolean {
    return this.answers.isQuiet && this.session === null && this.companions.size === 0 && this.#rest === null
  }
  get isBlocked(): boolean {
    return this.blocked !== null
  }
  get inFlight(): number {
    return this.answers.inFlight
  }
  get outputBytes(): number {
    return this.answers.owedBytes
  }
  get inputBytes(): number {
    return this.#restUsed
  }

  enqueue(): Pending {
    return this.answers.enqueue()
  }

  /** An answer of the proxy's own, in its place. */
  reply(bytes: Buffer): void {
    this.complete(this.enqueue(), bytes)
  }

  complete(pending: Pending, bytes: Buffer): void {
    this.answers.complete(pending, bytes)
  }

  push(bytes: Buffer, from = 0, to = bytes.length): void {
    this.answers.push(bytes, from, to)
  }

  /** Takes no more requests until all before are answered. */
  waitUntilQuiet(): void {
    if (!this.isQuiet) this.#isWaiting = true
  }

  /** Takes no more requests until `unhold`; holds nest. */
  hold(): void {
    this.#holds++
  }
  unhold(): void {
    this.#holds--
    this.#scheduleResume()
  }

  async unblock(withError: boolean): Promise<boolean> {
    return (await this.blocked?.unblock(withError)) ?? false
  }

  /** Everything that was asked before is answered, then the connection is closed. */
  endAfterReplies(): void {
    this.isEnding = true
    this.answers.endAfterAll()
  }

  onAnswered(): void {
    if (this.#rest || this.#isWaiting) this.#scheduleResume()
  }

  onOwed(): void {
    this.#pause(OUTPUT)
  }

  onPaid(): void {
    this.#resume(OUTPUT)
  }

  evict(why: string): void {
    const { address, inputBytes, outputBytes } = this
    this.endpoint.onEvicted({ address, why, inputBytes, outputBytes })
    this.close()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.answers.close()
    this.endpoint.forget(this)
    this.session?.close()
    this.session = null
    for (const companion of this.companions) companion.close()
    this.companions.clear()
    if (this.pool) this.endpoint.leave(this.pool)
    this.#rest = null
    this.socket.destroy()
  }

  #receive(bytes: Buffer, byteCount: number): void {
    readClock()
    this.lastAt = this.endpoint.nowMs()
    if (this.isClosed || this.isEnding) return
    let from = 0
    if (this.#streamed) {
      from = this.#streamed(bytes, byteCount)
      if (from === byteCount) return
      this.#streamed = null
    }
    if (this.#rest === null) {
      framerOfAll.reset()
      from = this.#consume(bytes, from, byteCount, framerOfAll)
      if (from < byteCount) this.#keepRest(bytes, from, byteCount)
      return
    }
    this.#keepRest(bytes, from, byteCount)
    this.#consumeRest()
  }

  #keepRest(bytes: Buffer, from: number, to: number): void {
    if (this.isClosed || this.isEnding) return
    const needed = this.#restUsed + to - from
    if (this.#rest === null || needed > this.#rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, Math.min(this.#restUsed * 2, STREAM_REQUEST_BYTES * 64)))
      this.#rest?.copy(larger, 0, 0, this.#restUsed)
      this.#rest = larger
    }
    bytes.copy(this.#rest, this.#restUsed, from, to)
    this.#restUsed = needed
    // What waits for its turn is bounded by not reading more; one read is kept, so that the end of a client is seen.
    if (this.#isBlocked && needed > READ_BUFFER_BYTES) this.#pause(HELD)
  }

  get #isBlocked(): boolean {
    return (
      this.#holds > 0 ||
      (this.#isWaiting && !this.isQuiet) ||
      this.answers.inFlight >= this.endpoint.limits.maxClientPipeline
    )
  }

  #consumeRest(): void {
    const rest = this.#rest
    if (!rest || this.#isBlocked) return
    this.#isWaiting = false
    this.#framer ??= new RequestFramer()
    const used = this.#restUsed
    const from = this.#consume(rest, 0, used, this.#framer)
    if (this.#rest === null) return
    this.#restUsed = used - from
    if (from === used) {
      this.#rest = null
      this.#framer = null
    } else if (from > 0) rest.copyWithin(0, from, used)
    this.#checkPartial()
  }

  /** A request that arrives in pieces is streamed if it can be, or is bounded. */
  #checkPartial(): void {
    const framer = this.#framer
    if (!framer || this.#restUsed < STREAM_REQUEST_BYTES || this.#isBlocked || !this.#rest) return
    const taker = this.#handlers.stream(this, framer, this.#rest.subarray(0, this.#restUsed))
    if (taker) {
      this.#streamed = taker
      this.#rest = null
      this.#restUsed = 0
      this.#framer = null
    } else if (this.#restUsed > this.endpoint.limits.maxPartialRequestBytes) this.#refuse('too big request')
  }

  /** Takes whole requests; returns where it stopped: at the end, at half a request, or because it must wait. */
  #consume(bytes: Buffer, first: number, to: number, framer: RequestFramer): number {
    const { table } = this.endpoint
    const limits = this.pool ? REQUEST_LIMITS : STRANGER_LIMITS
    let from = first
    let run: BackendConnection | undefined
    let runFrom = from
    while (from < to) {
      if (this.#isBlocked || this.isClosed || this.isEnding) break
      const result = framer.read(bytes, from, to, limits)
      if (result !== WHOLE) {
        if (result === INCOMPLETE) break
        if (result === INLINE) {
          run?.commit(bytes, runFrom, from)
          run = undefined
          if (!this.#takeInline(bytes.subarray(from, from + framer.end))) break
          from += framer.end
          framer.reset()
          continue
        }
        if (result === BROKEN) this.#refuse(framer.problem)
        break
      }
      const end = from + framer.end
      if (framer.words > 0) {
        const nameFrom = from + (framer.starts[0] ?? 0)
        const command = table.find(bytes, nameFrom, from + (framer.ends[0] ?? 0))
        const fastKey = command?.fastKey ?? 0
        let connection: BackendConnection | undefined
        if (fastKey > 0 && fastKey < framer.words && this.pool && this.session === null && this.answers.mode === 'on') {
          const slot = hashSlotWithin(bytes, from + (framer.starts[fastKey] ?? 0), from + (framer.ends[fastKey] ?? 0))
          connection = run && this.pool.isFor(slot, run) ? run : this.pool.forSlot(slot)
          if (connection) {
            if (connection !== run) {
              run?.commit(bytes, runFrom, from)
              run = connection
              runFrom = from
              run.reserve(to - from)
              if (run.isChoked) this.waitForRoom(run)
            }
            const pending = this.answers.enqueue()
            pending.slot = slot
            pending.latency = table.latencies[command?.kind ?? 'other']
            run.expect(pending, from - runFrom, framer.end)
            if (command) command.calls++
          }
        }
        if (!connection) {
          run?.commit(bytes, runFrom, from)
          run = undefined
          const words: Buffer[] = []
          const raw = Buffer.from(bytes.subarray(from, end))
          for (let index = 0; index < framer.words; index++)
            words.push(raw.subarray(framer.starts[index], framer.ends[index]))
          framer.reset()
          if (!this.#handle(requestOf(words, command, raw))) break
        }
      } else {
        run?.commit(bytes, runFrom, from)
        run = undefined
      }
      framer.reset()
      from = end
    }
    run?.commit(bytes, runFrom, from)
    return from
  }

  /** False: not now. */
  #takeInline(line: Buffer): boolean {
    const words = splitInline(line)
    if (words === null) {
      this.#refuse('unbalanced quotes in request')
      return true
    }
    const [name] = words
    if (!name) return true
    return this.#handle(requestOf(words, this.endpoint.table.find(name, 0, name.length)))
  }

  /** False: not now. */
  #handle(request: Request): boolean {
    const { command } = request
    const { table } = this.endpoint
    this.answers.latency = table.latencies[command?.kind ?? 'other']
    const isTaken = this.#handlers.handle(this, request)
    this.answers.latency = null
    if (!isTaken) this.#isWaiting = true
    else if (command) command.calls++
    else table.unknownCalls++
    return isTaken
  }

  #refuse(problem: string): void {
    this.reply(errorLine(`ERR Protocol error: ${problem}`))
    this.endAfterReplies()
  }

  /** Reads no more until the shard has taken what waits for it. */
  waitForRoom(connection: BackendConnection): void {
    if (this.#paused & SHARD) return
    this.#pause(SHARD)
    connection.whenRoom(() => this.#resume(SHARD))
  }

  #pause(reason: number): void {
    if (this.#paused === 0) this.socket.pause()
    this.#paused |= reason
  }

  #resume(reason: number): void {
    if ((this.#paused & reason) === 0) return
    this.#paused &= ~reason
    if (this.#paused === 0 && !this.isClosed) this.socket.resume()
  }

  #scheduleResume(): void {
    if (this.#isResuming) return
    this.#isResuming = true
    setImmediate(() => {
      this.#isResuming = false
      if (this.isClosed) return
      readClock()
      if (this.isQuiet) this.#isWaiting = false
      this.#consumeRest()
      if (!this.#isBlocked || this.#restUsed <= READ_BUFFER_BYTES) this.#resume(HELD)
    })
  }

  #end(): void {
    if (this.session || this.#holds > 0) this.close()
    else this.endAfterReplies()
  }
}
