/**
 * One connection to one shard, as one user, in one protocol. Shared ones carry the requests of many clients mixed, and
 * give each reply to whoever asked first; an exclusive one is lent to one client for as long as it has a state of its
 * own there: a transaction, a command that blocks, a subscription. Callers: pools, clients.
 *
 * Requests are copied into an arena and written once per tick. The arena keeps them until they are answered, so that
 * one that is redirected can be sent again. Nothing that was sent is ever sent again otherwise.
 */
import type { Socket } from 'node:net'
import { encodeCommands, type Word } from '#resp/encode.ts'
import { readClock } from './latency.ts'
import { ARENA_BYTES, BACKEND_PAUSE_BYTES, CARRY_BYTES, CONNECT_TIMEOUT_MS } from './limits.ts'
import { type Pending, PendingRing } from './pending.ts'
import { ReplyFramer } from './reply-framer.ts'
import type { OpenShardSocket, ShardAddress } from './shard-link.ts'
import { keep, writeToShard } from './tick.ts'

const MINUS = 0x2d

export type Ending = {
  /** For clients, without the mark of an error. */
  readonly problem: string
  /** The shard refused the user, rather than being away. */
  readonly isRefused: boolean
}

export interface BackendHooks {
  /** An error came; true when the request goes another way and needs no answer now. The bytes are valid in the call. */
  onError(connection: BackendConnection, pending: Pending, bytes: Buffer, from: number, to: number): boolean
  /** It was waiting to be sent when the connection ended. */
  onUnsent(pending: Pending, ending: Ending): void
  onEnd(connection: BackendConnection, ending: Ending): void
}

export type PushTaker = (bytes: Buffer, from: number, to: number) => void

export class BackendConnection {
  readonly host: string
  readonly port: number
  readonly ring = new PendingRing()
  /** Who gets what comes unasked. `takesAll`: nothing here is an answer (RESP2 subscriptions). */
  onPush: PushTaker | null = null
  takesAll = false
  /** Told when the connection ends while it is lent to somebody. */
  onLost: ((ending: Ending) => void) | null = null
  isReady = false
  ended: Ending | null = null
  readonly #socket: Socket
  readonly #hooks: BackendHooks
  readonly #framer = new ReplyFramer()
  readonly #waitingForRoom: (() => void)[] = []
  #handshakeLeft: number
  #carry: Buffer | null = null
  #arena: Buffer
  #arenaUsed = 0
  #arenaWritten = 0
  #full: Buffer[] = []
  #unsent = 0
  #isDirty = false

  constructor(
    open: OpenShardSocket,
    target: ShardAddress,
    handshake: readonly Word[][],
    hooks: BackendHooks,
    arenaBytes = ARENA_BYTES,
  ) {
    this.host = target.host
    this.port = target.port
    this.#hooks = hooks
    this.#arena = Buffer.allocUnsafeSlow(arenaBytes)
    this.#handshakeLeft = handshake.length
    const socket = open(
      target,
      (bytes, byteCount) => this.#receive(bytes, byteCount),
      () => {
        if (handshake.length > 0) socket.write(encodeCommands(handshake))
        else this.#becomeReady()
      },
    )
    this.#socket = socket
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => this.close('the shard does not answer'))
    socket.on('error', (error: NodeJS.ErrnoException) => this.close(error.code ?? error.message))
    socket.on('close', () => this.close('the shard closed the connection'))
    socket.on('drain', () => this.#drain())
  }

  get isIdle(): boolean {
    return this.isReady && this.ring.length === 0 && this.ended === null
  }
  get isChoked(): boolean {
    return this.#socket.writableLength > BACKEND_PAUSE_BYTES
  }

  /** Calls back once, when the shard has taken what was waiting for it, or the connection has ended. */
  whenRoom(resume: () => void): void {
    this.#waitingForRoom.push(resume)
  }

  /** Makes room for a run of `byteCount` bytes, so that its place is known before it is copied. */
  reserve(byteCount: number): void {
    if (this.#arenaUsed + byteCount <= this.#arena.length) return
    if (this.ring.length === 0 && this.#arenaWritten === this.#arenaUsed && this.#socket.writableLength === 0) {
      // Everything was answered: nobody looks at these bytes any more.
      this.#arenaUsed = 0
      this.#arenaWritten = 0
      if (byteCount <= this.#arena.length) return
    }
    if (this.#arenaUsed > this.#arenaWritten) this.#full.push(this.#arena.subarray(this.#arenaWritten, this.#arenaUsed))
    this.#arena = Buffer.allocUnsafeSlow(Math.max(ARENA_BYTES, byteCount))
    this.#arenaUsed = 0
    this.#arenaWritten = 0
  }

  /** A request that will lie `offset` bytes into the run; `commit` copies the run. */
  expect(pending: Pending, offset: number, byteCount: number): void {
    pending.block = this.#arena
    pending.start = this.#arenaUsed + offset
    pending.end = pending.start + byteCount
    this.ring.push(pending)
    this.#unsent++
  }

  commit(bytes: Buffer, from: number, to: number): void {
    bytes.copy(this.#arena, this.#arenaUsed, from, to)
    this.#arenaUsed += to - from
    this.#touch()
  }

  /** One request. */
  send(pending: Pending, bytes: Buffer, from = 0, to = bytes.length): void {
    this.reserve(to - from)
    this.expect(pending, 0, to - from)
    this.commit(bytes, from, to)
  }

  /** Bytes that are no request by themselves: a piece of one, or what is not answered. */
  sendBytes(bytes: Buffer): void {
    this.reserve(bytes.length)
    this.commit(bytes, 0, bytes.length)
  }

  pauseReplies(): void {
    this.#socket.pause()
  }
  resumeReplies(): void {
    this.#socket.resume()
  }

  flush(): boolean {
    this.#isDirty = false
    if (!this.isReady || this.ended) return true
    this.#unsent = 0
    const last = this.#arena.subarray(this.#arenaWritten, this.#arenaUsed)
    this.#arenaWritten = this.#arenaUsed
    if (this.#full.length === 0) {
      if (last.length > 0) this.#socket.write(last)
    } else {
      this.#socket.cork()
      for (const part of this.#full) this.#socket.write(part)
      if (last.length > 0) this.#socket.write(last)
      this.#socket.uncork()
      this.#full = []
    }
    return true
  }

  close(problem: string, isRefused = false): void {
    if (this.ended) return
    const ending = { problem, isRefused }
    this.ended = ending
    this.isReady = false
    this.#socket.destroy()
    this.#hooks.onEnd(this, ending)
    const sent = this.ring.length - this.#unsent
    for (let index = 0; this.ring.length > 0; index++) {
      const pending = this.ring.shift()
      if (!pending) break
      if (index >= sent) this.#hooks.onUnsent(pending, ending)
      else
        pending.taker?.lose(pending, `ERR shard unavailable: the connection to it was lost after the command was sent`)
    }
    this.onLost?.(ending)
    this.#drain()
  }

  #touch(): void {
    if (this.#isDirty) return
    this.#isDirty = true
    writeToShard(this)
  }

  #drain(): void {
    if (this.#waitingForRoom.length === 0) return
    for (const resume of this.#waitingForRoom.splice(0)) resume()
  }

  #becomeReady(): void {
    this.isReady = true
    this.#socket.setTimeout(0)
    this.#touch()
  }

  #receive(bytes: Buffer, byteCount: number): void {
    readClock()
    const kept = keep(this.#carry, bytes, byteCount)
    const { slab } = kept
    let start = kept.at
    const to = start + byteCount + (this.#carry?.length ?? 0)
    this.#carry = null
    const framer = this.#framer
    while (start < to && framer.read(slab, start, to)) {
      const end = framer.position
      if (this.#handshakeLeft > 0 && !framer.isPush) this.#takeHandshake(slab, start, end)
      else if (framer.isPush || this.takesAll) this.onPush?.(slab, start, end)
      else if (!this.#answer(slab, start, end)) this.close('the shard answers what nobody asked')
      if (this.ended) return
      start = end
    }
    if (framer.isBroken) this.close('the shard does not speak RESP')
    else if (start < to) this.#keepRest(slab, start, to)
  }

  /** False when nobody has asked. */
  #answer(bytes: Buffer, start: number, end: number): boolean {
    const pending = this.ring.shift()
    if (!pending) return false
    if (bytes[start] === MINUS && !pending.isStarted && this.#hooks.onError(this, pending, bytes, start, end))
      return true
    pending.taker?.takeReply(pending, bytes, start, end)
    return true
  }

  #keepRest(slab: Buffer, start: number, to: number): void {
    const pending = this.ring.peek()
    // An error is kept however long it is: it may be a redirection. So is a push: it is no answer to the first in line.
    const mayStream = to - start > CARRY_BYTES && slab[start] !== MINUS && !this.#framer.isPush && !this.takesAll
    if (!pending || !(pending.isStarted || mayStream)) {
      this.#carry = Buffer.from(slab.subarray(start, to))
      this.#framer.reset()
      return
    }
    pending.isStarted = true
    const end = this.#framer.position
    if (end > start) pending.taker?.takePart(pending, slab, start, end)
    if (end < to) this.#carry = Buffer.from(slab.subarray(end, to))
  }

  #takeHandshake(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === MINUS) {
      this.close(bytes.toString('utf8', start + 1, end - 2), true)
      return
    }
    this.#handshakeLeft--
    if (this.#handshakeLeft === 0) this.#becomeReady()
  }
}
