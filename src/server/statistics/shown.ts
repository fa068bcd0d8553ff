/**
 * Which statistics the API shows of each kind of object, under which names: the documented ones that an open engine can
 * give. Nearly all are named as they are kept; here stand the others. What is not known is left out. Callers: the routes.
 */
import { COLUMNS, type Kind, type Metric, type Ratio } from '#model/statistics/metrics.ts'
import type { Sample } from '#model/statistics/sample.ts'

/** A request is counted when it has been answered: there is no other number of responses. */
const RESPONSES = {
  total_res: 'total_req',
  read_res: 'read_req',
  write_res: 'write_req',
  other_res: 'other_req',
} as const

type Table<K extends Kind> = {
  /** Kept, and not shown: what only others are computed from. */
  readonly hidden: readonly Metric<K>[]
  readonly ratios: readonly Ratio[]
  readonly aliases: Readonly<Record<string, Metric<K>>>
  /** Shown as a time in words; whatever is not known is the beginning of time. */
  readonly times: Readonly<Record<string, Metric<K>>>
  /** Documented, and nothing that an open engine has. */
  readonly absent: readonly string[]
}

const LATENCY = ['acc_latency', 'acc_read_latency', 'acc_write_latency', 'acc_other_latency'] as const
const FLASH = [
  ...['big_del_flash', 'big_del_ram', 'big_fetch_flash', 'big_fetch_ram', 'big_io_ratio_flash', 'big_io_ratio_redis'],
  ...['big_write_flash', 'big_write_ram', 'bigstore_io_dels', 'bigstore_io_read_bytes', 'bigstore_io_reads'],
  ...['bigstore_io_write_bytes', 'bigstore_io_writes', 'bigstore_iops', 'bigstore_kv_ops', 'bigstore_objs_flash'],
  ...['bigstore_objs_ram', 'bigstore_throughput', 'disk_frag_ratio'],
]
/** Engines count hits of reads only. */
const NO_WRITE_HITS = ['write_hits', 'write_misses']
const MACHINE_FLASH = ['bigstore_free', 'bigstore_iops', 'bigstore_kv_ops', 'bigstore_throughput']

const SHOWN: { readonly [K in Kind]: Table<K> } = {
  database: {
    hidden: [...LATENCY, 'used_memory_rss', 'last_req_time'],
    ratios: ['avg_latency', 'avg_read_latency', 'avg_write_latency', 'avg_other_latency', 'mem_frag_ratio'],
    aliases: { ...RESPONSES, instantaneous_ops_per_sec: 'total_req' },
    times: { last_req_time: 'last_req_time', last_res_time: 'last_req_time' },
    absent: [...FLASH, ...NO_WRITE_HITS, 'monitor_sessions_count', 'ram_overhead', 'used_bigstore', 'used_ram'],
  },
  shard: {
    hidden: [
      ...LATENCY,
      ...([
        'read_req',
        'write_req',
        'other_req',
        'total_connections_received',
        'ingress_bytes',
        'egress_bytes',
      ] as const),
      ...(['last_req_time', 'auth_cmds', 'auth_errors', 'cmd_get', 'cmd_set', 'cmd_flush', 'cmd_touch'] as const),
      'max_connections_exceeded',
    ],
    ratios: ['mem_frag_ratio'],
    aliases: {},
    times: {},
    absent: [...FLASH, ...NO_WRITE_HITS],
  },
  endpoint: {
    hidden: [],
    ratios: [],
    aliases: {
      ...RESPONSES,
      total_started_res: 'total_req',
      read_started_res: 'read_req',
      write_started_res: 'write_req',
      other_started_res: 'other_req',
      last_res_time: 'last_req_time',
    },
    times: {},
    absent: ['monitor_sessions_count'],
  },
  node: { hidden: ['acc_latency'], ratios: ['avg_latency'], aliases: {}, times: {}, absent: MACHINE_FLASH },
  cluster: { hidden: ['acc_latency'], ratios: ['avg_latency'], aliases: {}, times: {}, absent: MACHINE_FLASH },
}

type Show = (sample: Sample) => number | string | undefined
export type ShownMetrics = ReadonlyMap<string, Show>

function shownOf<K extends Kind>(kind: K, table: Table<K>): ShownMetrics {
  const hidden = new Set<string>(table.hidden)
  const shown = new Map<string, Show>()
  for (const name of COLUMNS[kind].names) if (!hidden.has(name)) shown.set(name, (sample) => sample.named(name))
  for (const name of table.ratios) shown.set(name, (sample) => sample.ratio(name))
  for (const [name, of] of Object.entries(table.aliases)) shown.set(name, (sample) => sample.named(String(of)))
  for (const [name, of] of Object.entries(table.times))
    shown.set(name, (sample) => wireSeconds((sample.named(String(of)) ?? 0) * 1_000))
  return shown
}

export const SHOWN_METRICS: Readonly<Record<Kind, ShownMetrics>> = {
  database: shownOf('database', SHOWN.database),
  shard: shownOf('shard', SHOWN.shard),
  endpoint: shownOf('endpoint', SHOWN.endpoint),
  node: shownOf('node', SHOWN.node),
  cluster: shownOf('cluster', SHOWN.cluster),
}

/** Names that may be asked for, although nothing is answered. */
export function isAbsent(kind: Kind, name: string): boolean {
  return SHOWN[kind].absent.includes(name)
}

/** `2026-01-31T12:00:00Z`: whole seconds. */
export function wireSeconds(atMs: number): string {
  return `${new Date(Math.round(atMs / 1_000) * 1_000).toISOString().slice(0, 19)}Z`
}
