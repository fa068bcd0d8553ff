/**
 * A spec in the engine's own words: its configuration file, and the settings that can be changed while it runs, by the
 * names and in the form of CONFIG GET. Callers: the steps. Pure.
 */
import { type Directive, renderConfiguration } from '#engine/configuration.ts'
import { majorOf } from '#plan/needs-restart.ts'
import { INTERNAL_HOST } from '#plan/shard-spec.ts'
import { DEFAULT_REPLICA_BUFFER, type Persistence, type ShardCluster, type ShardSpec } from '#plan/step.ts'
import { NAMES, type ShardFolder } from './folder.ts'

export type Settings = Readonly<Record<string, string>>

/** Added to what applications may open: the control connection, and a short-lived one for a command or a probe. */
export const CONTROL_CONNECTIONS = 2
/** What an engine allows by default; "as many as it can" is bounded by file descriptors, of which there are about as many. */
const DEFAULT_MAX_CONNECTIONS = 10_000
/** The engine's own defaults, said out loud so that going back to "the agent's choice" is a change like any other. */
const DEFAULT_BACKLOG_BYTES = 1024 * 1024
const DEFAULT_DEFRAG_CYCLE_MAX_PERCENT = 25
/** Longer than a primary may be busy with one command; then its own kind may put another in its place. */
const CLUSTER_NODE_TIMEOUT_MS = 15_000

export function listenSettings(spec: ShardSpec): Settings {
  // Others of the cluster are heard at the address of the start, for ever: it must be the one that nobody else reaches.
  if (spec.cluster) return { bind: INTERNAL_HOST, port: String(spec.listen.port) }
  // With TLS it opens its port once it knows the passphrase of its key.
  return { bind: spec.listen.host, port: spec.tls?.port === null ? '0' : String(spec.listen.port) }
}

/** All but where it listens and how it persists: those two are changed with more care. */
export function plainSettings(spec: ShardSpec): Settings {
  const buffer = spec.replicaOutputBuffer ?? DEFAULT_REPLICA_BUFFER
  const defrag = spec.activeDefrag
  return {
    maxmemory: String(spec.memoryLimitBytes),
    'maxmemory-policy': spec.evictionPolicy,
    maxclients: String((spec.maxConnections || DEFAULT_MAX_CONNECTIONS) + CONTROL_CONNECTIONS),
    'repl-backlog-size': String(spec.replicationBacklogBytes ?? DEFAULT_BACKLOG_BYTES),
    'client-output-buffer-limit': `replica ${buffer.hardBytes} ${buffer.softBytes} ${buffer.softSeconds}`,
    'tracking-table-max-keys': String(spec.trackingTableMaxKeys),
    ...defragSettings(defrag),
    ...(spec.cluster ? publicSettings(spec.cluster) : {}),
  }
}

/** The engine takes any name for a host name, also an address; what it calls its address is for its own kind. */
function publicSettings({ publicHost }: ShardCluster): Settings {
  return {
    'cluster-announce-hostname': publicHost,
    'cluster-preferred-endpoint-type': publicHost === '' ? 'ip' : 'hostname',
  }
}

function defragSettings(defrag: ShardSpec['activeDefrag']): Settings {
  return {
    'active-defrag-cycle-min': String(defrag.cycleMinPercent),
    'active-defrag-cycle-max': String(defrag.cycleMaxPercent ?? DEFAULT_DEFRAG_CYCLE_MAX_PERCENT),
    'active-defrag-ignore-bytes': String(bytesOf(defrag.ignoreBytes)),
    'active-defrag-max-scan-fields': String(defrag.maxScanFields),
    'active-defrag-threshold-lower': String(defrag.thresholdLowerPercent),
    'active-defrag-threshold-upper': String(defrag.thresholdUpperPercent),
    activedefrag: defrag.enabled ? 'yes' : 'no',
  }
}

export function persistenceSettings(persistence: Persistence): Settings {
  return {
    appendfsync: persistence.kind === 'aof' ? persistence.fsync : 'everysec',
    appendonly: persistence.kind === 'aof' ? 'yes' : 'no',
    save:
      persistence.kind === 'snapshot'
        ? persistence.rules.map(({ seconds, writes }) => `${seconds} ${writes}`).join(' ')
        : '',
  }
}

/** How CONFIG GET reports a setting, in the form that we ask for it. */
export function reportedSetting(name: string, value: string): string {
  if (name !== 'client-output-buffer-limit') return value
  return `replica ${/(?:slave|replica) (\d+ \d+ \d+)/.exec(value)?.[1] ?? ''}`
}

/** `tls`: what has to be known about it at the start already. */
export function configurationText(
  spec: ShardSpec,
  persistence: Persistence,
  folder: ShardFolder,
  tls: Settings = {},
): string {
  const settings = { ...listenSettings(spec), ...plainSettings(spec), ...persistenceSettings(persistence) }
  const live = Object.entries(settings).flatMap(([name, value]) => (name in tls ? [] : fileDirectives(name, value)))
  return renderConfiguration([...fixedDirectives(spec, folder), ...live, ...Object.entries(tls)])
}

/** What is the same for every shard, or cannot change while it runs. */
function fixedDirectives(spec: ShardSpec, folder: ShardFolder): Directive[] {
  const hardening: Directive[] = [
    ['enable-debug-command', 'no'],
    ['enable-module-command', 'no'],
    ['enable-protected-configs', 'no'],
  ]
  return [
    ['daemonize', 'no'],
    // The command line keeps the path of this file, by which the process is recognised.
    ['set-proc-title', 'no'],
    ['dir', folder.path],
    ['logfile', NAMES.log],
    ['dbfilename', NAMES.dump],
    ['appendfilename', NAMES.aof],
    ['aclfile', folder.users],
    // Relative, so that the kernel's limit for such names does not limit the data folder's.
    ['unixsocket', NAMES.socket],
    ['unixsocketperm', '700'],
    // It is reachable where `bind` says, and every account is written down: nothing is left for this mode to guess.
    ['protected-mode', 'no'],
    ['databases', '16'],
    ['aof-load-truncated', 'yes'],
    // A replica that asks is served at once: there are no others worth waiting for.
    ['repl-diskless-sync-delay', '0'],
    ...(majorOf(spec.engine.version) >= 7 ? hardening : []),
    ...(spec.cluster ? clusterDirectives(spec.cluster) : []),
    // HELLO is the only way into RESP3, and no ACL rule reaches it: it is open to clients that have not logged in yet.
    ...(spec.allowsResp3 ? [] : [['rename-command', 'HELLO', ''] satisfies Directive]),
  ]
}

/** Its own ways of healing stay on: they are for the time when nobody of us is there. */
function clusterDirectives({ ports }: ShardCluster): Directive[] {
  return [
    ['cluster-enabled', 'yes'],
    ['cluster-config-file', NAMES.cluster],
    ['cluster-port', String(ports.bus)],
    ['cluster-announce-ip', INTERNAL_HOST],
    ['cluster-node-timeout', String(CLUSTER_NODE_TIMEOUT_MS)],
    // A shard that is away fails the commands of its own slots, and no others.
    ['cluster-require-full-coverage', 'no'],
    // A shard whose slots have all left is about to be removed, and is nobody's replica.
    ['cluster-allow-replica-migration', 'no'],
  ]
}

function fileDirectives(name: string, value: string): Directive[] {
  if (name !== 'save') return [[name, ...value.split(' ')]]
  // The first line clears the engine's defaults; a rule to a line is what every version reads.
  const rules = value.match(/\d+ \d+/g) ?? []
  return [['save', ''], ...rules.map((rule): Directive => ['save', ...rule.split(' ')])]
}

const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: 1e3,
  kb: 1024,
  m: 1e6,
  mb: 1024 ** 2,
  g: 1e9,
  gb: 1024 ** 3,
}

/** `100mb`, as the engine reads it. */
function bytesOf(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+)([a-z]*)$/i.exec(text) ?? []
  return Number(digits) * (UNITS[unit.toLowerCase()] ?? Number.NaN)
}
