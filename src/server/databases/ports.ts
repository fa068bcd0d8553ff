/**
 * Which ports a database gets: that of its endpoint, and those of its shards. Callers: create and update, one at a time, so
 * that they do not fight each other over them. Whether a port is free is asked of the machine itself.
 */
import type { ShardPlace, ShardPorts } from '#model/documents/database.ts'
import { freePorts } from '#plan/placement.ts'
import { INTERNAL_HOST } from '#plan/shard-spec.ts'
import { refuse } from '../errors.ts'
import { localAgent, type Parts } from '../parts.ts'

/** How many ports are tried at the agent at once: most are free, so one look is nearly always enough. */
const PORTION = 8

/**
 * The port of the endpoint: the one that was asked for, or a free one of the range when it was left open. Throws a
 * Refusal. `uid`: the database that has its port already and wants another, if so.
 */
export async function choosePort(parts: Parts, wanted: number, uid: number | undefined): Promise<number> {
  const taken = takenPorts(parts, uid)
  const agent = localAgent(parts)
  const host = parts.around.listenHost
  if (wanted !== 0) {
    const { first, last } = parts.shardPorts
    if (wanted >= first && wanted <= last) refusePort(wanted, `the range of shards, ${first}-${last}`)
    const owner = taken.get(wanted)
    if (owner !== undefined) refusePort(wanted, owner)
    if ((await agent.busyPorts(host, [wanted])).length > 0) refusePort(wanted, 'another program')
    return wanted
  }
  const [free] = await findFree(parts, host, freePorts(parts.databasePorts, new Set(taken.keys())), 1)
  if (free !== undefined) return free
  const { first, last } = parts.databasePorts
  return refuse('port_unavailable', { field: 'port', description: `Every port from ${first} to ${last} is in use.` })
}

/** The places of a sharded database, each with ports of its own. Throws a Refusal when there are not enough. */
export async function withPorts(parts: Parts, places: readonly ShardPlace[]): Promise<ShardPlace[]> {
  const without = places.filter(({ ports }) => ports === null).length
  const taken = takenInside(parts)
  const free = await findFree(parts, INTERNAL_HOST, freePorts(parts.shardPorts, taken), 2 * without)
  if (free.length < 2 * without) {
    const { first, last } = parts.shardPorts
    const description = `Each shard needs two ports from ${first} to ${last} (--shard-ports); ${free.length} of ${2 * without} are free.`
    refuse('insufficient_resources', { field: 'shards_count', description })
  }
  return places.map((place) => (place.ports ? place : { ...place, ports: drawPorts(free) }))
}

/** A port for what applications do not reach, of a database that has one shard. Throws a Refusal when there is none. */
export async function innerPort(parts: Parts): Promise<number> {
  const [free] = await findFree(parts, INTERNAL_HOST, freePorts(parts.shardPorts, takenInside(parts)), 1)
  if (free !== undefined) return free
  const { first, last } = parts.shardPorts
  const description = `The database needs a port from ${first} to ${last} (--shard-ports), and none is free.`
  return refuse('insufficient_resources', { field: 'tls_mode', description })
}

/** Ports of the range of shards that somebody has. */
function takenInside({ state }: Parts): Set<number> {
  const taken = new Set<number>()
  for (const { value } of state.databases.values()) {
    for (const { shards, innerPort: inner } of [value, ...(value.previous ? [value.previous] : [])]) {
      if (inner !== null) taken.add(inner)
      for (const { ports } of shards) if (ports) taken.add(ports.clients).add(ports.bus)
    }
  }
  return taken
}

function drawPorts(free: number[]): ShardPorts {
  const [clients = 0, bus = 0] = free.splice(0, 2)
  return { clients, bus }
}

async function findFree(parts: Parts, host: string, candidates: Iterator<number>, count: number): Promise<number[]> {
  const found: number[] = []
  while (found.length < count) {
    const portion = take(candidates, Math.max(PORTION, count - found.length))
    if (portion.length === 0) break
    const busy = new Set(await localAgent(parts).busyPorts(host, portion))
    found.push(...portion.filter((port) => !busy.has(port)))
  }
  return found.slice(0, count)
}

function refusePort(port: number, owner: string): never {
  refuse('port_unavailable', { field: 'port', description: `Port ${port} is in use by ${owner}.` })
}

/** Ports that may not be given to an endpoint, each with who has it. */
function takenPorts(parts: Parts, exceptUid: number | undefined): Map<number, string> {
  const taken = new Map<number, string>([[parts.apiPort, 'the API']])
  if (parts.discoveryPort !== null) taken.set(parts.discoveryPort, 'the discovery service')
  if (parts.metricsPort !== null) taken.set(parts.metricsPort, 'the metrics exporter')
  const reserved = parts.state.cluster.get('')?.value.settings.reserved_ports
  for (const entry of Array.isArray(reserved) ? reserved : []) {
    const [first = 0, last = first] = String(entry).split('-').map(Number)
    for (let port = first; port <= last; port++) taken.set(port, 'a reservation of the cluster (reserved_ports)')
  }
  for (const { value } of parts.state.databases.values()) {
    if (value.uid === exceptUid) continue
    taken.set(value.endpointPort, `database ${value.uid}`)
    if (value.previous) taken.set(value.previous.endpointPort, `database ${value.uid}`)
  }
  return taken
}

function take<T>(from: Iterator<T>, n: number): T[] {
  const taken: T[] = []
  while (taken.length < n) {
    const next = from.next()
    if (next.done) break
    taken.push(next.value)
  }
  return taken
}
