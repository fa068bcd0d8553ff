/**
 * What is found out about the cluster as a whole: from the state alone, and from whether it can be written.
 */
import { X509Certificate } from 'node:crypto'
import type { Reading } from '#model/alerts/evaluate.ts'
import type { Agent } from '#plan/agent.ts'
import type { State } from '#store/state.ts'

const DAY_MS = 86_400_000
/** As the reference says. */
const USERS_MAX = 32_000
const NEWS_MS = 300_000
/** With fewer, one that is lost leaves no majority. */
const HIGHLY_AVAILABLE_NODES = 3

export type ClusterFacts = {
  readonly state: State
  readonly agents: ReadonlyMap<number, Agent>
  readonly expiry: CertificateExpiry
  readonly nowMs: number
  /** Null: it has not been tried. */
  readonly storeProblem: string | null
}

export function clusterReadings(facts: ClusterFacts): Map<string, Reading> {
  const { state, agents, expiry, nowMs, storeProblem } = facts
  const nodes = [...state.nodes.values()].map(({ value }) => value)
  const down = nodes.filter(({ uid }) => !agents.has(uid))
  const isReplicated = [...state.databases.values()].some(({ value }) => value.config.replication)
  const readings = new Map<string, Reading>([
    ['cluster_users_count_approaches_limit', { value: (100 * state.users.size) / USERS_MAX }],
    ['cluster_ram_overcommit', overcommit(state, agents)],
    ['cluster_multiple_nodes_down', { value: down.length > 1, facts: { nodes_down: down.length } }],
    ['cluster_even_node_count', { value: isUneven(nodes.length), facts: { node_count: nodes.length } }],
    [
      'cluster_too_few_nodes_for_replication',
      { value: isReplicated && nodes.length < 2, facts: { node_count: nodes.length } },
    ],
    [
      'cluster_internal_bdb',
      storeProblem === null ? { value: false } : { value: true, facts: { error: storeProblem } },
    ],
    ['cluster_node_joined', joined(nodes, nowMs)],
  ])
  const ocsp = state.ocspStatus.get('')?.value
  readings.set('cluster_ocsp_query_failed', { value: (ocsp?.problem ?? '') !== '' })
  readings.set('cluster_ocsp_status_revoked', { value: ocsp?.answer?.status === 'REVOKED' })
  const first = expiry.first(state, nowMs, ({ isOwn }) => !isOwn)
  readings.set('cluster_certs_about_to_expire', first ?? { value: false })
  return readings
}

function isUneven(count: number): boolean {
  return count < HIGHLY_AVAILABLE_NODES || count % 2 === 0
}

function overcommit(state: State, agents: ReadonlyMap<number, Agent>): Reading {
  const has = [...agents.values()].reduce((sum, { host }) => sum + host.totalMemoryBytes, 0)
  const promised = [...state.databases.values()].reduce((sum, { value }) => sum + value.config.memory_size, 0)
  return { value: promised > has, facts: { promised_bytes: promised, total_bytes: has } }
}

function joined(nodes: readonly { readonly uid: number; readonly createdAt: string }[], nowMs: number): Reading {
  const [first, ...others] = [...nodes].sort((one, other) => one.createdAt.localeCompare(other.createdAt))
  const newest = others.at(-1)
  if (!first || !newest || nowMs - Date.parse(newest.createdAt) > NEWS_MS) return { value: false }
  return { value: true, facts: { node_uid: newest.uid } }
}

type Certificate = { readonly certificate: string; readonly isOwn: boolean }

/** When certificates end; each is read once. */
export class CertificateExpiry {
  readonly #ends = new Map<string, { readonly revision: number; readonly endsAtMs: number }>()

  /** The one that ends first. Undefined: there is none. */
  first(state: State, nowMs: number, isMeant: (certificate: Certificate) => boolean): Reading | undefined {
    let soonest: { readonly name: string; readonly endsAtMs: number } | undefined
    for (const { id, value, revision } of state.certificates.values()) {
      if (!isMeant(value)) continue
      const known = this.#ends.get(id)
      const endsAtMs = known?.revision === revision ? known.endsAtMs : endOf(value.certificate)
      if (known?.revision !== revision) this.#ends.set(id, { revision, endsAtMs })
      if (!soonest || endsAtMs < soonest.endsAtMs) soonest = { name: id, endsAtMs }
    }
    for (const id of this.#ends.keys()) if (!state.certificates.get(id)) this.#ends.delete(id)
    if (!soonest) return undefined
    const { name, endsAtMs } = soonest
    return { value: Math.floor((endsAtMs - nowMs) / DAY_MS), facts: { certificate: name } }
  }
}

function endOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime()
}
