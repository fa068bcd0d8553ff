/**
 * Databases that take writes in several clusters at once. No open engine merges them, so that everything that would say
 * otherwise is refused; what only tunes it is kept.
 */
import { kept, refused } from '../field.ts'
import { flag, list, oneOf, text, whole } from '../shapes.ts'
import { SYNC_STATES, syncSource } from './sync-sources.ts'

export const NO_ACTIVE_ACTIVE =
  'Active-Active databases are not available: no open engine merges writes of several clusters.'
const why = NO_ACTIVE_ACTIVE
const NOT_ACTIVE = 'It tunes Active-Active databases, which are not available.'

export const activeActiveFields = {
  crdt: refused(flag(false, 'Take writes in several clusters at once.'), { accepts: [false], why }),
  crdt_causal_consistency: refused(flag(false, 'Keep the order of causes and effects.'), { accepts: [false], why }),
  crdt_config_version: refused(whole(0, 'Version of the set of replicas.'), { accepts: [0], why }),
  crdt_featureset_version: refused(whole(0, 'What all peers can do.'), { accepts: [0], why }),
  crdt_protocol_version: refused(whole(0, 'How peers talk.'), { accepts: [0], why }),
  crdt_replica_id: refused(whole(0, 'Which of the replicas this is.'), { accepts: [0], why }),
  crdt_ghost_replica_ids: refused(text('', 'Replicas that are gone.'), { accepts: [''], why }),
  crdt_guid: refused(text('', 'What all peers call the database.'), { accepts: [''], why }),
  crdt_modules: refused(text('[]', 'Modules of all peers, as a JSON list.'), { accepts: ['[]', ''], why }),
  crdt_replicas: refused(text('', 'The set of replicas.'), { accepts: [''], why }),
  crdt_sources: refused(
    list(syncSource(), 'The peers to copy from.', 1_000),
    { accepts: [[]], why },
    { 'x-secret': true },
  ),
  crdt_sync: refused(oneOf([...SYNC_STATES], 'disabled', 'Whether copying from peers goes on.'), {
    accepts: ['disabled'],
    why,
  }),
  crdt_repl_backlog_size: kept(text('auto', 'Backlog for peers: auto, or bytes.', { maxLength: 32 }), NOT_ACTIVE),
  crdt_sync_connection_alarm_timeout_seconds: kept(
    whole(0, 'Alarm when a peer cannot be reached for so long.'),
    NOT_ACTIVE,
  ),
  crdt_sync_dist: kept(flag(false, 'Copy from peers on every node at once.'), NOT_ACTIVE),
  crdt_syncer_auto_oom_unlatch: kept(flag(true, 'Go on by itself when memory ran out and is back.'), NOT_ACTIVE),
  crdt_xadd_id_uniqueness_mode: kept(
    oneOf(['liberal', 'strict', 'semi-strict'], 'strict', 'How unique the ids of stream entries are.'),
    NOT_ACTIVE,
  ),
  replication_oom_threshold_percent: kept(
    whole(5, 'Memory kept free for peers, in percent.', { maximum: 20 }),
    NOT_ACTIVE,
  ),
}
