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
  state.view.onChange((collection) => collection === state.cluster && void service.turn(isWanted()))
  const problem = await service.turn(isWanted())
  const off = 'off: sentinel_service is disabled in /v1/cluster/services_configuration'
  const trouble = problem === null ? `sentinel protocol, port ${port}` : `none yet: ${problem} (see --discovery-port)`
  return { inWords: isWanted() ? trouble : off, close: async () => void (await service.turn(false)) }
}

/** Runs or does not, one change after another. */
class Switched {
  readonly #make: () => DiscoveryServer
  #running: DiscoveryServer | null = null
  #turn: Promise<string | null> = Promise.resolve(null)

  constructor(make: () => DiscoveryServer) {
    this.#make = make
  }

  /** Why it cannot run as it should, in words; null: it does as it was told. */
  turn(isOn: boolean): Promise<string | null> {
    this.#turn = this.#turn.then(async () => {
      if (isOn === (this.#running !== null)) return null
      if (this.#running) {
        await this.#running.close()
        this.#running = null
        return null
      }
      this.#running = this.#make()
      return await this.#running.start()
    })
    return this.#turn
  }
}
