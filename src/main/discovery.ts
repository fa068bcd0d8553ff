/**
 * Makes the discovery service from the settings. A port that another program has is said, and is no reason not to look
 * after the databases.
 */
import { hash } from 'node:crypto'
import { DiscoveryServer } from '#discovery/server.ts'
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
  const server = new DiscoveryServer({ state, host, port, myId, nowMs: () => performance.now(), log })
  const problem = await server.start()
  const inWords = problem === null ? `sentinel protocol, port ${port}` : `none yet: ${problem} (see --discovery-port)`
  return { inWords, close: () => server.close() }
}
