/**
 * What is told of, with what it is called: databases, their processes and the nodes, as the state and the statistics know
 * them at the moment of a scrape. Both versions of the metrics are made from these.
 */
import { X509Certificate } from 'node:crypto'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { slotText } from '#model/slots.ts'
import type { Statistics } from '#model/statistics/contract.ts'
import { infoNumber, type ShardReading } from '#model/statistics/readings.ts'
import type { Agent } from '#plan/agent.ts'
import { leadOf } from '#plan/leads.ts'
import { DEFAULT_REPLICA_BUFFER } from '#plan/step.ts'
import type { State } from '#store/state.ts'

export type Sources = {
  readonly state: State
  readonly statistics: Statistics
  readonly agents: ReadonlyMap<number, Agent>
  /** Version of the API that is spoken. */
  readonly softwareVersion: string
}

/** Tools compare numbers: this one is above any number of shards there can be. */
export const NO_LIMIT = 2_147_483_647

/** Of one node only: then every line is about it, and says neither node nor cluster. */
export type Scope = { readonly nodeUid: number } | null

export type ToldShard = {
  readonly place: ShardPlace
  readonly database: DatabaseDocument
  readonly role: 'master' | 'slave'
  readonly slots: string
  readonly isUp: boolean
  readonly reading: ShardReading | undefined
  /** Bytes that may wait for a replica of it before that is let go of; undefined: it does not run. */
  readonly replicaBufferBytes: number | undefined
  /** Never 0: without a limit of its own, what the machine has. */
  readonly memoryLimitBytes: number
}

export function clusterName({ state }: Sources): string {
  return state.cluster.get('')?.value.name ?? ''
}

export function toldShards({ state, agents, statistics }: Sources, database: DatabaseDocument): ToldShard[] {
  const leads = state.statuses.get(database.uid)?.value.leads ?? []
  return database.shards.map((place) => {
    const agent = agents.get(place.nodeUid)
    const reading = statistics.live.shards.get(place.uid)
    const observed = agent?.observed().get(place.uid)
    const limit = reading ? infoNumber(reading, 'maxmemory') : 0
    return {
      place,
      database,
      role: leadOf(leads, database.shards, place).shardUid === place.uid ? 'master' : 'slave',
      slots: slotText(place.slots).replaceAll(' ', ''),
      isUp: observed?.state === 'running',
      reading,
      replicaBufferBytes: observed?.spec
        ? (observed.spec.replicaOutputBuffer ?? DEFAULT_REPLICA_BUFFER).hardBytes
        : undefined,
      memoryLimitBytes: limit > 0 ? limit : (agent?.host.totalMemoryBytes ?? 0),
    }
  })
}

/** Its own limit, or without one what its nodes have. */
export function memoryLimitBytes({ agents }: Sources, { config, shards }: DatabaseDocument): number {
  if (config.memory_size > 0) return config.memory_size
  const nodes = new Set(shards.map(({ nodeUid }) => nodeUid))
  return [...nodes].reduce((sum, uid) => sum + (agents.get(uid)?.host.totalMemoryBytes ?? 0), 0)
}

const seconds = new WeakMap<CertificateDocument, number>()

/** Until a certificate ends; negative: since. Parsing it takes longer than the rest of a scrape. */
export function secondsLeft(certificate: CertificateDocument, nowMs: number): number {
  let end = seconds.get(certificate)
  if (end === undefined) {
    end = new X509Certificate(certificate.certificate).validToDate.getTime()
    seconds.set(certificate, end)
  }
  return Math.floor((end - nowMs) / 1000)
}
