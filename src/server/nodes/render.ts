/**
 * Nodes as the API shows them: what was set, what the machine is, and what runs on it.
 */
import type { NodeDocument } from '#model/documents/cluster.ts'
import { NodeObject } from '#model/node.ts'
import { defaultsOf } from '#model/parse.ts'
import type { Agent, HostFacts } from '#plan/agent.ts'
import { wireRole } from '../databases/leaders.ts'
import { majorMinor, wireTime } from '../databases/render.ts'
import type { Parts } from '../parts.ts'

export async function renderNode(parts: Parts, node: NodeDocument): Promise<Record<string, unknown>> {
  const agent = parts.agents.get(node.uid)
  const shards = shardsOn(parts, node.uid)
  return {
    ...defaultsOf(NodeObject),
    ...node.settings,
    uid: node.uid,
    addr: node.address,
    status: agent ? 'active' : 'down',
    shard_count: shards.length,
    ram_shard_count: shards.length,
    flash_shard_count: 0,
    shard_list: shards,
    software_version: parts.softwareVersion,
    ...(agent ? await machineOf(agent, parts.now()) : {}),
  }
}

/** The part that is also shown before there is a cluster. */
export async function machineOf(agent: Agent, nowMs: number): Promise<Record<string, unknown>> {
  const { host } = agent
  const readings = await agent.readings()
  return {
    architecture: host.architecture,
    cores: host.cores,
    total_memory: host.totalMemoryBytes,
    os_family: osFamily(host),
    os_name: host.osName,
    os_semantic_version: host.osVersion,
    os_version: `${host.osName} ${host.osVersion}`.trim(),
    uptime: Math.max(0, Math.floor((nowMs - host.bootedAt) / 1000)),
    system_time: wireTime(new Date(nowMs).toISOString()),
    persistent_storage_path: host.persistentPath,
    persistent_storage_size: readings.persistentStorageBytes,
    ephemeral_storage_path: host.ephemeralPath,
    ephemeral_storage_size: readings.ephemeralStorageBytes,
    supported_database_versions: host.engines.map((engine) => ({
      db_type: 'redis',
      version: engine.version,
      redis_version: majorMinor(engine.version),
      major: true,
    })),
  }
}

/** The documented values are all there are; Debian stands nearest to Ubuntu. */
function osFamily(host: HostFacts): string {
  return /rhel|red hat|centos|rocky|alma|fedora/i.test(host.osName)
    ? 'rhel'
    : /amazon/i.test(host.osName)
      ? 'amzn'
      : 'ubuntu'
}

export async function renderNodeStatus(parts: Parts, node: NodeDocument): Promise<object> {
  const agent = parts.agents.get(node.uid)
  const readings = await agent?.readings()
  const promised = promisedBytes(parts, node.uid)
  const total = agent?.host.totalMemoryBytes ?? 0
  return {
    hostname: agent?.host.hostname ?? '',
    role: 'master',
    node_status: agent ? 'active' : 'down',
    cores: agent?.host.cores ?? 0,
    total_memory: total,
    free_ram: readings?.freeMemoryBytes ?? 0,
    total_provisional_ram: total,
    free_provisional_ram: Math.max(0, total - promised),
    node_overbooking_depth: Math.max(0, promised - total),
    master_shards: shardsIn(parts, node.uid, 'master'),
    slave_shards: shardsIn(parts, node.uid, 'slave'),
    software_version: parts.softwareVersion,
    software_version_sha: '',
  }
}

function shardsOn(parts: Parts, nodeUid: number): number[] {
  return [...parts.state.databases.values()]
    .flatMap(({ value }) => value.shards.filter((shard) => shard.nodeUid === nodeUid).map((shard) => shard.uid))
    .sort((a, b) => a - b)
}

function shardsIn(parts: Parts, nodeUid: number, role: 'master' | 'slave'): string[] {
  return [...parts.state.databases.values()].flatMap(({ value }) =>
    value.shards
      .filter((place) => place.nodeUid === nodeUid && wireRole(parts.state, value, place) === role)
      .map(({ uid }) => String(uid)),
  )
}

export function promisedBytes(parts: Parts, nodeUid: number): number {
  let bytes = 0
  for (const { value } of parts.state.databases.values()) {
    if (value.shards.some((shard) => shard.nodeUid === nodeUid)) bytes += value.config.memory_size
  }
  return bytes
}
