/**
 * The vocabulary between the planner and the agents: what a shard should be (ShardSpec), what an agent sees of it
 * (ObservedShard), and what an agent can be told to do (Step). Plain data, so that a plan can be compared, logged,
 * sent to another machine and replayed. Every step may be applied any number of times with the same effect.
 */

import type { CertificateSubject, SubjectValidation } from '#model/certificate-subject.ts'
import type { ShardPorts } from '#model/documents/database.ts'
import type { SlotRange } from '#model/slots.ts'

export type Persistence =
  | { readonly kind: 'none' }
  | { readonly kind: 'snapshot'; readonly rules: readonly { readonly seconds: number; readonly writes: number }[] }
  | { readonly kind: 'aof'; readonly fsync: 'everysec' | 'always' }

/**
 * One account of the engine. `passwordHashes` are lower-case hex SHA-256; null means that any password will do.
 * `rules` are ACL rules in the engine's own words without passwords and on/off, e.g. `~* &* +@all -shutdown`.
 */
export type EngineUser = {
  readonly name: string
  readonly enabled: boolean
  readonly passwordHashes: readonly string[] | null
  readonly rules: readonly string[]
}

export type ActiveDefrag = {
  readonly enabled: boolean
  /** null: the engine's own default. */
  readonly cycleMaxPercent: number | null
  readonly cycleMinPercent: number
  /** A number of bytes as the engine reads it: `100mb`. */
  readonly ignoreBytes: string
  readonly maxScanFields: number
  readonly thresholdLowerPercent: number
  readonly thresholdUpperPercent: number
}

/**
 * What a process is to the others of its group. `term` grows with every change of primary: an order of an older term is
 * refused where it would take effect. A replica that is not one of several shards listens nowhere, and follows whoever
 * holds the endpoint's port.
 */
export type ShardRole =
  | { readonly kind: 'primary'; readonly term: number; readonly isReplicated: boolean }
  | { readonly kind: 'replica'; readonly term: number; readonly of: { readonly host: string; readonly port: number } }

/** How a process speaks TLS, to applications and to the others of its shard. */
export type ShardTls = {
  /** Lower-case hex SHA-256 of the certificate in PEM: by this name the agent has it, and its key. */
  readonly certificate: string
  /** A port of its own beside `listen`, which stays in the clear; null: `listen` speaks TLS. 0: nowhere. */
  readonly port: number | null
  /** Whether a client must show a certificate. */
  readonly asksClients: boolean
  /** PEM of everybody who is trusted, clients and the primary; empty: nobody but its own certificate. */
  readonly trusted: string
  /** `TLSv1.2 TLSv1.3` */
  readonly protocols: string
  /** As OpenSSL writes them; empty: its own choice. */
  readonly ciphers: string
  readonly cipherSuites: string
}

/** Of one of several shards, which together are the engine's own cluster. */
export type ShardCluster = {
  readonly ports: ShardPorts
  /** What cluster clients are told to connect to; empty: nobody but the proxy is to. */
  readonly publicHost: string
}

/** What a replica may have waiting for it where nobody says: the engine's own default. */
export const DEFAULT_REPLICA_BUFFER = { hardBytes: 256 * 1024 * 1024, softBytes: 64 * 1024 * 1024, softSeconds: 60 }

/** Everything one engine process needs to know. Two equal specs are the same process; the order of keys is fixed. */
export type ShardSpec = {
  readonly uid: number
  readonly databaseUid: number
  /** The `generation` of the database document this spec was made from. */
  readonly generation: number
  readonly engine: { readonly name: 'redis' | 'valkey'; readonly version: string }
  readonly role: ShardRole
  /** null: it is alone. */
  readonly cluster: ShardCluster | null
  /** Applications are let in. Otherwise those that are there are sent away, and no account can log in. */
  readonly takesClients: boolean
  /** Where applications connect; port 0: nowhere. */
  readonly listen: { readonly host: string; readonly port: number }
  /** null: it speaks in the clear. */
  readonly tls: ShardTls | null
  /** 0: no limit. */
  readonly memoryLimitBytes: number
  readonly evictionPolicy: string
  readonly persistence: Persistence
  /** Connections that applications may open, 0: as many as the engine can. The agent adds what it needs for itself. */
  readonly maxConnections: number
  readonly activeDefrag: ActiveDefrag
  /** null: the agent's choice. */
  readonly replicationBacklogBytes: number | null
  readonly replicaOutputBuffer: {
    readonly hardBytes: number
    readonly softBytes: number
    readonly softSeconds: number
  } | null
  /** 0: no limit. */
  readonly trackingTableMaxKeys: number
  readonly users: readonly EngineUser[]
  /** Whether clients may switch to RESP3. */
  readonly allowsResp3: boolean
  /** Close the connections of a user that loses a password. */
  readonly disconnectOnPasswordRemoval: boolean
  /** How often the database was told to flush; the agent flushes when it has recorded fewer. */
  readonly flushes: number
}

export type ShardState =
  /** A folder is there but no process, and nothing is known of how it ended. */
  | 'stopped'
  /** The process is there, its control socket does not answer yet. */
  | 'starting'
  /** It reads its data from disk. */
  | 'loading'
  | 'running'
  /** The process ended although nobody told it to, or never came up. */
  | 'exited'

/** What one of several shards knows of itself and of the others. */
export type ClusterView = {
  /** How the engines name it; it stays the same for as long as its folder is there. */
  readonly nodeId: string
  /** It takes commands for the slots that it has. */
  readonly isServing: boolean
  /** Its own. */
  readonly slots: readonly SlotRange[]
  /** Those that nobody has, as far as it knows. */
  readonly unowned: readonly SlotRange[]
  readonly moving: readonly { readonly slot: number; readonly kind: 'to' | 'from'; readonly nodeId: string }[]
  /** The node that it follows; null: nobody. */
  readonly follows: string | null
  /** Every node that it knows, itself among them. */
  readonly peers: readonly string[]
  /** Two that have the same know of the same owner for every slot. */
  readonly mapDigest: string
}

export type ObservedShard = {
  readonly uid: number
  readonly databaseUid: number
  readonly state: ShardState
  readonly pid: number | null
  /** Observed, never dictated: the engine says who is primary. */
  readonly role: 'primary' | 'replica' | null
  /** A replica that follows, and is in step with, its primary. */
  readonly isLinked: boolean
  /** When a process that was linked last lost its primary, in milliseconds since the epoch; null: never in its life. */
  readonly linkLostAt: number | null
  /** Of a primary: how many replicas it sends every write to; what it last said, also after its end. */
  readonly onlineReplicas: number
  /** The term in which it last held all data, as primary or as a replica in step; null: never. */
  readonly completeTerm: number | null
  readonly engineVersion: string | null
  /** What it said last, also before its end; null: it has not, or is alone. */
  readonly cluster: ClusterView | null
  /** Milliseconds since the epoch at which it was first seen without hash slots; null: it has some, or is alone. */
  readonly withoutSlotsSince: number | null
  /** The spec that the process was last started or configured with, as far as that went. */
  readonly spec: ShardSpec | null
  /** `specDigest` of the spec that this process runs with in full; null: not known, apply it again. */
  readonly specDigest: string | null
  readonly flushes: number
  readonly loadingPercent: number | null
  /** It was killed for a drill, when its replica had everything. */
  readonly diedInDrill: boolean
  /** What the engine said last, one line, when it exited. */
  readonly lastWords: string | null
  /** Milliseconds since the epoch at which `state` was entered. */
  readonly since: number
}

/** Of which a proxy is the subject, and not a shard. */
export type EndpointStep =
  /** The node's proxy serves the endpoint as the spec says, and drops no client that it has. */
  | { readonly kind: 'open-endpoint'; readonly endpoint: EndpointSpec }
  | { readonly kind: 'close-endpoint'; readonly databaseUid: number }

export type Step = ShardStep | EndpointStep

export type ShardStep =
  /**
   * Folder, configuration, process; ends when it answers or has begun to load its data. `discardsData`: with nothing of
   * what is in its folder.
   */
  | { readonly kind: 'start-shard'; readonly spec: ShardSpec; readonly discardsData?: boolean }
  /** Applies the spec to the running process without a restart. */
  | { readonly kind: 'configure-shard'; readonly spec: ShardSpec }
  /** Saves, stops and starts again with the spec; loses no data, whatever the persistence. */
  | { readonly kind: 'restart-shard'; readonly spec: ShardSpec }
  /**
   * Makes a primary let go: it takes no write any more, waits until its successor has every one of them, closes the
   * endpoint's port and follows. Done, or as it was before. `dies`: for a drill its process is killed instead, and whatever
   * comes then is what would come of a crash.
   */
  | ({
      readonly kind: 'yield-shard'
      readonly shardUid: number
      readonly successorUid: number
      readonly dies: boolean
    } & UnheardSlots)
  /** Makes a replica the primary: it stops following, and takes over the endpoint's port, or the slots. */
  | ({ readonly kind: 'promote-shard'; readonly spec: ShardSpec } & UnheardSlots)
  | { readonly kind: 'flush-shard'; readonly spec: ShardSpec }
  /** `save`: what the persistence promises is on disk before the process ends. */
  | { readonly kind: 'stop-shard'; readonly shardUid: number; readonly save: boolean }
  /** Ends the process and removes its folder with all data. */
  | { readonly kind: 'remove-shard'; readonly shardUid: number }
  | ClusterStep

/**
 * Of a cluster: what a replica that takes over may not have heard of. `moving`: slots that were on their way from or to its
 * predecessor, in the words of its own view. `elsewhere`: those that others have.
 */
export type UnheardSlots = {
  readonly moving: ClusterView['moving']
  readonly elsewhere: readonly SlotRange[]
}

/** Where another shard is found. */
export type ShardAddress = {
  readonly shardUid: number
  readonly nodeId: string
  readonly host: string
  readonly ports: ShardPorts
}

/** What makes a cluster of several shards, in the engine's own ways. */
export type ClusterStep =
  /** Takes slots that nobody has. */
  | { readonly kind: 'assign-slots'; readonly shardUid: number; readonly slots: readonly SlotRange[] }
  /** Makes others known to it, and through it to everybody. */
  | { readonly kind: 'meet-shards'; readonly shardUid: number; readonly others: readonly ShardAddress[] }
  /** Follows the primary with this node id. */
  | { readonly kind: 'follow-shard'; readonly shardUid: number; readonly nodeId: string }
  | { readonly kind: 'forget-shards'; readonly shardUid: number; readonly nodeIds: readonly string[] }
  /** Moves slots with their keys to another shard, as many as a moment allows; the rest is another step. */
  | {
      readonly kind: 'move-slots'
      readonly shardUid: number
      readonly to: ShardAddress
      readonly slots: readonly SlotRange[]
    }
  /** Ends what it still believes to be on its way. */
  | { readonly kind: 'close-slots'; readonly shardUid: number; readonly slots: readonly SlotRange[] }

/** How an endpoint speaks TLS with clients, and whom of them it lets in. */
export type EndpointTls = Pick<ShardTls, 'certificate' | 'ciphers' | 'cipherSuites'> & {
  readonly minVersion: '1.2' | '1.3'
  /** null: clients need not show a certificate. */
  readonly clients: {
    /** PEM of those who may come, or of those who have signed them. */
    readonly trusted: readonly string[]
    readonly validation: SubjectValidation
    readonly subjects: readonly CertificateSubject[]
  } | null
}

/** What the proxy serves for one database: a single endpoint before all of its shards, or before the one it has. */
export type EndpointSpec = {
  readonly databaseUid: number
  readonly listen: { readonly host: string; readonly port: number }
  /** null: it speaks in the clear. */
  readonly tls: EndpointTls | null
  readonly shards: readonly { readonly host: string; readonly port: number; readonly slots: readonly SlotRange[] }[]
  /** Everything is handed on to whoever listens here, unread, and there are no `shards`; null: by slot. */
  readonly relay: { readonly host: string; readonly port: number } | null
  /** The certificate by which the proxy and the processes know each other; null: they speak in the clear. */
  readonly internode: string | null
  /** Clients need no password. */
  readonly isOpen: boolean
  /** Another whenever accounts or passwords change. */
  readonly accountsDigest: string
  /** 0: no limit. */
  readonly maxConnections: number
  readonly maxClientPipeline: number
  /** Clients may ask it where the shards are. */
  readonly speaksCluster: boolean
  /** Slots are on their way. Told that they are not any more, the proxy answers when it knows where they all are. */
  readonly isMoving: boolean
}

export type ObservedEndpoint = {
  readonly databaseUid: number
  /** `endpointDigest` of what the proxy serves; null: nothing yet. */
  readonly digest: string | null
  /** Why it cannot serve; empty: it does. */
  readonly problem: string
  /** It was told that slots are on their way. */
  readonly isMoving: boolean
}
