/**
 * INFO of several shards as the INFO of one server: numbers that count things are added up, what goes on at one
 * shard goes on, the rest is the first shard's. Where clients must not know of the shards, what would betray a cluster
 * says what they expect of a single server. Pure. Callers: INFO.
 */
const ADDED = new Set(
  `used_memory used_memory_rss used_memory_peak used_memory_overhead used_memory_startup used_memory_dataset
  maxmemory total_commands_processed instantaneous_ops_per_sec total_net_input_bytes total_net_output_bytes
  expired_keys evicted_keys keyspace_hits keyspace_misses rdb_changes_since_last_save total_error_replies
  total_reads_processed total_writes_processed instantaneous_input_kbps instantaneous_output_kbps
  used_cpu_sys used_cpu_user used_cpu_sys_children used_cpu_user_children blocked_clients connected_clients
  total_connections_received allocator_allocated allocator_active allocator_resident`.split(/\s+/),
)
/** True of the database as soon as it is true of one shard: who waits for the end of something waits for all of them. */
const ANY = new Set(
  `loading async_loading rdb_bgsave_in_progress aof_rewrite_in_progress aof_rewrite_scheduled module_fork_in_progress
  lazyfree_pending_objects active_defrag_running`.split(/\s+/),
)
/** Counters of one kind each, of which a shard only has those that it has counted: `calls=1,usec=2,…`. */
const COUNTED = /^(?:cmdstat|errorstat)_/
const SAID_ALWAYS: Readonly<Record<string, string>> = { role: 'master' }
const SAID_OF_ONE_SERVER: Readonly<Record<string, string>> = {
  ...SAID_ALWAYS,
  redis_mode: 'standalone',
  server_mode: 'standalone',
  cluster_enabled: '0',
}
const LINE = /^([a-z0-9_]+):(.*)$/i
const KEYSPACE = /^keys=(\d+),expires=(\d+),avg_ttl=(\d+)/

/** `speaksCluster`: clients may know of the shards; some ask here whether there are any. */
export function joinInfo(texts: readonly string[], { speaksCluster }: { readonly speaksCluster: boolean }): string {
  const said = speaksCluster ? SAID_ALWAYS : SAID_OF_ONE_SERVER
  const all = texts.map(fieldsOf)
  const lines = (texts[0] ?? '').split('\r\n').map((line) => {
    const [, name, value] = LINE.exec(line) ?? []
    if (name === undefined || value === undefined || name === 'db0') return name === 'db0' ? null : line
    if (said[name] !== undefined) return `${name}:${said[name]}`
    if (/_human$/.test(name) && ADDED.has(name.slice(0, -6))) return `${name}:${human(add(all, name.slice(0, -6)))}`
    if (ANY.has(name)) return `${name}:${Math.max(...all.map((fields) => Number(fields.get(name)) || 0))}`
    if (COUNTED.test(name)) return null
    return ADDED.has(name) ? `${name}:${plain(add(all, name))}` : line
  })
  for (const [header, prefix] of SECTIONS) {
    const at = lines.indexOf(header)
    if (at >= 0) lines.splice(at + 1, 0, ...joinCounters(all, prefix))
  }
  const keyspace = joinKeyspace(all)
  const header = lines.indexOf('# Keyspace')
  if (keyspace !== null && header >= 0) lines.splice(header + 1, 0, `db0:${keyspace}`)
  return lines.filter((line) => line !== null).join('\r\n')
}

const SECTIONS = [
  ['# Commandstats', 'cmdstat_'],
  ['# Errorstats', 'errorstat_'],
] as const

/** One line for each name that any shard has, its numbers added up; the mean is of the sums. */
function joinCounters(all: readonly ReadonlyMap<string, string>[], prefix: string): string[] {
  const names = new Set(all.flatMap((fields) => [...fields.keys()].filter((name) => name.startsWith(prefix))))
  return [...names].map((name) => {
    const sums = new Map<string, number>()
    for (const fields of all) {
      for (const pair of fields.get(name)?.split(',') ?? []) {
        const [key = '', value = ''] = pair.split('=')
        sums.set(key, (sums.get(key) ?? 0) + (Number(value) || 0))
      }
    }
    const mean = ((sums.get('usec') ?? 0) / Math.max(1, sums.get('calls') ?? 0)).toFixed(2)
    const pairs = [...sums].map(([key, sum]) => `${key}=${key === 'usec_per_call' ? mean : sum}`)
    return `${name}:${pairs.join(',')}`
  })
}

function fieldsOf(text: string): ReadonlyMap<string, string> {
  const fields = new Map<string, string>()
  for (const line of text.split('\r\n')) {
    const [, name, value] = LINE.exec(line) ?? []
    if (name !== undefined && value !== undefined) fields.set(name, value)
  }
  return fields
}

const add = (all: readonly ReadonlyMap<string, string>[], name: string) =>
  all.reduce((sum, fields) => sum + (Number(fields.get(name)) || 0), 0)
const plain = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(6))

/** As the engine writes it: 1.05M. */
function human(bytes: number): string {
  const units = ['B', 'K', 'M', 'G', 'T']
  const unit = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log2(Math.max(1, bytes)) / 10)))
  return unit === 0 ? `${bytes}B` : `${(bytes / 1024 ** unit).toFixed(2)}${units[unit]}`
}

/** Null when no shard has a key. The time to live is the mean, weighted by the keys that have one. */
function joinKeyspace(all: readonly ReadonlyMap<string, string>[]): string | null {
  const rows = all.flatMap((fields) => KEYSPACE.exec(fields.get('db0') ?? '') ?? [])
  if (rows.length === 0) return null
  let keys = 0
  let expires = 0
  let ttlSum = 0
  for (const fields of all) {
    const [, count, expiring, ttl] = KEYSPACE.exec(fields.get('db0') ?? '') ?? []
    keys += Number(count ?? 0)
    expires += Number(expiring ?? 0)
    ttlSum += Number(ttl ?? 0) * Number(expiring ?? 0)
  }
  return `keys=${keys},expires=${expires},avg_ttl=${expires === 0 ? 0 : Math.round(ttlSum / expires)}`
}
