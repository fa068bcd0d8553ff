/**
 * The single endpoint of a sharded database: what the node's proxy is to serve, and what it lacks. Pure. A database that is
 * not sharded has no such endpoint: whoever leads listens on its port.
 */
import { hash } from 'node:crypto'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { leadOf } from './leads.ts'
import type { Need } from './need.ts'
import { connectionLimit, INTERNAL_HOST, type Surroundings, usersOf } from './shard-spec.ts'
import type { EndpointSpec, ObservedEndpoint } from './step.ts'

export function endpointSpec(database: DatabaseDocument, around: Surroundings, leads: readonly Lead[]): EndpointSpec {
  const { config, shards } = database
  const users = usersOf(database, around)
  const [everybody] = users
  return {
    databaseUid: database.uid,
    listen: { host: around.listenHost, port: database.endpointPort },
    shards: shards
      .filter((place) => leadOf(leads, shards, place).shardUid === place.uid)
      .map(({ ports, slots }) => ({ host: INTERNAL_HOST, port: ports?.clients ?? 0, slots })),
    isOpen: everybody?.enabled === true && everybody.passwordHashes === null,
    accountsDigest: hash('sha256', JSON.stringify(users), 'hex'),
    maxConnections: connectionLimit(config),
    maxClientPipeline: config.max_client_pipeline,
  }
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
