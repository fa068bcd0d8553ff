/**
 * One client's connection: cuts what it sends into requests, sends the simple ones straight to their shards, hands the
 * others to the router, and gives the answers back in the order of the requests. Callers: the server makes them.
 *
 * `consume` is the path of nearly every command and makes nothing new on it: requests that follow each other to the
 * same shard are copied there in one piece.
 */
import type { Socket } from 'node:net'
import { hashSlotWithin } from '#resp/hash-slot.ts'
import type { BackendConnection } from './backend-connection.ts'
import type { Endpoint } from './endpoint.ts'
import { splitInline } from './inline.ts'
import { JOIN_BYTES, OUTPUT_PAUSE_BYTES, READ_BUFFER_BYTES, STREAM_REQUEST_BYTES } from './limits.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'
import type { Pool, Protocol } from './pool.ts'
import { errorLine, type Request, requestOf } from './request.ts'
import { BROKEN, INCOMPLETE, INLINE, REQUEST_LIMITS, RequestFramer, STRANGER_LIMITS, WHOLE } from './request-framer.ts'
import { type Writer, writeToClient } from './tick.ts'
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

export class Client implements ReplyTaker, Writer {
  readonly id: number
  readonly endpoint: Endpoint
  readonly socket: Socket
  readonly address: string
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
  replies: 'on' | 'off' | 'skip-next' = 'on'
  session: Session | null = null
  /** What the client waits for on a connection of its own. */
  blocked: { unblock(withError: boolean): void } | null = null
  /** Its keys are watched for it (CLIENT TRACKING), and how. */
  tracking: { readonly flags: readonly string[] } | null = null
  /** More of the same kind that goes when the client goes. */
  readonly companions = new Set<{ close(): void }>()
  /** Answered requests that were asked for before are sent first; then the connection is closed. */
  isEnding = false
  isClosed = false
  inFlight = 0
  readonly #handlers: Handlers
  #head: Pending | null = null
  #tail: Pending | null = null
  #framer: RequestFramer | null = null
  #rest: Buffer | null = null
  #restUsed = 0
  #streamed: ByteTaker | null = null
  #holds = 0
  #isWaiting = false
  #isResuming = false
  #paused = 0
  #runBase: Buffer | null = null
  #runFrom = 0
  #runTo = 0
  #out: Buffer[] = []
  #pushes: Buffer[] = []
  #heldBytes = 0
  #isDirty = false

  constructor(accepted: Socket, endpoint: Endpoint, handlers: Handlers) {
    this.address = `${accepted.remoteAddress ?? '?'}:${accepted.remotePort ?? 0}`
    this.endpoint = endpoint
    this.#handlers = handlers
    this.id = endpoint.nextClientId()
    this.openedAt = endpoint.nowMs()
    this.lastAt = this.openedAt
    this.pool = endpoint.isOpen ? endpoint.join(endpoint.anybody, 2) : null
    const socket = adoptSocket(accepted, (bytes, byteCount) => this.#receive(bytes, byteCount))
    this.socket = socket
    socket.on('error', () => this.close())
    socket.on('close', () => this.close())
    socket.on('end', () => this.#end())
    socket.on('drain', () => this.#resume(OUTPUT))
    endpoint.clients.set(this.id, this)
    socket.resume()
  }

  /** Nothing asked is unanswered. */
  get isQuiet(): boolean {
    return this.#head === null
  }

  get isIdle(): boolean {
    return this.#head === null && this.session === null && this.companions.size === 0 && this.#rest === null
  }

  get outputBytes(): number {
    return this.socket.writableLength + this.#heldBytes
  }
  get inputBytes(): number {
    return this.#restUsed
  }

  /** A place in the order of answers. */
  enqueue(): Pending {
    const pending = takePending(this)
    if (this.replies !== 'on') this.#mute(pending)
    if (this.#tail) this.#tail.next = pending
    else this.#head = pending
    this.#tail = pending
    this.inFlight++
    return pending
  }

  /** An answer of the proxy's own, in its place. */
  reply(bytes: Buffer): void {
    this.complete(this.enqueue(), bytes)
  }

  complete(pending: Pending, bytes: Buffer): void {
    this.takeReply(pending, bytes, 0, bytes.length)
  }

  takeReply(pending: Pending, bytes: Buffer, from: number, to: number): void {
    if (this.isClosed) return
    if (this.#head !== pending) {
      if (to > from) this.#heldBytes += pending.hold(bytes, from, to)
      pending.isDone = true
      this.#checkOutput()
      return
    }
    if (!pending.isMuted) this.#output(bytes, from, to)
    this.#advance()
  }

  takePart(pending: Pending, bytes: Buffer, from: number, to: number): void {
    if (this.isClosed) return
    if (this.#head !== pending) {
      this.#heldBytes += pending.hold(bytes, from, to)
      this.#checkOutput()
    } else if (!pending.isMuted) this.#output(bytes, from, to)
  }

  lose(pending: Pending, problem: string): void {
    // Half a reply cannot be taken back.
    if (pending.isStarted) this.close()
    else this.complete(pending, errorLine(problem))
  }

  detour(): void {
    this.waitUntilQuiet()
  }

  /** What comes unasked (RESP3, subscriptions): between answers, never inside one. */
  push(bytes: Buffer, from = 0, to = bytes.length): void {
    if (this.isClosed) return
    if (this.#head?.isStarted) {
      this.#pushes.push(Buffer.from(bytes.subarray(from, to)))
      this.#heldBytes += to - from
      this.#checkOutput()
    } else this.#output(bytes, from, to)
  }

  /** Takes no more requests until all before are answered. */
  waitUntilQuiet(): void {
    if (this.#head) this.#isWaiting = true
  }

  /** Takes no more requests until `unhold`; holds nest. */
  hold(): void {
    this.#holds++
  }
  unhold(): void {
    this.#holds--
    this.#scheduleResume()
  }

  unblock(withError: boolean): boolean {
    this.blocked?.unblock(withError)
    return this.blocked !== null
  }

  /** Everything that was asked before is answered, then the connection is closed. */
  endAfterReplies(): void {
    this.isEnding = true
    if (this.#head === null) this.#finish()
  }

  close(): void {
    if (this.isClosed) return
    this.isClosed = true
    this.endpoint.clients.delete(this.id)
    this.session?.close()
    this.session = null
    for (const companion of this.companions) companion.close()
    this.companions.clear()
    if (this.pool) this.endpoint.leave(this.pool)
    this.#rest = null
    this.#out = []
    this.#runBase = null
    this.socket.destroy()
  }

  flush(): boolean {
    this.#isDirty = false
    if (this.isClosed) return true
    const socket = this.socket
    const run = this.#runBase?.subarray(this.#runFrom, this.#runTo)
    this.#runBase = null
    if (this.#out.length === 0) {
      if (run) socket.write(run)
    } else {
      if (run) this.#out.push(run)
      this.#writeAll(this.#out)
      this.#out = []
    }
    const isTaken = socket.writableLength === 0
    if (!isTaken) this.#checkOutput()
    if (this.isEnding && this.#head === null) this.#finish()
    return isTaken
  }

  #writeAll(parts: readonly Buffer[]): void {
    let byteCount = 0
    for (const part of parts) byteCount += part.length
    if (byteCount <= JOIN_BYTES) {
      this.socket.write(Buffer.concat(parts, byteCount))
      return
    }
    this.socket.cork()
    for (const part of parts) this.socket.write(part)
    this.socket.uncork()
  }

  #output(bytes: Buffer, from: number, to: number): void {
    if (this.#runBase === bytes && this.#runTo === from) this.#runTo = to
    else {
      if (this.#runBase) this.#out.push(this.#runBase.subarray(this.#runFrom, this.#runTo))
      this.#runBase = bytes
      this.#runFrom = from
      this.#runTo = to
    }
    if (this.#isDirty) return
    this.#isDirty = true
    writeToClient(this)
  }

  #checkOutput(): void {
    const owed = this.outputBytes
    if (owed > this.endpoint.limits.maxOutputBytes) {
      this.endpoint.onEvicted(this.address, owed)
      this.close()
    } else if (this.socket.writableLength > OUTPUT_PAUSE_BYTES) this.#pause(OUTPUT)
  }

  /** The first answer has been given: so are those behind it that came earlier. */
  #advance(): void {
    let pending = this.#head
    do {
      const next: Pending | null = pending?.next ?? null
      if (pending) givePending(pending)
      this.inFlight--
      pending = next
      if (pending?.held) this.#outputHeld(pending)
    } while (pending?.isDone)
    this.#head = pending
    if (!pending) this.#tail = null
    if (this.#pushes.length > 0 && !pending?.isStarted) this.#outputPushes()
    if (this.#rest || this.#isWaiting) this.#scheduleResume()
    if (this.isEnding && !pending && !this.#isDirty) this.#finish()
  }

  #outputHeld(pending: Pending): void {
    for (const part of pending.held ?? []) {
      this.#heldBytes -= part.length
      if (!pending.isMuted) this.#output(part, 0, part.length)
    }
    pending.held = null
  }

  #outputPushes(): void {
    for (const part of this.#pushes.splice(0)) {
      this.#heldBytes -= part.length
      this.#output(part, 0, part.length)
    }
  }

  #mute(pending: Pending): void {
    pending.isMuted = true
    if (this.replies === 'skip-next') this.replies = 'on'
  }

  #receive(bytes: Buffer, byteCount: number): void {
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
      (this.#isWaiting && this.#head !== null) ||
      this.inFlight >= this.endpoint.limits.maxClientPipeline
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
        if (fastKey > 0 && fastKey < framer.words && this.pool && this.session === null && this.replies === 'on') {
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
            const pending = takePending(this)
            pending.slot = slot
            if (this.#tail) this.#tail.next = pending
            else this.#head = pending
            this.#tail = pending
            this.inFlight++
            run.expect(pending, from - runFrom, framer.end)
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
          if (!this.#handlers.handle(this, requestOf(words, command, raw))) {
            this.#isWaiting = true
            break
          }
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
    const isTaken = this.#handlers.handle(this, requestOf(words, this.endpoint.table.find(name, 0, name.length)))
    if (!isTaken) this.#isWaiting = true
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
      if (this.#head === null) this.#isWaiting = false
      this.#consumeRest()
      if (!this.#isBlocked || this.#restUsed <= READ_BUFFER_BYTES) this.#resume(HELD)
    })
  }

  #end(): void {
    if (this.session || this.#holds > 0) this.close()
    else this.endAfterReplies()
  }

  #finish(): void {
    if (!this.#isDirty && !this.isClosed) this.socket.end(() => this.close())
  }
}
