/**
 * Whether nodes are as they should be: what their agents find out about the machine, and what only the control plane
 * knows. In the form of the reference, with all checks beside the first that failed.
 */
import type { NodeDocument } from '#model/documents/cluster.ts'
import type { NodeCheck } from '#plan/agent.ts'
import { servingOf } from '#plan/serving.ts'
import type { Parts } from '../parts.ts'

export type NodeFindings = {
  readonly nodeUid: number
  readonly checks: readonly NodeCheck[]
}

export async function checkNodes(parts: Parts, nodes: readonly NodeDocument[]): Promise<NodeFindings[]> {
  return await Promise.all(
    nodes.map(async (node) => ({
      nodeUid: node.uid,
      checks: [...ownChecks(parts, node), ...(await asked(parts, node))],
    })),
  )
}

export function isFine({ checks }: NodeFindings): boolean {
  return checks.every(({ problem }) => problem === null)
}

/** `error` is the first thing that is wrong, as the reference has it. */
export function shownFindings(findings: NodeFindings): { result: boolean; error?: string; checks: object[] } {
  const first = findings.checks.find(({ problem }) => problem !== null)
  return {
    result: isFine(findings),
    ...(first && { error: `${first.name}: ${first.problem}` }),
    checks: findings.checks.map(({ name, problem }) => ({
      name,
      result: problem === null,
      ...(problem !== null && { error: problem }),
    })),
  }
}

function ownChecks({ bootstrap, agents, state }: Parts, node: NodeDocument): NodeCheck[] {
  const isReached = agents.has(node.uid)
  const unserved = [...state.databases.values()].find(({ value }) => {
    const { config, deletion, shards } = value
    const isHere = shards.some(({ nodeUid }) => nodeUid === node.uid)
    return (
      isHere &&
      servingOf(config) !== 'primary' &&
      !deletion &&
      agents.get(node.uid)?.endpoints().get(value.uid)?.problem
    )
  })
  return [
    { name: 'bootstrap_status', problem: bootstrap.isDone ? null : 'this node is not part of a cluster yet' },
    {
      name: 'services',
      problem: unserved ? `the proxy does not serve the endpoint of database ${unserved.value.uid}` : null,
    },
    { name: 'tcp_connectivity', problem: isReached ? null : `node ${node.uid} cannot be reached` },
  ]
}

async function asked({ agents, databasePorts, shardPorts }: Parts, node: NodeDocument): Promise<readonly NodeCheck[]> {
  return (await agents.get(node.uid)?.checks([databasePorts, shardPorts])) ?? []
}
