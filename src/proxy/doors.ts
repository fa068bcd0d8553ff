/**
 * The listening sockets of the endpoints. Callers: the proxy of one process, and the program when it hands clients to
 * workers. They can be handed to a successor: the kernel's queue of waiting clients goes with them, so that a restart
 * of the proxy turns nobody away.
 */
import type { SendHandle } from 'node:child_process'
import { createServer, type Server, type Socket } from 'node:net'
import type { EndpointConfig } from './config.ts'
import { closeHandle, listeningHandle } from './wire.ts'

/** Like the engine's own `tcp-backlog`, but for ten thousand clients that come at once. */
const BACKLOG = 4096

type Door = { readonly place: string; readonly server: Server }
export type OnClient = (databaseUid: number, socket: Socket) => void

export class Doors {
  readonly #doors = new Map<number, Door>()
  /** From a predecessor, by their place. */
  readonly #given = new Map<string, SendHandle>()
  /** Why an endpoint cannot listen, by its database. */
  readonly problems = new Map<number, string>()
  readonly #onClient: OnClient
  readonly #onTrouble: (message: string, detail: object) => void

  constructor(onClient: OnClient, onTrouble: (message: string, detail: object) => void) {
    this.#onClient = onClient
    this.#onTrouble = onTrouble
  }

  /** A socket of a predecessor's that listens already. */
  take(place: string, handle: SendHandle): void {
    this.#given.set(place, handle)
  }

  /** What a successor is to take, by place. */
  get all(): ReadonlyMap<string, SendHandle> {
    const handles = new Map<string, SendHandle>()
    for (const { place, server } of this.#doors.values()) {
      const handle = listeningHandle(server)
      if (handle) handles.set(place, handle)
    }
    return handles
  }

  /** Resolves when everything that can listen does; rejects with the first that cannot, after trying all. */
  async apply(endpoints: readonly EndpointConfig[]): Promise<void> {
    const wanted = new Map(endpoints.map((endpoint) => [endpoint.databaseUid, placeOf(endpoint)]))
    for (const [uid, door] of this.#doors) {
      if (wanted.get(uid) === door.place) continue
      door.server.close()
      this.#doors.delete(uid)
    }
    this.problems.clear()
    const missing = endpoints.filter(({ databaseUid }) => !this.#doors.has(databaseUid))
    const results = await Promise.allSettled(missing.map((endpoint) => this.#open(endpoint)))
    results.forEach((result, index) => {
      const uid = missing[index]?.databaseUid
      if (result.status === 'rejected' && uid !== undefined) this.problems.set(uid, String(result.reason.message))
    })
    for (const handle of this.#given.values()) closeHandle(handle)
    this.#given.clear()
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw failed.reason
  }

  close(): void {
    for (const { server } of this.#doors.values()) server.close()
    this.#doors.clear()
  }

  async #open(endpoint: EndpointConfig): Promise<void> {
    const { databaseUid, listen } = endpoint
    const place = placeOf(endpoint)
    const given = this.#given.get(place)
    this.#given.delete(place)
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) =>
      this.#onClient(databaseUid, socket),
    )
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      const listening = () => {
        server.off('error', reject)
        resolve()
      }
      if (given) server.listen(given, BACKLOG, listening)
      else server.listen({ ...listen, backlog: BACKLOG }, listening)
    })
    server.on('error', (error) => this.#onTrouble('a listening socket failed', { err: error }))
    this.#doors.set(databaseUid, { place, server })
  }
}

function placeOf({ listen }: EndpointConfig): string {
  return `${listen.host}:${listen.port}`
}
