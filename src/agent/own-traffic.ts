/**
 * How much of what an engine counts is ours: commands, connections and bytes of control connections, which no application
 * sent. Callers: the supervision says when a connection begins and ends, the sampling asks. Counted anew for each process,
 * as the engine does.
 */
import type { ControlConnection } from '#engine/control-connection.ts'
import type { ShardReading } from '#model/statistics/readings.ts'

type Own = ShardReading['own']
const NOTHING: Own = { calls: {}, connections: 0, receivedBytes: 0, sentBytes: 0, clients: 0 }

export class OwnTraffic {
  #pid = 0
  #connection: ControlConnection | null = null
  #past: Own = NOTHING

  begin(pid: number, connection: ControlConnection): void {
    if (pid !== this.#pid) this.#past = NOTHING
    this.#pid = pid
    this.#connection = connection
  }

  end(connection: ControlConnection): void {
    if (this.#connection !== connection) return
    this.#past = { ...this.total(), clients: 0 }
    this.#connection = null
  }

  get receivedBytes(): number {
    return this.#past.receivedBytes + (this.#connection?.sentBytes ?? 0)
  }
  get sentBytes(): number {
    return this.#past.sentBytes + (this.#connection?.receivedBytes ?? 0)
  }

  /** So far, in the engine's view: what it sends is what we receive. */
  total(): Own {
    const { receivedBytes, sentBytes } = this
    const connection = this.#connection
    if (!connection) return this.#past
    const calls = { ...this.#past.calls }
    for (const [name, count] of connection.sentCommands) calls[name] = (calls[name] ?? 0) + count
    return {
      calls,
      connections: this.#past.connections + 1,
      receivedBytes,
      sentBytes,
      clients: 1,
    }
  }
}
