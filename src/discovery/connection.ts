/**
 * One connection: bytes in, requests in their order, answers out. A client that asks for more than it reads waits, one that
 * asks for very much lets others have their turn, and what is no request ends the connection.
 */
import type { Socket } from 'node:net'
import { encodeValue } from '#resp/encode.ts'
import { RespProtocolError } from '#resp/parser.ts'
import { type Answer, type Client, isSubscribed, type Service } from './client.ts'
import { answer } from './commands.ts'
import { IDLE_MS, MAX_OUTPUT_BYTES, OUTPUT_PAUSE_BYTES, REQUEST_MS, REQUESTS_PER_TURN } from './limits.ts'
import { inProtocol } from './replies.ts'
import { RequestReader } from './requests.ts'
import { messageFor } from './subscriptions.ts'

export class Connection {
  readonly #socket: Socket
  readonly #service: Service
  readonly #client: Client
  readonly #reader = new RequestReader()
  #waiting: string[][] = []
  #isWaiting = false
  /** Of the newest request that was whole; 0: none was. */
  #askedAtMs = 0
  #begunAtMs: number | undefined

  constructor(options: { socket: Socket; service: Service; id: number }) {
    const { socket, service, id } = options
    this.#socket = socket
    this.#service = service
    this.#client = {
      id,
      address: `${socket.remoteAddress}:${socket.remotePort}`,
      openedAtMs: service.nowMs(),
      protocol: 2,
      name: '',
      libraryName: '',
      libraryVersion: '',
      channels: new Set(),
      patterns: new Set(),
    }
    socket.on('data', (chunk) => this.#take(chunk))
    socket.on('drain', () => this.#serve())
  }

  get isSubscribed(): boolean {
    return isSubscribed(this.#client)
  }

  get askedAtMs(): number {
    return this.#askedAtMs
  }

  tell(channel: string, text: string): void {
    const message = messageFor(this.#client, channel, text)
    if (message.length === 0 || this.#socket.destroyed) return
    if (this.#socket.writableLength > MAX_OUTPUT_BYTES) this.#socket.destroy()
    else this.#socket.write(message)
  }

  isOverdue(nowMs: number): boolean {
    const since = this.#begunAtMs ?? (this.#askedAtMs === 0 ? this.#client.openedAtMs : undefined)
    if (since !== undefined) return nowMs - since > REQUEST_MS
    return !this.isSubscribed && nowMs - this.#askedAtMs > IDLE_MS
  }

  #take(chunk: Buffer): void {
    try {
      this.#waiting.push(...this.#reader.push(chunk))
    } catch (error) {
      if (!(error instanceof RespProtocolError)) throw error
      this.#end(encodeValue({ kind: 'error', text: `ERR Protocol error: ${error.message}`, bulk: false }))
      return
    }
    this.#begunAtMs = this.#reader.isMidway ? (this.#begunAtMs ?? this.#service.nowMs()) : undefined
    this.#serve()
  }

  /** As many as may be answered now; what is left comes when the client has read, or others had their turn. */
  #serve(): void {
    if (this.#isWaiting || this.#socket.destroyed || this.#socket.writableEnded) return
    const replies: Buffer[] = []
    let bytes = 0
    let served = 0
    while (served < Math.min(this.#waiting.length, REQUESTS_PER_TURN)) {
      if (this.#socket.writableLength + bytes >= OUTPUT_PAUSE_BYTES) break
      const words = this.#waiting[served++] ?? []
      const given = answer({ client: this.#client, service: this.#service, words })
      const reply = this.#encoded(given)
      replies.push(reply)
      bytes += reply.length
      if ('last' in given) {
        this.#end(Buffer.concat(replies))
        return
      }
    }
    if (served > 0) this.#askedAtMs = this.#service.nowMs()
    this.#waiting = this.#waiting.slice(served)
    const canTakeMore = replies.length === 0 || this.#socket.write(Buffer.concat(replies))
    if (this.#waiting.length === 0) this.#socket.resume()
    else {
      this.#socket.pause()
      // Otherwise `drain` goes on.
      if (canTakeMore && this.#socket.writableLength < OUTPUT_PAUSE_BYTES) this.#nextTurn()
    }
  }

  #nextTurn(): void {
    this.#isWaiting = true
    setImmediate(() => {
      this.#isWaiting = false
      this.#serve()
    })
  }

  #encoded(given: Answer): Buffer {
    if ('encoded' in given) return given.encoded
    const values = 'last' in given ? [given.last] : 'each' in given ? given.each : [given]
    return Buffer.concat(values.map((value) => encodeValue(inProtocol(value, this.#client.protocol))))
  }

  #end(lastBytes: Buffer): void {
    this.#waiting = []
    this.#socket.removeAllListeners('data')
    this.#socket.resume()
    this.#socket.end(lastBytes, () => this.#socket.destroy())
  }
}
