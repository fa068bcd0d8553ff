/**
 * What people see when it is ready: where the API is, who they are, and a line to paste.
 */
import type { EngineBuild } from '#plan/agent.ts'
import { passwordPath } from './secrets.ts'
import { HOLDFAST_VERSION } from './version.ts'

export function banner(facts: {
  apiUrl: string
  /** Where it listens, or why it does not; undefined: nobody wants it. */
  discovery: string | undefined
  /** The same of the exporter. */
  metrics: string | undefined
  userName: string | undefined
  /** Only when it was made up at this very start: it is shown once. */
  password: string | undefined
  dataDir: string
  engines: readonly EngineBuild[]
  databases: number
}): string {
  const { apiUrl, discovery, metrics, userName, password, dataDir, engines, databases } = facts
  const file = passwordPath(dataDir)
  const lines = [`Holdfast ${HOLDFAST_VERSION} is ready.`, `  API        ${apiUrl}`]
  if (discovery !== undefined) lines.push(`  Discovery  ${discovery}`)
  if (metrics !== undefined) lines.push(`  Metrics    ${metrics}`)
  if (userName === undefined) {
    lines.push('  Cluster    none yet: POST /v1/bootstrap/create_cluster makes this node one')
    lines.push(`  Try        curl -k ${apiUrl}/v1/bootstrap`)
  } else {
    lines.push(`  User       ${userName}`)
    if (password !== undefined) lines.push(`  Password   ${password}   (shown this once; kept in ${file})`)
    else lines.push(`  Password   as given at bootstrap; a generated one is in ${file}`)
    lines.push(`  Databases  ${databases}`)
    const secret = password === undefined ? `$(cat ${file})` : password
    lines.push(`  Try        curl -k -u "${userName}:${secret}" ${apiUrl}/v1/bdbs`)
  }
  const found = engines.map(({ name, version }) => `${name} ${version}`).join(', ')
  lines.push(`  Engines    ${found || 'none: install redis-server or valkey-server'}`)
  lines.push('Ctrl-C stops the control plane and leaves the databases running; npm stop stops everything.', '')
  return lines.join('\n')
}
