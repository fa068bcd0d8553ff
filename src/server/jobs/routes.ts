/**
 * Small objects of settings that are kept with the cluster: when jobs are done, which services run, how much is logged, what
 * metrics tell, what is collected for diagnosis, and in which time zone people are shown times.
 */
import { CmSettings, cmSettingsParser } from '#model/cm-settings.ts'
import { Diagnostics, diagnosticsParser } from '#model/diagnostics.ts'
import type { ClusterDocument } from '#model/documents/cluster.ts'
import { JobScheduler, jobSchedulerParser } from '#model/job-scheduler.ts'
import { LogSettings, logSettingsParser } from '#model/logging.ts'
import { MetricsConfig, metricsConfigParser } from '#model/metrics-config.ts'
import { defaultsOf, type ObjectParser } from '#model/parse.ts'
import { ServicesConfiguration, servicesParser } from '#model/services.ts'
import type { ObjectSchema } from '#model/shapes.ts'
import { theCluster } from '../cluster/render.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Route } from '../http/route.ts'
import { changeSettings, SETTINGS_REFUSALS } from '../settings-object.ts'

type Settings = Readonly<Record<string, unknown>>
/** Where in the document of the cluster they are kept. */
type Place = 'jobs' | 'interface' | 'services' | 'logging' | 'metrics' | 'diagnostics'

export const jobRoutes: readonly Route[] = [
  ...routesOf('/v1/job_scheduler', 'jobs', JobScheduler, jobSchedulerParser(), 'When jobs are done'),
  ...routesOf(
    '/v1/cluster/services_configuration',
    'services',
    ServicesConfiguration,
    servicesParser(),
    'Which services run',
  ),
  ...routesOf(
    '/v1/cluster/logging',
    'logging',
    LogSettings,
    logSettingsParser(),
    'How much is logged (not in the original)',
  ),
  ...routesOf('/v1/metrics_config', 'metrics', MetricsConfig, metricsConfigParser(), 'What metrics tell'),
  ...routesOf(
    '/v1/diagnostics',
    'diagnostics',
    Diagnostics,
    diagnosticsParser(),
    'What is collected for diagnosis, and when',
  ),
  ...routesOf('/v1/cm_settings', 'interface', CmSettings, cmSettingsParser(), 'How the user interface shows times'),
]

function routesOf(path: string, place: Place, schema: ObjectSchema, parser: ObjectParser, summary: string): Route[] {
  const shown = (cluster: ClusterDocument): Settings => ({ ...defaultsOf(schema), ...cluster[place] })
  return [
    {
      method: 'GET',
      path,
      access: 'view_cluster_info',
      summary,
      answers: schema,
      refusals: [],
      handle: (_request, parts) => ({ json: shown(theCluster(parts).value) }),
    },
    {
      method: 'PUT',
      path,
      access: 'update_cluster',
      summary: `${summary}: change it`,
      query: [DRY_RUN],
      body: schema,
      answers: schema,
      refusals: SETTINGS_REFUSALS,
      handle: async (request, parts) => {
        const changed = await changeSettings(
          request,
          parts,
          parts.state.cluster,
          () => theCluster(parts),
          (cluster) => ({
            ...cluster,
            [place]: { ...cluster[place], ...parseGiven(parser, request, 'update', shown(cluster)) },
          }),
        )
        return { json: shown(changed) }
      },
    },
  ]
}
