/**
 * Which changes a running engine cannot take. Callers: the planner, to choose between configure-shard and restart-shard,
 * and dry runs, to say so beforehand. Everything not named here is changed while the process runs.
 */
import type { ShardSpec } from './step.ts'

/** Since this version the engine opens another port, or another address, while it runs. */
const LIVE_LISTEN_MAJOR = 7

/** The reason in words, or null. */
export function needsRestart(before: ShardSpec, after: ShardSpec): string | null {
  if (before.engine.name !== after.engine.name || before.engine.version !== after.engine.version) {
    return `the engine changes from ${before.engine.name} ${before.engine.version} to ${after.engine.name} ${after.engine.version}`
  }
  if (before.allowsResp3 !== after.allowsResp3) {
    return 'the engine learns only at its start whether clients may switch to RESP3'
  }
  if (
    (before.cluster === null) !== (after.cluster === null) ||
    before.cluster?.ports.bus !== after.cluster?.ports.bus
  ) {
    return 'the engine learns only at its start whether it is one of several shards'
  }
  if (before.cluster && after.cluster && (before.tls === null) !== (after.tls === null)) {
    return 'the engine keeps its connections to other shards as they are until its next start'
  }
  const moves = before.listen.host !== after.listen.host || before.listen.port !== after.listen.port
  if (moves && majorOf(before.engine.version) < LIVE_LISTEN_MAJOR) {
    return `${before.engine.name} ${before.engine.version} cannot change its address or port while it runs`
  }
  return null
}

export function majorOf(version: string): number {
  return Number.parseInt(version, 10)
}
