/**
 * What is measured, of which kind of object: the only table of it. Samples have a column for each row of their kind, in
 * this order; what REST and other readers show is named as here. Pure.
 *
 * `rate`: per second; of CPU, cores. `gauge`: as it was on average. `last`, `max`: the newest, and the largest. What is a
 * quotient of two others is not kept: the average of averages would be wrong. It is in RATIOS.
 */

export type Meaning = 'rate' | 'gauge' | 'last' | 'max'
type Row = { readonly meaning: Meaning; readonly unit: string }
type Table = Readonly<Record<string, Row>>

const rate = (unit: string) => ({ meaning: 'rate', unit }) as const
const gauge = (unit: string) => ({ meaning: 'gauge', unit }) as const
const last = (unit: string) => ({ meaning: 'last', unit }) as const
const max = (unit: string) => ({ meaning: 'max', unit }) as const

/** What clients ask of an endpoint, of a database, and of a shard. Latency is summed: microseconds spent per second. */
const REQUESTS = {
  total_req: rate('ops/sec'),
  read_req: rate('ops/sec'),
  write_req: rate('ops/sec'),
  other_req: rate('ops/sec'),
  acc_latency: rate('us/sec'),
  acc_read_latency: rate('us/sec'),
  acc_write_latency: rate('us/sec'),
  acc_other_latency: rate('us/sec'),
  total_connections_received: rate('connections/sec'),
  ingress_bytes: rate('bytes/sec'),
  egress_bytes: rate('bytes/sec'),
  /** Seconds since the epoch; 0: never seen. */
  last_req_time: max('seconds'),
} satisfies Table

/** More about who connects, and a few commands by themselves. */
const VISITORS = {
  auth_cmds: rate('ops/sec'),
  auth_errors: rate('ops/sec'),
  cmd_get: rate('ops/sec'),
  cmd_set: rate('ops/sec'),
  cmd_flush: rate('ops/sec'),
  cmd_touch: rate('ops/sec'),
  max_connections_exceeded: rate('connections/sec'),
} satisfies Table

/** What became of keys. */
const KEYSPACE = {
  read_hits: rate('ops/sec'),
  read_misses: rate('ops/sec'),
  evicted_objects: rate('evictions/sec'),
  expired_objects: rate('expirations/sec'),
  no_of_keys: gauge('keys'),
  no_of_expires: gauge('keys'),
  pubsub_channels: gauge('channels'),
  pubsub_patterns: gauge('patterns'),
} satisfies Table

/** What processes take of the machine. */
const RESOURCES = {
  used_memory: gauge('bytes'),
  used_memory_rss: gauge('bytes'),
  mem_not_counted_for_evict: gauge('bytes'),
  mem_size_lua: gauge('bytes'),
  shard_cpu_user: rate('cores'),
  shard_cpu_system: rate('cores'),
  main_thread_cpu_user: rate('cores'),
  main_thread_cpu_system: rate('cores'),
  fork_cpu_user: rate('cores'),
  fork_cpu_system: rate('cores'),
} satisfies Table

const SHARD = {
  ...REQUESTS,
  ...VISITORS,
  ...KEYSPACE,
  ...RESOURCES,
  used_memory_peak: max('bytes'),
  connected_clients: gauge('clients'),
  blocked_clients: gauge('clients'),
  avg_ttl: gauge('ms'),
  rdb_changes_since_last_save: last('changes'),
  last_save_time: last('seconds'),
  aof_rewrite_inprog: gauge('rewrites'),
  sync_full: last('syncs'),
  sync_partial_ok: last('syncs'),
  sync_partial_err: last('syncs'),
} satisfies Table

const ENDPOINT = {
  ...REQUESTS,
  ...VISITORS,
  conns: gauge('clients'),
} satisfies Table

const DATABASE = {
  ...REQUESTS,
  ...KEYSPACE,
  ...RESOURCES,
  conns: gauge('clients'),
} satisfies Table

const MACHINE = {
  total_req: rate('ops/sec'),
  acc_latency: rate('us/sec'),
  conns: gauge('clients'),
  /** Of the network cards, not of what stays on the machine. */
  ingress_bytes: rate('bytes/sec'),
  egress_bytes: rate('bytes/sec'),
  /** Parts of the time of all processors together. */
  cpu_user: gauge('0-1'),
  cpu_system: gauge('0-1'),
  cpu_idle: gauge('0-1'),
  cpu_nice: gauge('0-1'),
  cpu_iowait: gauge('0-1'),
  cpu_irqs: gauge('0-1'),
  cpu_steal: gauge('0-1'),
  free_memory: gauge('bytes'),
  available_memory: gauge('bytes'),
  available_memory_no_overbooking: gauge('bytes'),
  provisional_memory: gauge('bytes'),
  provisional_memory_no_overbooking: gauge('bytes'),
  available_flash: gauge('bytes'),
  available_flash_no_overbooking: gauge('bytes'),
  provisional_flash: gauge('bytes'),
  provisional_flash_no_overbooking: gauge('bytes'),
  ephemeral_storage_free: gauge('bytes'),
  ephemeral_storage_avail: gauge('bytes'),
  persistent_storage_free: gauge('bytes'),
  persistent_storage_avail: gauge('bytes'),
} satisfies Table

const NODE = { ...MACHINE, cur_aof_rewrites: gauge('rewrites') } satisfies Table

export const METRICS = { shard: SHARD, endpoint: ENDPOINT, database: DATABASE, node: NODE, cluster: MACHINE } as const

export type Kind = keyof typeof METRICS
export type Metric<K extends Kind> = K extends Kind ? Extract<keyof (typeof METRICS)[K], string> : never

/** Computed when it is read: `of` per `per`, absent while `per` is 0 or not known. */
export const RATIOS = {
  avg_latency: { of: 'acc_latency', per: 'total_req', unit: 'us' },
  avg_read_latency: { of: 'acc_read_latency', per: 'read_req', unit: 'us' },
  avg_write_latency: { of: 'acc_write_latency', per: 'write_req', unit: 'us' },
  avg_other_latency: { of: 'acc_other_latency', per: 'other_req', unit: 'us' },
  mem_frag_ratio: { of: 'used_memory_rss', per: 'used_memory', unit: 'ratio' },
} as const
export type Ratio = keyof typeof RATIOS

export function isRatio(name: string): name is Ratio {
  return Object.hasOwn(RATIOS, name)
}

export type Columns<K extends Kind = Kind> = {
  readonly names: readonly Metric<K>[]
  readonly meanings: readonly Meaning[]
  readonly indexOf: ReadonlyMap<string, number>
}

function columnsOf<K extends Kind>(table: Readonly<Record<Metric<K>, Row>>): Columns<K> {
  // Object.keys forgets whose keys they are.
  const names = Object.keys(table) as Metric<K>[]
  const meanings = names.map((name) => table[name].meaning)
  return { names, meanings, indexOf: new Map(names.map((name, index) => [name, index])) }
}

export const COLUMNS: { readonly [K in Kind]: Columns<K> } = {
  shard: columnsOf<'shard'>(SHARD),
  endpoint: columnsOf<'endpoint'>(ENDPOINT),
  database: columnsOf<'database'>(DATABASE),
  node: columnsOf<'node'>(NODE),
  cluster: columnsOf<'cluster'>(MACHINE),
}
