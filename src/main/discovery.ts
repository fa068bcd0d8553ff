/**
 * Makes the discovery service from the settings. A port that another program has is said, and is no reason not to look
 * after the databases.
 */
import { hash } from 'node:crypto'
import { DiscoveryServer } from '#discovery/server.ts'
import { isDiscoveryOn } from '#model/services.ts'
import type { ServerLog } from '#server/parts.ts'
import type { State } from '#store/state.ts'
import type { Settings } from './settings.ts'

type Options = {
  readonly settings: Settings
  readonly state: State
  readonly folderId: string
  readonly log: ServerLog
}

export type Discovery = { readonly inWords: string; close(): Promise<void> }

/** Undefined when it is not wanted. */
export async function startDiscovery({ settings, state, folderId, log }: Options): Promise<Discovery | undefined> {
  const { listen: host, discoveryPort: port } = settings
  if (port === null) return undefined
  // Sentinels have such an id, and keep it.
  const myId = hash('sha1', folderId)
  const service = new Switched(
    () => new DiscoveryServer({ state, host, port, myId, nowMs: () => performance.now(), log }),
  )
  const isWanted = () => isDiscoveryOn(state.cluster.get('')?.value.services ?? {})
  const follow = () =>
    service.turn(isWanted()).catch((err) => log.warn({ err }, 'the discovery service cannot be turned on or off'))
  const unfollow = state.view.onChange((collection) => collection === state.cluster && void follow())
  const problem = await service.turn(isWanted())
  const off = 'off: sentinel_service is disabled in /v1/cluster/services_configuration'
  const trouble = problem === null ? `sentinel protocol, port ${port}` : `none yet: ${problem} (see --discovery-port)`
  const close = async () => {
    unfollow()
    await service.turn(false)
  }
  return { inWords: isWanted() ? trouble : off, close }
}

/** Runs or does not, one change after another. */
class Switched {
  readonly #make: () => DiscoveryServer
  #running: DiscoveryServer | null = null
  #turn: Promise<unknown> = Promise.resolve()

  constructor(make: () => DiscoveryServer) {
    this.#make = make
  }

  /** Why it cannot run as it should, in words; null: it does as it was told. One that rejects is over for the next. */
  turn(isOn: boolean): Promise<string | null> {
    const turned = this.#turn.then(() => (isOn ? this.#start() : this.#stop()))
    this.#turn = turned.catch(() => undefined)
    return turned
  }

  async #start(): Promise<string | null> {
    if (this.#running) return null
    const server = this.#make()
    this.#running = server
    try {
      return await server.start()
    } catch (error) {
      await this.#stop()
      throw error
    }
  }

  async #stop(): Promise<null> {
    const server = this.#running
    this.#running = null
    await server?.close()
    return null
  }
}
