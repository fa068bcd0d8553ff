/**
 * Makes the exporter of metrics from the settings. A port that another program has is said, and is no reason not to look
 * after the databases.
 */
import { Scraper } from '#observe/exporter/scrape.ts'
import { type ExporterOptions, ExporterServer } from '#observe/exporter/server.ts'
import type { Parts } from '#server/parts.ts'
import type { Settings } from './settings.ts'
import { Switched } from './switched.ts'

export type Exporter = { readonly inWords: string; readonly service: Switched; close(): Promise<void> }

/** Undefined when it is not wanted. */
export async function startExporter(settings: Settings, parts: Parts): Promise<Exporter | undefined> {
  const { listen: host, metricsPort: port } = settings
  if (port === null) return undefined
  const { state, credentials, now, log } = parts
  const scraper = new Scraper(parts)
  const options: ExporterOptions = {
    state,
    scraper,
    host,
    port,
    mayRead: async ({ headers, socket }) => {
      if (state.cluster.get('')?.value.settings.metrics_auth !== true) return true
      const who = await credentials.check(headers.authorization, socket)
      return (
        who !== null && who !== undefined && !who.mustChangePassword && who.rights.mayEverywhere('view_all_metrics')
      )
    },
    log,
  }
  const make = () => new ExporterServer(options)
  const service = new Switched({ make, whyOff: () => null, triesAgain: false, now })
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
