/**
 * Every bound of the proxy's data path, with its reason. Callers: everything in this room; what a database may set for
 * itself is `EndpointLimits`, and the configuration carries it.
 */
export type EndpointLimits = {
  /** Clients at a time, of this process; one more is told so and closed. */
  readonly maxConnections: number
  /** Requests of one client that wait for an answer; when reached, the client is not read until some have come. */
  readonly maxClientPipeline: number
  /** The bytes of a request that cannot be sent on before all of it has come. */
  readonly maxPartialRequestBytes: number
  /** Answers that one client does not read; more closes it, as the engine does. */
  readonly maxOutputBytes: number
}

export const DEFAULT_LIMITS: EndpointLimits = {
  maxConnections: 100_000,
  maxClientPipeline: 20_000,
  maxPartialRequestBytes: 64 * 1024 * 1024,
  maxOutputBytes: 256 * 1024 * 1024,
}

/** One read: large enough that a pipeline costs few system calls. Shared by all clients of a process. */
export const READ_BUFFER_BYTES = 64 * 1024
/** What a connection to a shard collects before it is one write. */
export const ARENA_BYTES = 64 * 1024
/** A reply that is cut by the end of a read is kept until it is whole, up to this size; a longer one is streamed. */
export const CARRY_BYTES = 16 * 1024
/** From here on a request is streamed over a connection of its own, so that nobody waits behind it. */
export const STREAM_REQUEST_BYTES = 256 * 1024
/** A client that is owed this much is not read, so that a slow reader cannot ask for ever more. */
export const OUTPUT_PAUSE_BYTES = 1024 * 1024
/** A connection to a shard that has this much unsent makes the clients that use it wait. */
export const BACKEND_PAUSE_BYTES = 4 * 1024 * 1024
/** Small answers are joined into one buffer: cheaper than a write of many parts. */
export const JOIN_BYTES = 16 * 1024
/** A node that does not take a connection in this time counts as away. */
export const CONNECT_TIMEOUT_MS = 2_000
/** A request that was not sent yet waits this long for its shard to come back, or for the slot map to change. */
export const UNSENT_WAIT_MS = 3_000
/** Between two attempts of such a request, and of one that was told TRYAGAIN. */
export const RETRY_PAUSE_MS = 20
/** Redirections of one request; the engine's own clients give up after as many. */
export const MAX_ATTEMPTS = 16
/** At most one look at the slot map per this time and endpoint. */
export const REFRESH_PAUSE_MS = 50
/** The slot map is looked at again even when nothing speaks against it: a failing node may still answer. */
export const REFRESH_EVERY_MS = 10_000
/** How long a verified name and password are believed without asking a shard again. */
export const VERIFIED_MS = 1_000
/** Idle connections kept per shard and user for transactions and blocking commands. */
export const MAX_IDLE_EXCLUSIVE = 16
/** Scripts that the proxy remembers, to bring them to a shard that does not know them. */
export const MAX_SCRIPTS = 1_000
export const MAX_SCRIPT_BYTES = 16 * 1024 * 1024
/** What one client has subscribed to is kept, so that its session ends with the last of it: names, and what each costs. */
export const MAX_SUBSCRIPTION_BYTES = 16 * 1024 * 1024
export const SUBSCRIPTION_OVERHEAD_BYTES = 64
/** Before a client is used without a password, the shards are asked whether that is allowed. */
export const CONTROL_TIMEOUT_MS = 2_000
/** A TLS handshake that takes longer is ended, whatever it waits for: a client's takes a few round trips. */
export const HANDSHAKE_TIMEOUT_MS = 10_000
/** Handshakes of one endpoint under way, at some 100 kB each; whoever comes then waits in line, in the same time. */
export const MAX_HANDSHAKES = 1_000
/** At most one line per this time and endpoint about clients that were not let in: they may come by the thousand. */
export const REFUSED_LOG_PAUSE_MS = 1_000
/** A client that is silent for so long is looked for by the kernel: like the engine's own `tcp-keepalive`. */
export const CLIENT_KEEPALIVE_MS = 300_000
/** Of a client whose bytes are handed on unread: silent for so long, it counts as in the middle of nothing. */
export const RELAY_IDLE_MS = 500
/** Once it is closed, such a client has this long to read what the process said last. */
export const LAST_WORDS_MS = 5_000
