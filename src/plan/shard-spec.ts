/**
 * From the database document to what each of its processes should be: the one place where the API's field names turn
 * into the engine room's words. Pure; the API uses it too, to tell what a change would do before it is made.
 */
import { createHash } from 'node:crypto'
import { aclWords } from '#model/access/redis-acl.ts'
import type { DatabaseConfig } from '#model/database/schema.ts'
import type { DatabaseDocument, ShardPlace } from '#model/documents/database.ts'
import type { Lead } from '#model/documents/status.ts'
import { needsInnerPort, replicatesApart, servingOf } from './serving.ts'
import type { ActiveDefrag, EngineUser, Persistence, ShardRole, ShardSpec, ShardTls } from './step.ts'

/** The shards of one database speak with each other, and with the proxy, over this address. */
export const INTERNAL_HOST = '127.0.0.1'
/** Where a primary listens, at the endpoint's port, while applications are kept out: its replicas follow it all the same. */
export const REPLICAS_ONLY_HOST = '127.77.0.1'

/** What the rest of the cluster decides about a shard. */
export type Surroundings = {
  /** The address that databases listen on. */
  readonly listenHost: string
  /** Where applications reach the databases of this node. */
  addressOf(nodeUid: number): string
  /** Whoever has roles and can have an account in a database. */
  readonly people: readonly Person[]
  /** The rules of each ACL, by uid. */
  readonly acls: ReadonlyMap<number, string>
  /** How endpoints with TLS speak it. */
  readonly tls: TlsPolicy
  /** What the endpoint of a database shows to clients. */
  certificateOf(databaseUid: number): ShownCertificate | undefined
  /** What processes of one database, and the proxy, show to each other. */
  readonly internodeCertificate: ShownCertificate | undefined
  /** Whether rules that do not speak of channels allow all of them. */
  readonly allChannels: boolean
}

export type ShownCertificate = {
  /** Lower-case hex SHA-256 of the PEM. */
  readonly digest: string
  readonly certificate: string
  /** Nobody else can have been signed by it. */
  readonly isSelfSigned: boolean
}

export type TlsPolicy = {
  readonly minVersion: '1.2' | '1.3'
  /** As OpenSSL writes them; empty: its own choice. */
  readonly ciphers: string
  readonly cipherSuites: string
}

export type Person = {
  readonly name: string
  /** Lower-case hex SHA-256. */
  readonly passwordHashes: readonly string[]
  readonly roleUids: readonly number[]
}

/** `lead`: who leads the processes of this place's slots. */
export function shardSpec(database: DatabaseDocument, place: ShardPlace, around: Surroundings, lead: Lead): ShardSpec {
  const { config } = database
  const engine = place.leaving?.engine ?? database.engine
  const role = roleOf(database, place, around, lead)
  return {
    uid: place.uid,
    databaseUid: database.uid,
    generation: database.generation,
    engine,
    role,
    cluster: clusterOf(database, place, around),
    tls: tlsOf(database, around, role),
    takesClients: !database.isTrafficStopped,
    listen: listenOf(database, place, around, role),
    memoryLimitBytes: shardMemoryBytes(config),
    evictionPolicy: config.eviction_policy,
    persistence: persistenceOf(config),
    // Of several shards the proxy counts the connections: no shard sees them all, unless clients come to it themselves.
    maxConnections: config.sharding && !config.oss_cluster ? 0 : connectionLimit(config),
    activeDefrag: activeDefragOf(config),
    replicationBacklogBytes: config.repl_backlog_size === 'auto' ? null : Number(config.repl_backlog_size),
    replicaOutputBuffer: replicaOutputBufferOf(config.slave_buffer),
    trackingTableMaxKeys: config.tracking_table_max_keys,
    users: usersOf({ ...database, engine }, around),
    allowsResp3: config.resp3,
    disconnectOnPasswordRemoval: config.disconnect_clients_on_password_removal,
    flushes: flushesOf(database, place.uid),
  }
}

function flushesOf({ flushes, startEmpty }: DatabaseDocument, shardUid: number): number {
  return startEmpty?.shardUids.includes(shardUid) ? Math.max(flushes, startEmpty.flush) : flushes
}

function clusterOf(
  { config }: DatabaseDocument,
  { ports, nodeUid }: ShardPlace,
  around: Surroundings,
): ShardSpec['cluster'] {
  if (!config.sharding || !ports) return null
  return { ports, publicHost: config.oss_cluster ? around.addressOf(nodeUid) : '' }
}

function listenOf(
  { config, endpointPort, innerPort, isTrafficStopped }: DatabaseDocument,
  { ports }: ShardPlace,
  { listenHost }: Surroundings,
  role: ShardRole,
): ShardSpec['listen'] {
  const isPrimary = role.kind === 'primary'
  if (servingOf(config) === 'relay') return { host: INTERNAL_HOST, port: isPrimary ? (innerPort ?? 0) : 0 }
  if (config.sharding && ports) {
    const isPublic = config.oss_cluster && !isTrafficStopped
    return { host: isPublic ? listenHost : INTERNAL_HOST, port: ports.clients }
  }
  if (!isPrimary) return { host: listenHost, port: 0 }
  return { host: isTrafficStopped ? REPLICAS_ONLY_HOST : listenHost, port: endpointPort }
}

function tlsOf(database: DatabaseDocument, around: Surroundings, role: ShardRole): ShardTls | null {
  const { config, innerPort } = database
  const serving = servingOf(config)
  // Where the proxy serves, the proxy speaks TLS with clients.
  if (serving === 'primary' && config.tls_mode === 'enabled') return clientTls(database, around)
  if (!config.data_internode_encryption) return null
  if (serving !== 'primary') return internodeTls(around, null)
  // Alone it has nobody to speak with.
  return replicatesApart(config) ? internodeTls(around, role.kind === 'primary' ? innerPort : 0) : null
}

/**
 * A replica trusts the primary's certificate, which is its own too. Where clients have to show one, that must not admit
 * whoever was signed by the same authority: only a certificate that stands for itself alone is trusted then.
 */
function clientTls({ uid, config }: DatabaseDocument, { tls, certificateOf }: Surroundings): ShardTls {
  const own = certificateOf(uid)
  const asksClients = config.enforce_client_authentication === 'enabled'
  const clients = asksClients ? config.authentication_ssl_client_certs.map(({ client_cert }) => client_cert) : []
  const trustsOwn = !asksClients || (config.replication && own?.isSelfSigned === true)
  const trusted = trustsOwn ? [own?.certificate ?? '', ...clients] : clients
  return {
    certificate: own?.digest ?? '',
    port: null,
    asksClients,
    trusted: trusted.map((pem) => pem.trim()).join('\n'),
    protocols: tls.minVersion === '1.3' ? 'TLSv1.3' : 'TLSv1.2 TLSv1.3',
    ciphers: tls.ciphers,
    cipherSuites: tls.cipherSuites,
  }
}

/** Both sides show the same certificate, and trust no other. */
function internodeTls({ internodeCertificate: own }: Surroundings, port: number | null): ShardTls {
  return {
    certificate: own?.digest ?? '',
    port,
    asksClients: true,
    trusted: own?.certificate.trim() ?? '',
    protocols: 'TLSv1.2 TLSv1.3',
    ciphers: '',
    cipherSuites: '',
  }
}

function roleOf(database: DatabaseDocument, place: ShardPlace, { listenHost }: Surroundings, lead: Lead): ShardRole {
  const { term } = lead
  // Also for as long as somebody copies its data in order to replace it.
  const isReplicated = database.shards.some(({ uid, group }) => group === place.group && uid !== place.uid)
  if (lead.shardUid === place.uid) return { kind: 'primary', term, isReplicated }
  if (database.config.sharding) {
    const primary = database.shards.find(({ uid }) => uid === lead.shardUid)
    return { kind: 'replica', term, of: { host: INTERNAL_HOST, port: primary?.ports?.clients ?? 0 } }
  }
  const { config, endpointPort, innerPort, isTrafficStopped } = database
  const open = isTrafficStopped ? REPLICAS_ONLY_HOST : reachable(listenHost)
  const host = servingOf(config) === 'relay' ? INTERNAL_HOST : open
  const of = { host, port: needsInnerPort(config) ? (innerPort ?? 0) : endpointPort }
  return { kind: 'replica', term, of }
}

/** Where one that listens on every address of the machine is reached from the machine itself. */
function reachable(listenHost: string): string {
  if (listenHost === '0.0.0.0') return '127.0.0.1'
  return listenHost === '::' ? '::1' : listenHost
}

/**
 * The database's limit is shared evenly by everything that holds data: its shards, and their replicas. At least one
 * byte each, because to the engine 0 means "no limit".
 */
export function shardMemoryBytes(config: Pick<DatabaseConfig, 'memory_size' | 'shards_count' | 'replication'>): number {
  if (config.memory_size === 0) return 0
  const copies = config.replication ? 2 : 1
  return Math.max(1, Math.floor(config.memory_size / (config.shards_count * copies)))
}

function persistenceOf(config: DatabaseConfig): Persistence {
  switch (config.data_persistence) {
    case 'disabled':
      return { kind: 'none' }
    case 'aof':
      return { kind: 'aof', fsync: config.aof_policy === 'appendfsync-always' ? 'always' : 'everysec' }
    case 'snapshot':
      return {
        kind: 'snapshot',
        rules: config.snapshot_policy.map(({ secs, writes }) => ({ seconds: secs, writes })),
      }
  }
}

/** Both limits are the application's; the smaller one holds. `max_connections` 0 says that it sets none. */
export function connectionLimit(config: DatabaseConfig): number {
  return config.max_connections > 0 ? Math.min(config.max_connections, config.maxclients) : config.maxclients
}

function activeDefragOf(config: DatabaseConfig): ActiveDefrag {
  return {
    enabled: config.activedefrag === 'yes',
    cycleMaxPercent: config.active_defrag_cycle_max,
    cycleMinPercent: config.active_defrag_cycle_min,
    ignoreBytes: config.active_defrag_ignore_bytes,
    maxScanFields: config.active_defrag_max_scan_fields,
    thresholdLowerPercent: config.active_defrag_threshold_lower,
    thresholdUpperPercent: config.active_defrag_threshold_upper,
  }
}

const MEGABYTE = 1024 * 1024

/** `auto`, a number of megabytes, or `hard:soft:seconds` with both limits in megabytes. */
function replicaOutputBufferOf(text: string): ShardSpec['replicaOutputBuffer'] {
  if (text === 'auto') return null
  const [hard = 0, soft = hard, seconds = 60] = text.split(':').map(Number)
  return { hardBytes: hard * MEGABYTE, softBytes: soft * MEGABYTE, softSeconds: seconds }
}

/**
 * Commands that would take the process out of the control plane's hands, or hand its accounts or its data to whoever
 * can connect. The original refuses them to applications too.
 */
const CONTROL_COMMANDS = [
  'acl|deluser',
  'acl|getuser',
  'acl|list',
  'acl|load',
  'acl|log',
  'acl|save',
  'acl|setuser',
  'acl|users',
  'bgrewriteaof',
  'bgsave',
  'client|no-evict',
  'client|pause',
  'client|unpause',
  'cluster|addslots',
  'cluster|addslotsrange',
  'cluster|bumpepoch',
  'cluster|delslots',
  'cluster|delslotsrange',
  'cluster|failover',
  'cluster|flushslots',
  'cluster|forget',
  'cluster|meet',
  'cluster|replicate',
  'cluster|reset',
  'cluster|saveconfig',
  'cluster|set-config-epoch',
  'cluster|setslot',
  'config|resetstat',
  'config|rewrite',
  'config|set',
  'debug',
  'failover',
  'migrate',
  'module',
  'monitor',
  'pfdebug',
  'pfselftest',
  'replicaof',
  'save',
  'script|debug',
  'shutdown',
  'slaveof',
]
/** Reading the replication stream is what the administrative password is for. */
const REPLICATION_COMMANDS = ['psync', 'replconf', 'sync']

const EVERYTHING = ['~*', '&*', '+@all']

/** The first is the one that clients are without a name. While its traffic is stopped nobody is anybody. */
export function usersOf(database: DatabaseDocument, around: Surroundings): EngineUser[] {
  const users = accountsOf(database, around)
  return database.isTrafficStopped ? users.map((user) => ({ ...user, enabled: false })) : users
}

function accountsOf({ config, extraPasswords, engine }: DatabaseDocument, around: Surroundings): EngineUser[] {
  const passwords = [config.authentication_redis_pass, ...extraPasswords].filter((password) => password !== '')
  const forbidden = [...CONTROL_COMMANDS, ...disabledCommands(config.disabled_commands)].map((name) => `-${name}`)
  return [
    {
      name: 'default',
      enabled: config.default_user,
      passwordHashes: passwords.length === 0 ? null : passwords.map(sha256),
      rules: [...EVERYTHING, ...forbidden, ...REPLICATION_COMMANDS.map((name) => `-${name}`)],
    },
    {
      name: 'admin',
      enabled: config.authentication_admin_pass !== '',
      passwordHashes: config.authentication_admin_pass === '' ? [] : [sha256(config.authentication_admin_pass)],
      rules: [...EVERYTHING, ...forbidden],
    },
    ...people(config.roles_permissions, around, engine.version, [
      ...forbidden,
      ...REPLICATION_COMMANDS.map((name) => `-${name}`),
    ]),
  ]
}

/** An account for everybody who has a role here. Who has several may do what any of them may. */
function people(
  permissions: DatabaseConfig['roles_permissions'],
  { people: all, acls, allChannels }: Surroundings,
  engineVersion: string,
  forbidden: readonly string[],
): EngineUser[] {
  return all.flatMap(({ name, passwordHashes, roleUids }) => {
    const uids = permissions.flatMap(({ role_uid, redis_acl_uid }) =>
      roleUids.includes(role_uid) ? [redis_acl_uid] : [],
    )
    const [first, ...others] = [...new Set(uids)].flatMap((uid) => acls.get(uid) ?? [])
    if (first === undefined) return []
    const rulesOf = (acl: string) => [...withChannels(aclWords(acl), allChannels), ...forbidden]
    // Before selectors there was one set of rules for each account: the first then holds.
    const selectors = Number.parseInt(engineVersion, 10) < 7 ? [] : others.map((acl) => `(${rulesOf(acl).join(' ')})`)
    return [{ name, enabled: true, passwordHashes, rules: [...rulesOf(first), ...selectors] }]
  })
}

function withChannels(words: readonly string[], allChannels: boolean): readonly string[] {
  const speaksOfChannels = words.some((word) => /^&|channels$/i.test(word))
  return allChannels && !speaksOfChannels ? ['&*', ...words] : words
}

/** `"GET, config|get DEL"` → `get`, `config|get`, `del`. */
export function disabledCommands(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((name) => name !== '')
}

function sha256(password: string): string {
  return createHash('sha256').update(password, 'utf8').digest('hex')
}
