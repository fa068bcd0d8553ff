/**
 * What all clients of this process need together is bounded, like the engine's own `maxmemory-clients`: above the limit
 * those that need most are closed first, never one that has asked not to be (CLIENT NO-EVICT). Callers: the server.
 */

/** As much as one that sends and reads nothing costs this process, measured with ten thousand of them. */
const CLIENT_BYTES = 16 * 1024
/** A client can be owed megabytes more in that time, and no gigabytes: whoever does not read is not read either. */
const LOOK_MS = 100

export interface Measured {
  /** Of requests that are not whole, or wait. */
  readonly inputBytes: number
  /** Of answers that it has not read. */
  readonly outputBytes: number
  readonly isNoEvict: boolean
  evict(why: string): void
}

export class ClientMemory {
  readonly #clients: () => Iterable<Measured>
  #limitBytes = 0
  #timer: NodeJS.Timeout | undefined

  constructor(clients: () => Iterable<Measured>) {
    this.#clients = clients
  }

  /** 0: no limit. */
  limit(bytes: number): void {
    this.#limitBytes = bytes
    if (bytes === 0) this.close()
    else this.#timer ??= setInterval(() => this.#look(), LOOK_MS).unref()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #look(): void {
    let total = 0
    for (const client of this.#clients()) total += bytesOf(client)
    if (total <= this.#limitBytes) return
    const largestFirst = [...this.#clients()]
      .filter(({ isNoEvict }) => !isNoEvict)
      .map((client) => ({ client, bytes: bytesOf(client) }))
      .sort((one, other) => other.bytes - one.bytes)
    for (const { client, bytes } of largestFirst) {
      if (total <= this.#limitBytes) return
      total -= bytes
      client.evict('all clients together need more memory than they may')
    }
  }
}

function bytesOf({ inputBytes, outputBytes }: Measured): number {
  return CLIENT_BYTES + inputBytes + outputBytes
}
