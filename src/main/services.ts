/**
 * What main has made, under the names that the reference has for services: servers that can be stopped, the proxy, which
 * can be replaced, and what is a part of the control plane and runs whenever that does.
 */
import type { Statistics } from '#model/statistics/contract.ts'
import type { Agent } from '#plan/agent.ts'
import type { Service, ServiceDesk } from '#server/services/desk.ts'

/** Alerts, the API, jobs, the LDAP directory, statistics. */
const PARTS = ['alert_mgr', 'cnm_http', 'job_scheduler', 'ldap_agent_mgr', 'stats_archiver']
const WHY_PART = 'it is a part of the control plane, and runs whenever that does: restart that instead.'
const WHY_SERVING = 'databases are served by it; it can only be restarted, which turns no client away.'
const WHY_NO_PROXY = 'no database needs it at the moment.'

export type NamedServices = {
  readonly nodeUid: number
  readonly agent: Agent
  readonly statistics: Statistics
  readonly startedAtMs: number
  readonly servers: Readonly<Record<string, Service | undefined>>
}

export function addServices(
  desk: ServiceDesk,
  { nodeUid, agent, statistics, startedAtMs, servers }: NamedServices,
): void {
  const part: Service = {
    state: () => ({ status: 'RUNNING', startedAtMs }),
    objection: () => WHY_PART,
    carryOut: async () => false,
  }
  for (const name of PARTS) desk.add(name, part)
  for (const [name, server] of Object.entries(servers)) if (server) desk.add(name, server)
  desk.add('dmcproxy', {
    state: () => {
      if (agent.endpoints().size === 0) return { status: 'STOPPED', startedAtMs: null }
      const [first] = statistics.live.nodes.get(nodeUid)?.proxy ?? []
      return first ? { status: 'RUNNING', startedAtMs: first.startedAtMs } : { status: 'STARTING', startedAtMs: null }
    },
    objection: (operation) => {
      if (operation !== 'restart') return WHY_SERVING
      return agent.endpoints().size === 0 ? WHY_NO_PROXY : null
    },
    carryOut: async () => {
      await agent.replaceProxy({ always: true })
      return true
    },
  })
}
