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
import { Switched } from './switched.ts'

type Options = {
  readonly settings: Settings
  readonly state: State
  readonly folderId: string
  readonly now: () => number
  readonly log: ServerLog
}

export type Discovery = { readonly inWords: string; readonly service: Switched; close(): Promise<void> }

const OFF = 'it is disabled in /v1/cluster/services_configuration.'

/** Undefined when it is not wanted. */
export async function startDiscovery({ settings, state, folderId, now, log }: Options): Promise<Discovery | undefined> {
  const { listen: host, discoveryPort: port } = settings
  if (port === null) return undefined
  // Sentinels have such an id, and keep it.
  const myId = hash('sha1', folderId)
  const isWanted = () => isDiscoveryOn(state.cluster.get('')?.value.services ?? {})
  const service = new Switched({
    make: () => new DiscoveryServer({ state, host, port, myId, nowMs: () => performance.now(), log }),
    whyOff: () => (isWanted() ? null : OFF),
    triesAgain: true,
    now,
  })
  const unfollow = state.view.onChange((collection) => {
    if (collection !== state.cluster) return
    service.follow().catch((err) => log.warn({ err }, 'the discovery service cannot be turned on or off'))
  })
  const problem = await service.follow()
  const off = 'off: sentinel_service is disabled in /v1/cluster/services_configuration'
  const trouble = problem === null ? `sentinel protocol, port ${port}` : `none yet: ${problem} (see --discovery-port)`
  const close = async () => {
    unfollow()
    await service.close()
  }
  return { inWords: isWanted() ? trouble : off, service, close }
}
