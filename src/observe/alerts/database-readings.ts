/**
 * What is found out about one database: from its document and its actions, and from its processes.
 */
import type { Reading } from '#model/alerts/evaluate.ts'
import { type ActionDocument, isOver } from '#model/documents/action.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Agent } from '#plan/agent.ts'
import { leadOf } from '#plan/leads.ts'
import type { ObservedShard } from '#plan/step.ts'
import type { State } from '#store/state.ts'
import type { DatabaseFigures, Figures, ShardFigures } from './figures.ts'

export type DatabaseFacts = {
  readonly state: State
  readonly agents: ReadonlyMap<number, Agent>
  readonly figures: Figures
  readonly nowMs: number
  /** By the database, oldest first. */
  readonly actions: ReadonlyMap<number, readonly ActionDocument[]>
}

type Process = {
  readonly isPrimary: boolean
  readonly observed: ObservedShard | undefined
  readonly figures: ShardFigures | undefined
}

export function databaseReadings(database: DatabaseDocument, facts: DatabaseFacts): Map<string, Reading> {
  const { state } = facts
  const readings = new Map(actionReadings(facts.actions.get(database.uid) ?? [], facts.nowMs))
  const status = state.statuses.get(database.uid)?.value
  // What was never there, or is on its way out, is not missed.
  if (!status || status.generation === 0 || database.deletion) return readings
  const processes = database.shards.map((place): Process => {
    const lead = leadOf(status.leads, database.shards, place)
    const observed = facts.agents.get(place.nodeUid)?.observed().get(place.uid)
    return { isPrimary: lead.shardUid === place.uid, observed, figures: facts.figures.shard(place.uid) }
  })
  const down = processes.filter(({ observed }) => !observed || !['running', 'loading'].includes(observed.state))
  readings.set('bdb_shard_down', { value: down.length })
  const cut = processes.filter(({ isPrimary, observed }) => !isPrimary && !observed?.isLinked)
  readings.set('bdb_replica_out_of_sync', { value: cut.length })
  for (const [name, reading] of memoryReadings(processes)) readings.set(name, reading)
  for (const [name, reading] of loadReadings(facts.figures.database(database.uid))) readings.set(name, reading)
  return readings
}

function* actionReadings(actions: readonly ActionDocument[], nowMs: number): Generator<[string, Reading]> {
  const running = actions.filter((action) => !isOver(action))
  const [oldest] = running
  const seconds = oldest ? Math.max(0, Math.round((nowMs - oldest.createdAtMs) / 1000)) : 0
  yield ['bdb_long_running_action', { value: seconds, ...(oldest ? { facts: { action_uid: oldest.uid } } : {}) }]
  const ended = actions.filter((action) => action.status === 'completed' || action.status === 'failed').at(-1)
  const hasFailed = ended?.status === 'failed'
  yield [
    'bdb_action_failed',
    { value: hasFailed, ...(hasFailed ? { facts: { action_uid: ended.uid, error: ended.error } } : {}) },
  ]
}

/** Nothing is said where a primary could not be looked at: half of a database tells nothing of the whole. */
function* memoryReadings(processes: readonly Process[]): Generator<[string, Reading]> {
  const primaries = processes.filter(({ isPrimary }) => isPrimary)
  const figures = primaries.flatMap((process) => process.figures ?? [])
  if (figures.length < primaries.length) return
  const sum = (of: (shard: ShardFigures) => number) => figures.reduce((total, shard) => total + of(shard), 0)
  const limit = primaries.reduce((total, { observed }) => total + (observed?.spec?.memoryLimitBytes ?? 0), 0)
  yield [
    'bdb_size',
    {
      value: percent(
        sum(({ usedMemoryBytes }) => usedMemoryBytes),
        limit,
      ),
    },
  ]
  const overheads = processes.map(({ figures: shard, observed }) =>
    percent(shard?.overheadBytes ?? 0, observed?.spec?.memoryLimitBytes ?? 0),
  )
  yield ['bdb_ram_dataset_overhead', { value: Math.max(0, ...overheads) }]
}

function* loadReadings(figures: DatabaseFigures | undefined): Generator<[string, Reading]> {
  if (!figures) return
  yield ['bdb_high_throughput', { value: figures.commandsPerSecond }]
  yield ['bdb_low_throughput', { value: figures.commandsPerSecond }]
  yield ['bdb_high_latency', { value: figures.latencyMicros }]
}

/** What has no limit is never full. */
function percent(part: number, whole: number): number {
  return whole === 0 ? 0 : (100 * part) / whole
}
