/**
 * How many may connect and what they may ask of a connection; and the tuning of a proxy, of which little means something
 * here: an unsharded database is served by its own process, and before several shards each thread of the proxy has one
 * connection to each shard for all clients of a user, and more for those whose commands wait.
 */
import { applied, kept, refused } from '../field.ts'
import { BYTES_MAX, flag, oneOf, text, whole } from '../shapes.ts'

const NO_TUNING = 'The proxy has no such setting.'
const SHARED = 'Each thread of the proxy has one connection to each shard for all clients of a user, whatever is set.'
const OWN = 'Connections of a client’s own are opened when its commands need them, and as many as do.'

export const connectionFields = {
  maxclients: applied(whole(10_000, 'Most connections that applications may have open.', { minimum: 1 })),
  max_connections: applied(whole(0, 'The same limit under its older name; 0: none; the smaller one holds.')),
  resp3: applied(flag(true, 'Whether connections may switch to RESP3.')),
  tracking_table_max_keys: applied(
    whole(1_000_000, 'Keys that are remembered for client-side caching; 0: as many as there are.', {
      maximum: BYTES_MAX,
    }),
  ),
  slave_buffer: applied(
    text('auto', 'Output buffer of a replica: auto, megabytes, or hard:soft:seconds.', { maxLength: 64 }),
  ),
  repl_backlog_size: applied(text('auto', 'Replication backlog: auto, or bytes.', { maxLength: 32 })),
  // Of several shards; an engine by itself has no such limit.
  max_client_pipeline: applied(
    whole(200, 'Most commands in the pipeline of a connection.', { minimum: 1, maximum: 2047 }),
  ),
  max_pipelined: kept(whole(2000, 'Most commands in the pipeline to a shard.', { minimum: 1 }), NO_TUNING),
  conns: refused(whole(5, 'Connections from the proxy to a shard.', { minimum: 1 }), { accepts: [5], why: SHARED }),
  conns_type: refused(oneOf(['per-thread', 'per-shard'], 'per-thread', 'What conns counts by.'), {
    accepts: ['per-thread'],
    why: SHARED,
  }),
  conns_global_maximum_dedicated: refused(whole(0, 'Most dedicated connections to shards; 0: no limit.'), {
    accepts: [0],
    why: OWN,
  }),
  conns_minimum_dedicated: refused(whole(2, 'Dedicated connections that are always held to a shard.'), {
    accepts: [2],
    why: OWN,
  }),
  sched_policy: kept(
    oneOf(['cmp', 'mru', 'spread', 'mnp'], 'cmp', 'Which connection to a shard is used next.'),
    NO_TUNING,
  ),
  link_sconn_on_full_request: kept(
    oneOf(['enabled', 'disabled', 'ssl_only'], 'disabled', 'Wait for a whole request before taking a connection.'),
    NO_TUNING,
  ),
  multi_commands_opt: kept(
    oneOf(['disabled', 'batch', 'auto'], 'auto', 'Send a transaction to its shard in one piece.'),
    NO_TUNING,
  ),
  partial_request_timeout_seconds: kept(whole(3, 'How long a request may stay incomplete.'), NO_TUNING),
  preemptive_drain_timeout_seconds: kept(whole(2, 'How long connections may drain before a shard goes.'), NO_TUNING),
  replica_sconns_on_demand: kept(
    oneOf(['enabled', 'disabled'], 'enabled', 'Connect to replicas only when needed.'),
    NO_TUNING,
  ),
  mkms: kept(
    flag(true, 'Allow commands whose keys are on several shards.'),
    'One shard has every key; before several, the proxy splits the commands that can be.',
  ),
}
