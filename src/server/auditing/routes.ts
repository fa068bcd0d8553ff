/**
 * /v1/cluster/auditing/db_conns: where audit events are sent. The same path, and the same fields, as the reference's for
 * connections of databases, which open engines cannot tell of.
 */
import { type AuditingConfig, AuditingObject, auditingParser, wholeAuditing } from '#model/auditing.ts'
import type { ClusterDocument } from '#model/documents/cluster.ts'
import { defaultsOf } from '#model/parse.ts'
import type { Held } from '#store/collection.ts'
import type { State } from '#store/state.ts'
import { refuse } from '../errors.ts'
import { parseGiven, refuseProblem } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS, changeSettings } from '../settings-object.ts'
import type { ListenerLink } from './listener-link.ts'

const PATH = '/v1/cluster/auditing/db_conns'

export const auditingRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: PATH,
    access: 'view_cluster_info',
    summary: 'Where audit events are sent',
    answers: AuditingObject,
    refusals: [],
    handle: (_request, parts) => ({ json: shown(theCluster(parts).value.auditing) }),
  },
  {
    method: 'PUT',
    path: PATH,
    access: 'update_cluster',
    summary: 'Send audit events of the control plane to a listener',
    query: [DRY_RUN],
    body: AuditingObject,
    answers: AuditingObject,
    refusals: [
      'unknown_field',
      'invalid_field',
      'db_conns_auditing_missing_config',
      'db_conns_auditing_bad_config',
      'db_conns_auditing_bad_address',
      ...CHANGE_REFUSALS,
    ],
    handle: async (request, parts) => {
      const changed = await changeSettings(
        request,
        parts,
        parts.state.cluster,
        () => theCluster(parts),
        (cluster) => {
          const given = parseGiven(auditingParser(), request, 'update', shown(cluster.auditing))
          return { ...cluster, auditing: merged(cluster.auditing, given) }
        },
      )
      return { json: shown(changed.auditing) }
    },
  },
  {
    method: 'DELETE',
    path: PATH,
    access: 'update_cluster',
    summary: 'Send audit events to nobody',
    query: [DRY_RUN],
    refusals: ['db_conns_audit_config_not_found', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      const without = ({ auditing, ...rest }: ClusterDocument): ClusterDocument =>
        auditing ? rest : refuse('db_conns_audit_config_not_found')
      await changeSettings(request, parts, parts.state.cluster, () => theCluster(parts), without)
      return { json: null }
    },
  },
]

/** Keeps the link as the state says. */
export function followAuditing(state: State, link: ListenerLink): void {
  const configure = () => link.configure(state.cluster.get('')?.value.auditing)
  configure()
  state.view.onChange((collection) => {
    if (collection === state.cluster) configure()
  })
}

/** Throws a Refusal for what does not fit together. */
function merged(before: ClusterDocument['auditing'], given: Readonly<Record<string, unknown>>): AuditingConfig {
  const { audit_port: port, ...rest } = before ?? {}
  // The port of a TCP listener means nothing to a local one: only one that was just given is a mistake.
  const keepsPort = port !== undefined && (given.audit_protocol ?? before?.audit_protocol) === 'TCP'
  const whole = wholeAuditing({ ...rest, ...(keepsPort ? { audit_port: port } : {}), ...given })
  return whole.ok ? whole.value : refuseProblem(whole.problem)
}

function shown(config: ClusterDocument['auditing']): Record<string, unknown> {
  return { ...defaultsOf(AuditingObject), ...config }
}

function theCluster({ state }: Parts): Held<ClusterDocument> {
  return state.cluster.get('') ?? refuse('not_bootstrapped')
}
