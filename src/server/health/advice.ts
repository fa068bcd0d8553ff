/**
 * What is wrong with a database, or soon will be, in words, and what to do. Pure: whoever asks brings the facts.
 */

export type DatabaseFacts = {
  readonly isReachable: boolean
  readonly isBound: boolean
  readonly isTrafficStopped: boolean
  readonly replicasKeepUp: boolean
  /** What it waits for; empty: nothing. */
  readonly waitingFor: string
  readonly isReplicated: boolean
  readonly isPersistent: boolean
  /** Its eviction policy finds something to evict. */
  readonly evicts: boolean
  readonly isOpenToOthers: boolean
  /** 0: no limit. */
  readonly memoryLimitBytes: number
  readonly usedMemoryBytes: number | undefined
  readonly residentBytes: number | undefined
  readonly hitsPerSecond: number | undefined
  readonly missesPerSecond: number | undefined
  readonly evictionsPerSecond: number | undefined
  readonly connections: number | undefined
  readonly connectionLimit: number
}

export type Advice = {
  readonly severity: 'error' | 'warning' | 'info'
  readonly problem: string
  readonly advice: string
}

const NEARLY_FULL = 0.9
const FRAGMENTED = 1.5
/** Below that, what a process takes beside its data is no sign of anything. */
const WORTH_A_LOOK_BYTES = 100e6
/** Fewer reads say nothing about a cache. */
const READS_THAT_COUNT = 100

type Rule = (facts: DatabaseFacts) => Advice | null

const RULES: readonly Rule[] = [
  ({ isReachable }) =>
    isReachable
      ? null
      : error(
          'A shard does not answer.',
          'Look at its log in the support package; it is being restarted, or its successor takes over. When its files ' +
            'cannot be read: mend them, or give them up, with POST …/actions/recover.',
        ),
  ({ isBound, isReachable, isTrafficStopped }) =>
    isBound || !isReachable || isTrafficStopped
      ? null
      : error(
          'Nobody answers at the endpoint’s port.',
          'Another program may have the port: change the database’s port, or end that program.',
        ),
  ({ isTrafficStopped }) =>
    isTrafficStopped
      ? warning('Traffic is stopped: no application can connect.', 'POST …/actions/resume_traffic lets them in again.')
      : null,
  ({ waitingFor }) =>
    waitingFor === ''
      ? null
      : warning(`It is not yet as it should be: ${waitingFor}.`, 'Follow its action at /v2/actions.'),
  ({ replicasKeepUp }) =>
    replicasKeepUp
      ? null
      : warning(
          'A replica is behind its primary: a failover now could lose writes.',
          'Check the load, the network and repl_backlog_size; WAIT tells a client when its write is safe.',
        ),
  ({ usedMemoryBytes, memoryLimitBytes, evicts }) => {
    if (usedMemoryBytes === undefined || memoryLimitBytes === 0 || usedMemoryBytes < NEARLY_FULL * memoryLimitBytes)
      return null
    const percent = Math.floor((100 * usedMemoryBytes) / memoryLimitBytes)
    return evicts
      ? warning(`${percent} % of its memory is used: keys are evicted.`, 'Raise memory_size if these keys are missed.')
      : error(
          `${percent} % of its memory is used, and its eviction_policy finds nothing to evict: writes will be refused.`,
          'Raise memory_size, remove keys, let them expire, or choose an eviction_policy.',
        )
  },
  ({ evictionsPerSecond = 0 }) =>
    evictionsPerSecond > 0
      ? info(
          `${evictionsPerSecond.toFixed(0)} keys are evicted each second.`,
          'That is what a cache does; raise memory_size if the hit ratio suffers.',
        )
      : null,
  ({ usedMemoryBytes = 0, residentBytes = 0 }) =>
    usedMemoryBytes > WORTH_A_LOOK_BYTES && residentBytes > FRAGMENTED * usedMemoryBytes
      ? warning(
          `It takes ${(residentBytes / usedMemoryBytes).toFixed(1)} times the memory that its data needs.`,
          'An upgrade with force_restart replaces its processes by fresh ones while it serves.',
        )
      : null,
  ({ hitsPerSecond = 0, missesPerSecond = 0 }) =>
    hitsPerSecond + missesPerSecond >= READS_THAT_COUNT && missesPerSecond > hitsPerSecond
      ? info(
          'More than half of what is read is not there.',
          'See which keys are asked for: /v1/bdbs/{uid}/insights/keys and commands.',
        )
      : null,
  ({ connections, connectionLimit }) =>
    connections !== undefined && connectionLimit > 0 && connections > NEARLY_FULL * connectionLimit
      ? warning(
          `${connections} of ${connectionLimit} connections are in use.`,
          'Raise max_connections, or let clients share connections: /v1/bdbs/{uid}/insights/clients tells whose they are.',
        )
      : null,
  ({ isReplicated, isPersistent }) =>
    isReplicated || isPersistent
      ? null
      : info(
          'Its data is in one process’s memory alone, and lost with it.',
          'Turn data_persistence or replication on if that matters.',
        ),
  ({ isOpenToOthers }) =>
    isOpenToOthers
      ? warning(
          'It has no password, and listens beyond this machine.',
          'Set authentication_redis_pass, or default_user to false.',
        )
      : null,
]

/** The worst first. */
export function adviceFor(facts: DatabaseFacts): Advice[] {
  const order = ['error', 'warning', 'info']
  return RULES.flatMap((rule) => rule(facts) ?? []).sort(
    (a, b) => order.indexOf(a.severity) - order.indexOf(b.severity),
  )
}

function error(problem: string, advice: string): Advice {
  return { severity: 'error', problem, advice }
}
function warning(problem: string, advice: string): Advice {
  return { severity: 'warning', problem, advice }
}
function info(problem: string, advice: string): Advice {
  return { severity: 'info', problem, advice }
}
