/**
 * Makes the exporter of metrics from the settings. A port that another program has is said, and is no reason not to look
 * after the databases.
 */
import { Gatherer } from '#observe/exporter/gather.ts'
import { ExporterThread } from '#observe/exporter/thread-host.ts'
import type { Parts } from '#server/parts.ts'
import type { Settings } from './settings.ts'
import { Switched } from './switched.ts'

/** One that fails at once is not started in a loop. */
const RESTART_MS = 1_000

export type Exporter = { readonly inWords: string; readonly service: Switched; close(): Promise<void> }

/** Undefined when it is not wanted. */
export async function startExporter(settings: Settings, parts: Parts): Promise<Exporter | undefined> {
  const { listen: host, metricsPort: port } = settings
  if (port === null) return undefined
  const { state, credentials, now, log } = parts
  const make = () =>
    new ExporterThread({
      state,
      // What it has told of is known to one thread only.
      gatherer: new Gatherer(parts),
      host,
      port,
      mayRead: async ({ authorization, remoteAddress }) => {
        if (state.cluster.get('')?.value.settings.metrics_auth !== true) return true
        const who = await credentials.check(authorization, { remoteAddress })
        return (
          who !== null && who !== undefined && !who.mustChangePassword && who.rights.mayEverywhere('view_all_metrics')
        )
      },
      onEnd: () => setTimeout(() => void startAgain(), RESTART_MS).unref(),
      log,
    })
  const service = new Switched({ make, whyOff: () => null, triesAgain: false, now })
  const startAgain = async () => {
    const why = await service.follow().catch(String)
    if (why !== null) log.warn({ port, problem: why }, 'metrics are not exported any more')
  }
  const problem = await service.follow()
  const inWords = problem === null ? `prometheus, port ${port}` : `none: ${problem} (see --metrics-port)`
  if (problem !== null) log.warn({ port, problem }, 'metrics are not exported')
  return {
    inWords,
    service,
    close: async () => {
      await service.close()
    },
  }
}
