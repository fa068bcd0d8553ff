/**
 * An endpoint that the node's proxy serves: what it is to serve, and what it lacks. Pure. Where whoever leads listens on the
 * endpoint's port itself there is none; which of both it is, `serving.ts` says.
 */
import { hash } from 'node:crypto'
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { leadOf } from './leads.ts'
import type { Need } from './need.ts'
import { servingOf } from './serving.ts'
import { connectionLimit, INTERNAL_HOST, type Surroundings, usersOf } from './shard-spec.ts'
import type { EndpointSpec, EndpointTls, ObservedEndpoint } from './step.ts'

export function endpointSpec(database: DatabaseDocument, around: Surroundings, leads: readonly Lead[]): EndpointSpec {
  const { config, shards } = database
  const isRelayed = servingOf(config) === 'relay'
  const users = usersOf(database, around)
  const [everybody] = users
  return {
    databaseUid: database.uid,
    listen: { host: around.listenHost, port: database.endpointPort },
    tls: tlsOf(database, around),
    internode: config.data_internode_encryption ? (around.internodeCertificate?.digest ?? '') : null,
    relay: isRelayed ? { host: INTERNAL_HOST, port: database.innerPort ?? 0 } : null,
    shards: (isRelayed ? [] : shards)
      .filter((place) => leadOf(leads, shards, place).shardUid === place.uid)
      .map(({ ports, slots }) => ({ host: INTERNAL_HOST, port: ports?.clients ?? 0, slots })),
    isOpen: everybody?.enabled === true && everybody.passwordHashes === null,
    accountsDigest: hash('sha256', JSON.stringify(users), 'hex'),
    maxConnections: connectionLimit(config),
    maxClientPipeline: config.max_client_pipeline,
    speaksCluster: config.oss_cluster,
    isMoving: false,
  }
}

/**
 * While slots are on their way the proxy is told so, and until the shards agree: what it asks of them then is what counts,
 * before anybody hears that the move is done, and before a shard goes that it may still believe to have some.
 */
export function whileMoving(
  spec: EndpointSpec,
  seen: ObservedEndpoint | undefined,
  isLeaving: boolean,
  isAgreed: boolean,
): EndpointSpec {
  return isLeaving || (seen?.isMoving === true && !isAgreed) ? { ...spec, isMoving: true } : spec
}

function tlsOf({ uid, config }: DatabaseDocument, { tls, certificateOf }: Surroundings): EndpointTls | null {
  if (config.tls_mode !== 'enabled') return null
  const asksClients = config.enforce_client_authentication === 'enabled'
  return {
    certificate: certificateOf(uid)?.digest ?? '',
    minVersion: tls.minVersion,
    ciphers: tls.ciphers,
    cipherSuites: tls.cipherSuites,
    clients: asksClients
      ? {
          trusted: config.authentication_ssl_client_certs.map(({ client_cert }) => client_cert),
          ...subjectsOf(config),
        }
      : null,
  }
}

/** The older `authorized_names` never had a rule beside them: where there are any, they count. */
function subjectsOf(config: DatabaseConfig): Pick<NonNullable<EndpointTls['clients']>, 'validation' | 'subjects'> {
  const names = config.authorized_names.map((CN) => ({ CN }))
  const rule = config.client_cert_subject_validation_type
  const validation = rule === 'disabled' && names.length > 0 ? 'san_cn' : rule
  return { validation, subjects: [...config.authorized_subjects, ...names] }
}

export function endpointDigest(spec: EndpointSpec): string {
  return hash('sha256', JSON.stringify(spec), 'hex')
}

export function endpointNeed(spec: EndpointSpec, seen: ObservedEndpoint | undefined): Need {
  if (seen?.digest === endpointDigest(spec)) {
    return seen.problem === ''
      ? { kind: 'none' }
      : { kind: 'wait', reason: `the endpoint cannot serve: ${seen.problem}` }
  }
  const reason = seen ? 'telling the proxy what has changed' : 'opening the endpoint'
  return { kind: 'step', reason, step: { kind: 'open-endpoint', endpoint: spec } }
}
