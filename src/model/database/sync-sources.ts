/**
 * Being a replica of a database elsewhere ("Replica Of"). Sources are refused until something copies from them; the
 * tuning of the copying is kept.
 */
import Type from 'typebox'
import { kept, refused, reported } from '../field.ts'
import { BYTES_MAX, flag, list, oneOf, PEM_MAX, record, settings, text, whole } from '../shapes.ts'

const why = 'Copying from another database is not available yet.'
const NO_SYNC = 'Nothing is copied from other databases yet.'

export const SYNC_STATES = ['enabled', 'disabled', 'paused', 'stopped'] as const

const PEM = { maxLength: PEM_MAX }

/** Also what an Active-Active database has for its peers. */
export const syncSource = () =>
  record({
    uid: Type.Optional(whole(0, 'Number of the source.')),
    uri: Type.Optional(text('', 'Where it is: redis://user:password@host:port.')),
    compression: Type.Optional(whole(0, 'How hard the link compresses.', { maximum: 6 })),
    encryption: Type.Optional(flag(false, 'Whether the link is encrypted.')),
    client_cert: Type.Optional(text('', 'Our certificate for it.', PEM)),
    client_key: Type.Optional(text('', 'The key of that certificate.', PEM)),
    server_cert: Type.Optional(text('', 'The certificate that it must have.', PEM)),
    replication_tls_sni: Type.Optional(text('', 'The server name to ask it for.')),
    status: Type.Optional(reported(text('', 'How far it is in sync.'))),
    lag: Type.Optional(reported(whole(0, 'How far it is behind, in milliseconds.'))),
    last_error: Type.Optional(reported(text('', 'What went wrong last.'))),
    last_update: Type.Optional(reported(text('', 'When it was heard of last.'))),
    rdb_size: Type.Optional(reported(whole(0, 'Bytes of its snapshot.', { maximum: BYTES_MAX }))),
    rdb_transferred: Type.Optional(reported(whole(0, 'Bytes of its snapshot that are here.', { maximum: BYTES_MAX }))),
  })

const LIMIT = { minimum: -1 }

const gradualLimits = settings(
  {
    src_endpoint_limit: whole(1, 'Sources at a time; -1: no limit.', LIMIT),
    dst_endpoint_limit: whole(-1, 'Endpoints here at a time; -1: no limit.', LIMIT),
    dst_shard_limit: whole(-1, 'Shards here at a time; -1: no limit.', LIMIT),
    src_node_limit: whole(-1, 'Nodes of the source at a time; -1: no limit.', LIMIT),
  },
  'Limits of the custom policy of gradual copying.',
)

export const syncSourceFields = {
  replica_sources: refused(
    list(syncSource(), 'The databases to copy from.', 1_000),
    { accepts: [[]], why },
    { 'x-secret': true },
  ),
  replica_sync: refused(oneOf([...SYNC_STATES], 'disabled', 'Whether copying goes on.'), {
    accepts: ['disabled'],
    why,
  }),
  sync_sources: refused(
    list(syncSource(), 'The same under its older name.', 1_000),
    { accepts: [[]], why },
    { 'x-secret': true, deprecated: true },
  ),
  sync: refused(
    oneOf([...SYNC_STATES], 'disabled', 'The same under its older name.'),
    { accepts: ['disabled'], why },
    { deprecated: true },
  ),
  replica_read_only: refused(
    flag(false, 'Let applications only read a database that copies another.'),
    { accepts: [false], why },
    { 'x-create-only': true },
  ),
  replica_sync_connection_alarm_timeout_seconds: kept(
    whole(0, 'Alarm when a source cannot be reached for so long.'),
    NO_SYNC,
  ),
  replica_sync_dist: kept(flag(false, 'Copy on every node at once.'), NO_SYNC),
  sync_dedicated_threads: kept(whole(5, 'Threads that copy.', { maximum: 10 }), NO_SYNC),
  syncer_log_level: kept(
    oneOf(['crit', 'error', 'warn', 'info', 'trace', 'debug'], 'info', 'How much the copying logs.'),
    NO_SYNC,
  ),
  syncer_mode: reported(oneOf(['distributed', 'centralized'], 'centralized', 'Whether one node copies, or several.')),
  support_syncer_reconf: kept(flag(false, 'Change the copying without restarting it.'), NO_SYNC),
  generate_text_monitor: kept(flag(false, 'Log how the copying goes.'), NO_SYNC),
  gradual_src_mode: kept(oneOf(['enabled', 'disabled'], 'disabled', 'Copy from few sources at a time.'), NO_SYNC, {
    deprecated: true,
  }),
  gradual_src_max_sources: kept(whole(1, 'From how many.', { minimum: 1 }), NO_SYNC),
  gradual_sync_mode: kept(
    oneOf(['enabled', 'disabled', 'auto'], 'auto', 'Copy from few shards of a source at a time.'),
    NO_SYNC,
    { deprecated: true },
  ),
  gradual_sync_max_shards_per_source: kept(whole(1, 'From how many.', { minimum: 1 }), NO_SYNC, { deprecated: true }),
  gradual_sync_policy: kept(
    oneOf(
      ['default', 'non-gradual', 'migration', 'replica', 'active-active', 'custom'],
      'default',
      'How much is copied at a time.',
    ),
    NO_SYNC,
  ),
  gradual_sync_policy_parameters: kept(gradualLimits, NO_SYNC),
}
