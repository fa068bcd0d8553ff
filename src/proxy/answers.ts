/**
 * What one client is owed: its requests in the order they came, their answers as they arrive, and what is written to it
 * at the end of a tick. Callers: the client connection and the handlers; connections to shards give it replies.
 *
 * An answer that comes before an earlier one is kept until its turn. What a client does not read is bounded: first it
 * is not read either, then it is closed, so that it can neither stall the others nor fill the memory.
 */
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { clock, type Latency } from './latency.ts'
import { JOIN_BYTES, OUTPUT_PAUSE_BYTES } from './limits.ts'
import { givePending, type Pending, type ReplyTaker, takePending } from './pending.ts'
import { errorLine } from './request.ts'
import { type Writer, writeToClient } from './tick.ts'

export interface AnswersHost {
  /** Something was answered: there may be room for more requests. */
  onAnswered(): void
  /** Nothing may be sent for it before everything that is under way has been answered. */
  waitUntilQuiet(): void
  /** It is owed much: read no more from it until it has read. */
  onOwed(): void
  /** It has read. */
  onPaid(): void
  evict(why: string): void
  close(): void
}

export type ReplyMode = 'on' | 'off' | 'skip-next'

export class Answers implements ReplyTaker, Writer {
  /** What the client has asked for with CLIENT REPLY. */
  mode: ReplyMode = 'on'
  /** Of the request that is being handled; its first answer takes it. */
  latency: Latency | null = null
  /** Requests that wait for their answer. */
  inFlight = 0
  readonly #socket: Socket
  readonly #host: AnswersHost
  readonly #maxBytes: () => number
  /** Bytes that are still to be encrypted are not the kernel's yet: the slab must not wait for that. */
  readonly #copies: boolean
  #head: Pending | null = null
  #tail: Pending | null = null
  #runBase: Buffer | null = null
  #runFrom = 0
  #runTo = 0
  #out: Buffer[] = []
  #pushes: Buffer[] = []
  #heldBytes = 0
  #isDirty = false
  #isOwed = false
  #isEnding = false
  #isClosed = false

  constructor(socket: Socket, host: AnswersHost, maxBytes: () => number) {
    this.#socket = socket
    this.#host = host
    this.#maxBytes = maxBytes
    this.#copies = socket instanceof TLSSocket
  }

  get isQuiet(): boolean {
    return this.#head === null
  }
  get owedBytes(): number {
    return this.#socket.writableLength + this.#heldBytes
  }

  /** A place in the order. */
  enqueue(): Pending {
    const pending = takePending(this)
    pending.askedAtUs = clock.us
    pending.latency = this.latency
    this.latency = null
    if (this.mode !== 'on') {
      pending.isMuted = true
      if (this.mode === 'skip-next') this.mode = 'on'
    }
    if (this.#tail) this.#tail.next = pending
    else this.#head = pending
    this.#tail = pending
    this.inFlight++
    return pending
  }

  complete(pending: Pending, bytes: Buffer): void {
    this.takeReply(pending, bytes, 0, bytes.length)
  }

  takeReply(pending: Pending, bytes: Buffer, from: number, to: number): void {
    if (this.#isClosed) return
    if (this.#head !== pending) {
      this.#hold(pending, bytes, from, to)
      pending.isDone = true
      return
    }
    if (!pending.isMuted) this.#output(bytes, from, to)
    this.#advance()
  }

  takePart(pending: Pending, bytes: Buffer, from: number, to: number): void {
    if (this.#isClosed) return
    if (this.#head !== pending) this.#hold(pending, bytes, from, to)
    else if (!pending.isMuted) this.#output(bytes, from, to)
  }

  lose(pending: Pending, problem: string): void {
    // Half a reply cannot be taken back.
    if (pending.isStarted) this.#host.close()
    else this.complete(pending, errorLine(problem))
  }

  detour(): void {
    this.#host.waitUntilQuiet()
  }

  /** What comes unasked (RESP3, subscriptions): between answers, never inside one. */
  push(bytes: Buffer, from: number, to: number): void {
    if (this.#isClosed) return
    if (!this.#head?.isStarted) {
      this.#output(bytes, from, to)
      return
    }
    this.#pushes.push(Buffer.from(bytes.subarray(from, to)))
    this.#heldBytes += to - from
    this.#checkOwed()
  }

  /** Everything that was asked is answered, then the connection is closed. */
  endAfterAll(): void {
    this.#isEnding = true
    this.#endIfDone()
  }

  close(): void {
    this.#isClosed = true
    this.#out = []
    this.#pushes = []
    this.#runBase = null
  }

  flush(): boolean {
    this.#isDirty = false
    if (this.#isClosed) return true
    const socket = this.#socket
    const run = this.#runBase?.subarray(this.#runFrom, this.#runTo)
    this.#runBase = null
    if (this.#out.length === 0) {
      if (run) socket.write(this.#copies ? Buffer.from(run) : run)
    } else {
      if (run) this.#out.push(run)
      this.#writeAll(this.#out)
      this.#out = []
    }
    const isTaken = socket.writableLength === 0
    if (isTaken) this.onDrain()
    else this.#checkOwed()
    this.#endIfDone()
    return isTaken || this.#copies
  }

  /** The kernel has taken everything that was written. */
  onDrain(): void {
    if (!this.#isOwed || this.owedBytes > OUTPUT_PAUSE_BYTES) return
    this.#isOwed = false
    this.#host.onPaid()
  }

  #writeAll(parts: readonly Buffer[]): void {
    let byteCount = 0
    for (const part of parts) byteCount += part.length
    if (byteCount <= JOIN_BYTES || this.#copies) {
      this.#socket.write(Buffer.concat(parts, byteCount))
      return
    }
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part)
    this.#socket.uncork()
  }

  /** Bytes that follow each other in one buffer stay one piece. */
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

  #hold(pending: Pending, bytes: Buffer, from: number, to: number): void {
    if (to <= from || pending.isMuted) return
    this.#heldBytes += pending.hold(bytes, from, to)
    this.#checkOwed()
  }

  #checkOwed(): void {
    const owed = this.owedBytes
    if (owed > this.#maxBytes()) this.#host.evict('it does not read its answers')
    else if (owed > OUTPUT_PAUSE_BYTES && !this.#isOwed) {
      this.#isOwed = true
      this.#host.onOwed()
    }
  }

  /** The first answer has been given: so are those behind it that came earlier. */
  #advance(): void {
    let pending = this.#head
    do {
      const next: Pending | null = pending?.next ?? null
      if (pending) {
        pending.latency?.record(pending.askedAtUs)
        givePending(pending)
      }
      this.inFlight--
      pending = next
      if (pending?.held) this.#outputHeld(pending)
    } while (pending?.isDone)
    this.#head = pending
    if (!pending) this.#tail = null
    if (this.#pushes.length > 0 && !pending?.isStarted) this.#outputPushes()
    this.#host.onAnswered()
    this.#endIfDone()
  }

  #outputHeld(pending: Pending): void {
    for (const part of pending.held ?? []) {
      this.#heldBytes -= part.length
      this.#output(part, 0, part.length)
    }
    pending.held = null
  }

  #outputPushes(): void {
    for (const part of this.#pushes.splice(0)) {
      this.#heldBytes -= part.length
      this.#output(part, 0, part.length)
    }
  }

  #endIfDone(): void {
    if (!this.#isEnding || this.#head || this.#isDirty || this.#isClosed) return
    this.#isClosed = true
    this.#socket.end(() => this.#host.close())
  }
}
