/**
 * The job that checks every node: tells when something is wrong that was not before, and when all is well again.
 */
import { checkNodes, shownFindings } from '../diagnostics/checks.ts'
import type { Parts } from '../parts.ts'

export function nodeChecksJob(parts: Parts): () => Promise<void> {
  const known = new Map<number, string>()
  return async () => {
    const nodes = [...parts.state.nodes.values()].map(({ value }) => value)
    for (const findings of await checkNodes(parts, nodes)) {
      const { error = '' } = shownFindings(findings)
      const { nodeUid: node_uid } = findings
      const before = known.get(node_uid) ?? ''
      known.set(node_uid, error)
      if (error === before) continue
      if (error === '') parts.events.record({ type: 'node_checks_passed', severity: 'INFO', node_uid })
      else parts.events.record({ type: 'node_checks_failed', severity: 'WARNING', node_uid, description: error })
    }
  }
}
