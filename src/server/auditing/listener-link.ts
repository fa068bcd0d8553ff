/**
 * The way to somebody else's listener for audit events: one connection, over which lines of JSON go as they come. The
 * listener never delays anything: what it does not take waits in a bounded buffer, and what is beyond that is not sent,
 * counted, and told to the listener and the log once it is there again.
 */
import { connect, type Socket } from 'node:net'
import type { AuditingConfig } from '#model/auditing.ts'

export type LinkLog = {
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
}

const CONNECT_PATIENCE_MS = 10_000
const KEEP_ALIVE_MS = 30_000

export class ListenerLink {
  readonly #log: LinkLog
  readonly #secondMs: number
  #config: AuditingConfig | undefined
  #socket: Socket | undefined
  #isConnected = false
  #queue: string[] = []
  #queuedBytes = 0
  #dropped = 0
  #attempts = 0
  #retry: NodeJS.Timeout | undefined

  /** `secondMs`: how long a second of the configuration takes; only tests have shorter ones. */
  constructor(log: LinkLog, secondMs = 1_000) {
    this.#log = log
    this.#secondMs = secondMs
  }

  /** Sends to this listener from now on; undefined: to nobody. The same configuration again changes nothing. */
  configure(config: AuditingConfig | undefined): void {
    if (JSON.stringify(config) === JSON.stringify(this.#config)) return
    this.close()
    this.#config = config
    if (config) this.#connect(config)
  }

  /** Without its line break. Never throws, never waits. */
  send(line: string): void {
    if (!this.#config) return
    const bytes = Buffer.byteLength(line) + 1
    if (this.#queuedBytes + this.#unsent() + bytes > this.#config.audit_queue_max_bytes) {
      if (this.#dropped++ === 0) this.#log.warn({}, 'the audit listener does not keep up: events are not sent to it')
      return
    }
    this.#queue.push(line)
    this.#queuedBytes += bytes
    this.#flush()
  }

  /** Forgets what waits. */
  close(): void {
    clearTimeout(this.#retry)
    this.#retry = undefined
    const socket = this.#socket
    this.#socket = undefined
    this.#isConnected = false
    this.#config = undefined
    this.#queue = []
    this.#queuedBytes = 0
    this.#dropped = 0
    this.#attempts = 0
    socket?.destroySoon()
  }

  #connect(config: AuditingConfig): void {
    const { audit_protocol: protocol, audit_address: address, audit_port: port = 0 } = config
    const socket = connect(protocol === 'local' ? { path: address } : { host: address, port })
    this.#socket = socket
    socket.setTimeout(CONNECT_PATIENCE_MS, () => socket.destroy(new Error('it did not answer in time')))
    // What it says is not asked for, but must be read for its end to be noticed.
    socket.resume()
    socket.on('connect', () => {
      socket.setTimeout(0)
      socket.setKeepAlive(true, KEEP_ALIVE_MS)
      if (socket !== this.#socket) return
      this.#isConnected = true
      this.#attempts = 0
      this.#log.info({ protocol }, 'the audit listener is connected')
      this.#flush()
    })
    let reason: Error | undefined
    socket.on('error', (error) => {
      reason = error
    })
    socket.on('close', () => socket === this.#socket && this.#lost(config, reason))
    // Nothing waits for it when the control plane stops.
    socket.unref()
  }

  #lost(config: AuditingConfig, reason: Error | undefined): void {
    this.#socket = undefined
    if (this.#isConnected || this.#attempts === 0)
      this.#log.warn({ err: reason }, 'the audit listener cannot be reached; trying again as configured')
    this.#isConnected = false
    this.#attempts++
    const { audit_reconnect_max_attempts: most, audit_reconnect_interval: seconds } = config
    if (most > 0 && this.#attempts > most) {
      this.#log.warn({ attempts: most }, 'the audit listener is given up until it is configured anew')
      return
    }
    this.#retry = setTimeout(() => this.#connect(config), seconds * this.#secondMs).unref()
  }

  #flush(): void {
    const socket = this.#socket
    if (!socket || !this.#isConnected) return
    while (this.#queue.length > 0 && !socket.writableNeedDrain) {
      const line = this.#queue.shift() ?? ''
      this.#queuedBytes -= Buffer.byteLength(line) + 1
      // Called when the kernel has taken it; the rest is sent then, and what was missed is told.
      socket.write(`${line}\n`, () => this.#flush())
    }
    if (this.#dropped === 0 || socket.writableLength > 0) return
    const count = this.#dropped
    this.#dropped = 0
    this.#log.warn({ count }, 'events were not sent to the audit listener')
    socket.write(`${JSON.stringify({ type: 'events_not_sent', severity: 'WARNING', count })}\n`)
  }

  #unsent(): number {
    return this.#socket?.writableLength ?? 0
  }
}
