/**
 * Makes the exporter of metrics from the settings. A port that another program has is said, and is no reason not to look
 * after the databases.
 */
import { Recent } from '#observe/exporter/recent.ts'
import { Scraper } from '#observe/exporter/scrape.ts'
import { ExporterServer } from '#observe/exporter/server.ts'
import type { Parts } from '#server/parts.ts'
import type { Settings } from './settings.ts'

export type Exporter = { readonly inWords: string; close(): Promise<void> }

/** Undefined when it is not wanted. */
export async function startExporter(settings: Settings, parts: Parts): Promise<Exporter | undefined> {
  const { listen: host, metricsPort: port } = settings
  if (port === null) return undefined
  const { state, statistics, credentials, log } = parts
  const recent = new Recent(statistics)
  const server = new ExporterServer({
    state,
    scraper: new Scraper({ ...parts, recent }),
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
  })
  const problem = await server.start()
  const inWords = problem === null ? `prometheus, port ${port}` : `none: ${problem} (see --metrics-port)`
  if (problem !== null) log.warn({ port, problem }, 'metrics are not exported')
  return {
    inWords,
    close: async () => {
      recent.close()
      await server.close()
    },
  }
}
