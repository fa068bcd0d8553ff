/**
 * The second version of the metrics: what is told of nodes, with the proxy that each has, and of the cluster.
 */
import type { ProcessReading } from '#model/statistics/readings.ts'
import { tellFailing } from './failing.ts'
import type { Figures } from './figures.ts'
import { type Labels, labelsOf } from './labels.ts'
import { clusterName, NO_LIMIT, type Scope, type Sources, secondsLeft } from './subjects.ts'

const INTERNODE = 'data_internode_encryption'
/** What a kernel counts its ticks in, on every machine that engines run on. */
const TICKS_PER_SECOND = 100
const NODE_GAUGES: Readonly<Record<string, string>> = {
  available_flash: 'available_flash_bytes',
  available_flash_no_overbooking: 'available_flash_no_overbooking_bytes',
  available_memory: 'available_memory_bytes',
  available_memory_no_overbooking: 'available_memory_no_overbooking_bytes',
  ephemeral_storage_avail: 'ephemeral_storage_avail_bytes',
  ephemeral_storage_free: 'ephemeral_storage_free_bytes',
  free_memory: 'memory_MemFree_bytes',
  persistent_storage_avail: 'persistent_storage_avail_bytes',
  persistent_storage_free: 'persistent_storage_free_bytes',
  provisional_flash: 'provisional_flash_bytes',
  provisional_flash_no_overbooking: 'provisional_flash_no_overbooking_bytes',
  provisional_memory: 'provisional_memory_bytes',
  provisional_memory_no_overbooking: 'provisional_memory_no_overbooking_bytes',
}

export function tellNode(out: Figures, sources: Sources, scope: Scope, nodeUid: number, nowMs: number): void {
  const { agents, statistics, state, softwareVersion } = sources
  const who = scope ? {} : { cluster: clusterName(sources), node: nodeUid }
  const labels = labelsOf(who)
  out.add('gauge', 'node_metrics_up', labels, agents.has(nodeUid) ? 1 : 0)
  // There is one node, which decides by itself.
  out.add('gauge', 'has_quorum', labels, 1)
  out.add('gauge', 'is_primary', labels, 1)
  out.add('gauge', 'node_config', labelsOf({ ...who, cnm_version: softwareVersion }), 1)
  for (const { id, value } of state.certificates.values())
    out.add(
      'gauge',
      'node_cert_expires_in_seconds',
      labelsOf({ ...who, filename: `${id}_cert.pem`, path: id }),
      secondsLeft(value, nowMs),
    )
  out.add('gauge', 'generation', labels, state.view.revision)
  const internode = state.certificates.get(INTERNODE)?.value
  out.add('gauge', 'customer_managed_ine_certificates', labels, internode && !internode.isOwn ? 1 : 0)
  tellFailing(out, 'dmc', labels, statistics.live.failures.proxies.get(nodeUid))
  const sample = statistics.latest({ kind: 'node', uid: nodeUid })
  if (sample)
    for (const [metric, name] of Object.entries(NODE_GAUGES))
      out.add('gauge', `node_${name}`, labels, sample.named(metric))
  const reading = statistics.live.nodes.get(nodeUid)
  if (!reading) return
  tellProxy(out, who, reading.proxy)
  for (const storage of ['persistent', 'ephemeral'] as const) {
    const { availableBytes, totalBytes } = reading[`${storage}Storage`]
    const where = labelsOf({ ...who, storage })
    out.add('gauge', 'node_filesystem_avail_bytes', where, availableBytes)
    out.add('gauge', 'node_filesystem_size_bytes', where, totalBytes)
  }
  const modes = { ...reading.cpu, irq: reading.cpu.irqs }
  for (const mode of ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'steal'] as const) {
    // One line stands for all processors: the time of each, on average.
    const seconds = modes[mode] / TICKS_PER_SECOND / Math.max(1, reading.cores)
    out.add('counter', 'node_cpu_seconds_total', labelsOf({ ...who, cpu: 'all', mode }), seconds)
  }
  const device = labelsOf({ ...who, device: 'all' })
  out.add('counter', 'node_network_receive_bytes_total', device, reading.receivedBytes)
  out.add('counter', 'node_network_transmit_bytes_total', device, reading.sentBytes)
}

/** All its processes together; each is told as a thread of it too, since that is what they are for: one core each. */
function tellProxy(out: Figures, who: Labels, processes: readonly ProcessReading[]): void {
  if (processes.length === 0) return
  const labels = labelsOf(who)
  const sum = (of: (one: ProcessReading) => number) => processes.reduce((all, one) => all + of(one), 0)
  const group = (more: Labels) => labelsOf({ ...who, groupname: 'dmcproxy', ...more })
  const gauge = (name: string, value: number, own = labels) => out.add('gauge', name, own, value)
  gauge('dmcproxy_process_cpu_usage_percent', sum(({ corePart }) => corePart) * 100)
  const residentBytes = sum((one) => one.residentBytes)
  const virtualBytes = sum((one) => one.virtualBytes)
  const openFiles = sum((one) => one.openFiles)
  gauge('dmcproxy_process_resident_memory_bytes', residentBytes)
  gauge('dmcproxy_process_virtual_memory_bytes', virtualBytes)
  gauge('dmcproxy_process_open_fds', openFiles)
  for (const mode of ['user', 'system'] as const) {
    const seconds = sum((one) => one[`${mode}Seconds`])
    out.add('counter', `dmcproxy_process_cpu_${mode}_seconds_total`, labels, seconds)
    out.add('counter', 'namedprocess_namegroup_cpu_seconds_total', group({ mode }), seconds)
    for (const [index, one] of processes.entries()) {
      const threadname = index === 0 && processes.length > 1 ? 'listener' : `worker-${Math.max(1, index)}`
      const own = group({ mode, threadname })
      out.add('counter', 'namedprocess_namegroup_thread_cpu_seconds_total', own, one[`${mode}Seconds`])
    }
  }
  gauge('namedprocess_namegroup_memory_bytes', residentBytes, group({ memtype: 'resident' }))
  gauge('namedprocess_namegroup_memory_bytes', virtualBytes, group({ memtype: 'virtual' }))
  gauge('namedprocess_namegroup_open_filedesc', openFiles, group({}))
  gauge('namedprocess_namegroup_thread_count', processes.length, group({}))
  const oldest = Math.min(...processes.map(({ startedAtMs }) => startedAtMs))
  gauge('namedprocess_namegroup_oldest_start_time_seconds', Math.round(oldest / 1_000), group({}))
}

export function tellCluster(out: Figures, sources: Sources): void {
  const { state, agents } = sources
  const labels = labelsOf({ cluster: clusterName(sources) })
  const gauge = (name: string, value: number) => out.add('gauge', name, labels, value)
  gauge('license_shards_limit', NO_LIMIT)
  gauge('total_nodes_count', state.nodes.size)
  gauge('total_live_nodes_count', [...state.nodes.values()].filter(({ value }) => agents.has(value.uid)).length)
  gauge('users_count', state.users.size)
}
