/**
 * What each collector of diagnostic logging finds out: a line of JSON for each thing that it looks at. It asks shards one
 * after another, so that collecting is no load of its own; one that does not answer is said to be silent, and costs its
 * patience. Callers: the diagnostic log.
 */
import type { Collected } from '#model/diagnostics.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import { slotText } from '#model/slots.ts'
import type { Agent } from '#plan/agent.ts'
import { primariesOf, wireRole } from '../databases/leaders.ts'
import { mapsIn, parseDelays, parseSlowLog } from '../insights/engine-texts.ts'
import type { Parts } from '../parts.ts'
import { withoutAccounts } from './support-package.ts'

const ASK_TIMEOUT_MS = 2_000
/** What INFO says of commands. */
const OF_COMMANDS = /^(cmdstat|errorstat|latency_percentiles)_/

type Lines = AsyncGenerator<object>
export type CollectOptions = { readonly maxEntries: number }

export const COLLECTORS: Readonly<Record<Collected, (parts: Parts, options: CollectOptions) => Lines>> = {
  bdb_client_list: (parts) =>
    ofPrimaries(parts, 'clients', (agent, uid) => agent.ask(uid, { kind: 'clients' }, ASK_TIMEOUT_MS)),
  bdb_info: (parts) => ofPrimaries(parts, 'info', info),
  bdb: databases,
  command_stats: (parts) =>
    ofShards(parts, 'commands', async (agent, uid) => {
      const told = await info(agent, uid)
      return told && Object.fromEntries(Object.entries(told).filter(([name]) => OF_COMMANDS.test(name)))
    }),
  network_stats: (parts) => ofNodes(parts, async (agent) => [await agent.networkCounters()]),
  persistent_files: (parts) => ofNodes(parts, (agent) => agent.dataFiles()),
  rladmin_status: status,
  shard_info: (parts) => ofShards(parts, 'info', info),
  shard_latency_histogram: (parts) =>
    ofShards(parts, 'histograms', async (agent, uid) =>
      mapsIn(await agent.ask(uid, { kind: 'latencies' }, ASK_TIMEOUT_MS)),
    ),
  shard_latency: (parts) =>
    ofShards(parts, 'delays', async (agent, uid) =>
      parseDelays(await agent.ask(uid, { kind: 'delays' }, ASK_TIMEOUT_MS)),
    ),
  shard: shards,
  slowlog: (parts, { maxEntries }) =>
    ofShards(parts, 'commands', async (agent, uid) =>
      parseSlowLog(await agent.ask(uid, { kind: 'slow-log', entries: maxEntries }, ASK_TIMEOUT_MS)),
    ),
  socket_files: (parts) => ofNodes(parts, (agent) => agent.sockets()),
}

type Question = (agent: Agent, shardUid: number) => Promise<unknown>

function info(agent: Agent, shardUid: number): Promise<Readonly<Record<string, string>> | null> {
  return agent.info(shardUid, ASK_TIMEOUT_MS)
}

function ofShards(parts: Parts, name: string, question: Question): Lines {
  return ofPlaces(parts, (database) => database.shards, name, question)
}

function ofPrimaries(parts: Parts, name: string, question: Question): Lines {
  return ofPlaces(parts, (database) => primariesOf(parts.state, database), name, question)
}

async function* ofPlaces(
  parts: Parts,
  placesOf: (database: DatabaseDocument) => readonly ShardPlace[],
  name: string,
  question: Question,
): Lines {
  for (const database of allDatabases(parts))
    for (const place of placesOf(database)) {
      const who = { bdb_uid: database.uid, shard_uid: place.uid, role: wireRole(parts.state, database, place) }
      yield { ...who, ...(await answered(parts, place, name, question)) }
    }
}

async function answered({ agents }: Parts, { uid, nodeUid }: ShardPlace, name: string, question: Question) {
  const agent = agents.get(nodeUid)
  try {
    const answer = agent ? await question(agent, uid) : null
    return answer === null ? { problem: 'it does not answer' } : { [name]: answer }
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}

async function* ofNodes({ agents }: Parts, find: (agent: Agent) => Promise<readonly object[]>): Lines {
  for (const [nodeUid, agent] of agents) for (const found of await find(agent)) yield { node_uid: nodeUid, ...found }
}

async function* databases({ state, databases: rendered }: Parts): Lines {
  for (const uid of rendered.uids) {
    const made = rendered.one(uid, { extended: true, masked: true })
    if (made) yield { database: made.object, status: state.statuses.get(uid)?.value ?? null }
  }
}

async function* shards({ agents }: Parts): Lines {
  for (const [nodeUid, agent] of agents)
    for (const seen of agent.observed().values()) yield { node_uid: nodeUid, ...withoutAccounts(seen) }
}

async function* status(parts: Parts): Lines {
  const { state, agents } = parts
  for (const { value } of state.nodes.values())
    yield { node: value.uid, address: value.address, status: agents.has(value.uid) ? 'active' : 'down' }
  for (const database of allDatabases(parts)) {
    const { uid, config, endpointPort } = database
    const made = parts.databases.one(uid, { extended: false, masked: true })
    const { status: shown, endpoints } = Object(made?.object)
    yield { db: uid, name: config.name, status: shown, port: endpointPort, endpoints, memory_limit: config.memory_size }
    for (const place of database.shards) {
      const seen = agents.get(place.nodeUid)?.observed().get(place.uid)
      const role = wireRole(state, database, place)
      const slots = slotText(place.slots)
      yield { redis: place.uid, db: uid, node: place.nodeUid, role, slots, status: seen?.state ?? 'unknown' }
    }
  }
}

function allDatabases({ state }: Parts): DatabaseDocument[] {
  return [...state.databases.values()].map(({ value }) => value)
}
