/**
 * What of a database survives its process. `snapshot` without rules means one hour, one write: that is a rule of
 * creating and changing (`withSnapshotPolicy` in rules.ts), not a default, since other persistences have no snapshots.
 */
import { applied, kept } from '../field.ts'
import { BYTES_MAX, flag, list, oneOf, record, whole } from '../shapes.ts'

/** The reference says 300GB. */
const AOF_SIZE_BYTES = 300 * 1024 ** 3

const snapshotRule = record({
  secs: whole(3600, 'A snapshot is taken when this many seconds have passed …', { minimum: 1 }),
  writes: whole(1, '… and at least this many keys have changed.', { minimum: 1 }),
})

export const persistenceFields = {
  data_persistence: applied(
    oneOf(['disabled', 'snapshot', 'aof'], 'disabled', 'Nothing on disk, snapshots, or a log of every write.'),
  ),
  aof_policy: applied(
    oneOf(
      ['appendfsync-every-sec', 'appendfsync-always'],
      'appendfsync-every-sec',
      'How often the log is forced to disk: every second, or before each write is acknowledged.',
    ),
  ),
  snapshot_policy: applied(list(snapshotRule, 'When snapshots are taken; any of the rules suffices.', 100)),
  max_aof_file_size: kept(
    whole(AOF_SIZE_BYTES, 'Largest log of one shard, in bytes.', { maximum: BYTES_MAX }),
    'Engines rewrite their log by its growth, not at a size.',
  ),
  max_aof_load_time: kept(
    whole(3600, 'Longest that reading the log may take, in seconds.'),
    'No engine can bound the time that its log takes to read.',
  ),
  master_persistence: kept(
    flag(false, 'Persist the primary too when there are replicas.'),
    'The primary always persists as its replica does: it may have to come back alone.',
  ),
  recovery_wait_time: kept(
    whole(-1, 'How long recovery waits for the files of a database, in seconds; -1: for ever.', { minimum: -1 }),
    'The files are on the node of their shard: there is nothing to wait for.',
  ),
}
