/**
 * What the rooms of the server are given: made once in `main`, handed down as plain values. Routes take what they need
 * from here and from nowhere else.
 */

import type { AlertBoard } from '#model/alerts/board.ts'
import type { Notifier } from '#model/alerts/notifier.ts'
import type { PortRange } from '#model/port-range.ts'
import type { Statistics } from '#model/statistics/contract.ts'
import type { Agent } from '#plan/agent.ts'
import type { Surroundings } from '#plan/shard-spec.ts'
import type { State } from '#store/state.ts'
import type { Bootstrap } from './bootstrap/bootstrap.ts'
import type { RenderedDatabases } from './databases/rendered.ts'
import type { EventLog } from './events/event-log.ts'
import type { OcspWatch } from './ocsp/watch.ts'
import type { ServiceDesk } from './services/desk.ts'
import type { SsoDesk } from './sso/desk.ts'
import type { Turn } from './turn.ts'
import type { Credentials } from './users/credentials.ts'

export type ServerLog = {
  debug(facts: object, message: string): void
  info(facts: object, message: string): void
  warn(facts: object, message: string): void
  error(facts: object, message: string): void
}

export type Parts = {
  readonly state: State
  readonly agents: ReadonlyMap<number, Agent>
  /** The node that this process is. */
  readonly nodeUid: number
  readonly around: Surroundings
  readonly databasePorts: PortRange
  /** Endpoints must stay out of it. */
  readonly shardPorts: PortRange
  readonly apiPort: number
  /** Null: there is no discovery service. */
  readonly discoveryPort: number | null
  readonly metricsPort: number | null
  readonly softwareVersion: string
  readonly credentials: Credentials
  readonly bootstrap: Bootstrap
  /** What a new cluster gets when the request does not say. */
  readonly bootstrapDefaults: { readonly clusterName: string; readonly address: string }
  readonly databases: RenderedDatabases
  /** Drawing uids and ports happens one at a time. */
  readonly allocation: Turn
  readonly events: EventLog
  readonly alerts: AlertBoard
  readonly ocsp: OcspWatch
  readonly notifier: Notifier
  readonly statistics: Statistics
  readonly sso: SsoDesk
  readonly services: ServiceDesk
  readonly now: () => number
  readonly log: ServerLog
}

/** The agent of this very node: there always is one. */
export function localAgent(parts: Parts): Agent {
  const agent = parts.agents.get(parts.nodeUid)
  if (!agent) throw new Error('this node has no agent')
  return agent
}
