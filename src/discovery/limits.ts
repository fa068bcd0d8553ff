/**
 * Every bound of the discovery service, with its reason: anybody who reaches its port may ask, so nobody may take much.
 */

/** Connections in all; at some 10 kB each. One more closes the one that has been silent the longest. */
export const MAX_CONNECTIONS = 4_096
/** From one address: load balancers and hosts of many applications have one address for all of them. */
export const MAX_CONNECTIONS_EACH = 1_024
/** The longest honest request is a HELLO with names, or a SUBSCRIBE to a dozen channels. */
export const MAX_WORD_BYTES = 1_024
export const MAX_WORDS = 256
export const MAX_LINE_BYTES = 4_096
/** Channels and patterns of one client. Sentinel itself has some twenty channels. */
export const MAX_SUBSCRIPTIONS = 256
/** A client that is owed this much is not answered before it has read some of it. */
export const OUTPUT_PAUSE_BYTES = 256 * 1024
/** A subscriber that lets this much news pile up is closed. */
export const MAX_OUTPUT_BYTES = 1024 * 1024
/** Answered in one go before other clients have their turn. */
export const REQUESTS_PER_TURN = 64
/** Whoever has connected asks for something in this time; a request, once begun, is in by then too. */
export const REQUEST_MS = 30_000
/** Who has not subscribed to anything and says nothing for this long is closed: clients connect anew by themselves. */
export const IDLE_MS = 600_000
/** Subscribers say nothing for days. The kernel finds out which of them are gone. */
export const KEEP_ALIVE_MS = 60_000
export const HANDSHAKE_MS = 10_000
/** Another program has the port: perhaps not for long. */
export const LISTEN_AGAIN_MS = 5_000
