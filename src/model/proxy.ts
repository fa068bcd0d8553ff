/**
 * The proxy object of the API: the program of a node that makes a sharded database one server to its clients.
 */
import { applied, kept, refused, reported } from './field.ts'
import { compileObject, defaultsOf, type ObjectParser } from './parse.ts'
import { BYTES_MAX, flag, objectOf, oneOf, uidOf, whole } from './shapes.ts'

const MACHINE = 'The limits of the machine count.'
const FIXED_THREADS = 'The number of threads stays as it is set.'
const KEEPALIVE = 'The kernel looks for a client after 300 s of silence, as engines have it.'
const NO_ADMISSION = 'Clients are let in as fast as they come; max_connections of a database limits how many.'
const OWN_LIMITS = 'What a database has as its limits counts always.'

const threads = { minimum: 1, maximum: 256 }

const fields = {
  uid: reported(uidOf('The number of its node.')),
  threads: applied(whole(1, 'Its processes that serve clients.', threads)),
  max_threads: kept(whole(64, 'Most threads.', threads), FIXED_THREADS),
  dynamic_threads_scaling: refused(flag(false, 'Whether the number of threads follows the load.'), {
    accepts: [false],
    why: FIXED_THREADS,
  }),
  threads_usage_threshold: kept(
    whole(80, 'Percent of a thread from which on there are more.', { minimum: 50, maximum: 99 }),
    FIXED_THREADS,
  ),
  duration_usage_threshold: kept(whole(30, 'Seconds of that.', { minimum: 10, maximum: 300 }), FIXED_THREADS),
  backlog: kept(whole(4_096, 'Clients that may wait to be let in.'), 'It asks the kernel for 4,096, whatever is set.'),
  client_keepcnt: kept(whole(6, 'Probes of a silent client.'), KEEPALIVE),
  client_keepidle: kept(whole(300, 'Seconds of silence before the first probe.'), KEEPALIVE),
  client_keepintvl: kept(whole(30, 'Seconds between probes.'), KEEPALIVE),
  conns: kept(whole(500_000, 'Most connections.'), MACHINE),
  max_listeners: kept(whole(1_024, 'Most endpoints.'), MACHINE),
  max_servers: kept(whole(4_096, 'Most shards.'), MACHINE),
  max_worker_client_conns: kept(whole(16_384, 'Most clients of a thread.'), MACHINE),
  max_worker_server_conns: kept(whole(16_384, 'Most connections of a thread to shards.'), MACHINE),
  max_worker_txns: kept(whole(65_536, 'Most requests under way in a thread.'), MACHINE),
  ignore_bdb_cconn_limit: refused(flag(false, 'Whether max_connections of databases means nothing.'), {
    accepts: [false],
    why: OWN_LIMITS,
  }),
  ignore_bdb_cconn_output_buff_limits: refused(flag(false, 'Whether clients may be owed any number of bytes.'), {
    accepts: [false],
    why: OWN_LIMITS,
  }),
  incoming_connections_capacity: refused(whole(0, 'Most clients that come at once; 0: no limit.'), {
    accepts: [0],
    why: NO_ADMISSION,
  }),
  incoming_connections_rate_limit: refused(whole(0, 'Most clients that come in a second; 0: no limit.'), {
    accepts: [0],
    why: NO_ADMISSION,
  }),
  incoming_connections_min_capacity: kept(whole(10, 'How many may come again after that was too many.'), NO_ADMISSION),
  client_eviction: applied(flag(true, 'Whether clients are closed when all of them need too much memory.')),
  maxmemory_clients: applied(
    whole(4_294_967_296, 'Bytes that are too much for all clients of sharded databases.', {
      minimum: 1_048_576,
      maximum: BYTES_MAX,
    }),
  ),
  log_level: kept(
    oneOf(['crit', 'error', 'warn', 'info', 'trace', 'debug'], 'info', 'How much is logged.'),
    'It logs what goes wrong, and nothing else.',
  ),
}

export const ProxyObject = objectOf('proxy', fields)

const parser = compileObject(ProxyObject)

export function proxyParser(): ObjectParser {
  return parser
}

/** What all clients of a proxy may need together, in bytes; null: any amount. `settings`: what was set of it. */
export function clientMemoryOf(settings: Readonly<Record<string, unknown>> = {}): number | null {
  const { client_eviction: isLimited, maxmemory_clients: bytes } = { ...defaultsOf(ProxyObject), ...settings }
  return isLimited ? Number(bytes) : null
}

/** Clients come and go on every core that the shards leave free. */
const SHARE_OF_CORES = 4

/** `settings`: what was set of it. */
export function proxyThreadsOf(settings: Readonly<Record<string, unknown>> | undefined, cores: number): number {
  const { threads: wanted } = settings ?? {}
  return typeof wanted === 'number' ? wanted : Math.max(1, Math.floor(cores / SHARE_OF_CORES))
}
