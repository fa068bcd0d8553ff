/**
 * The shard object of the API: one engine process, as it was seen at that moment. Nothing of it can be set.
 */
import { reported } from './field.ts'
import { amount, anything, objectOf, oneOf, percent, settings, text, uidOf, whole } from './shapes.ts'

export const SHARD_STATUSES = ['active', 'inactive', 'trimming'] as const

export const SHARD_DETAILED_STATUSES = [
  'busy',
  'down',
  'importing',
  'loading',
  'ok',
  'timeout',
  'trimming',
  'unknown',
] as const

const fields = {
  uid: reported(text('', 'The number of the shard, as text.')),
  bdb_uid: reported(uidOf('Its database.')),
  node_uid: reported(text('', 'Its node, as text.')),
  role: reported(oneOf(['master', 'slave'], 'master', 'Whether it takes writes or follows.')),
  assigned_slots: reported(text('', 'Its hash slots: 0-16383.')),
  status: reported(oneOf([...SHARD_STATUSES], 'inactive', 'Whether it serves.')),
  detailed_status: reported(oneOf([...SHARD_DETAILED_STATUSES], 'unknown', 'How it is, in more words.')),
  loading: reported(
    settings(
      {
        status: oneOf(['in_progress', 'idle'], 'idle', 'Whether it reads its data.'),
        progress: percent('How much of it, in percent.'),
      },
      'Reading its data from disk.',
    ),
  ),
  backup: reported(anything('Its part of a backup: progress and status; empty before the first.')),
  sync: reported(
    settings(
      {
        status: oneOf(['in_progress', 'idle', 'link_down'], 'idle', 'Whether it copies its primary.'),
        progress: whole(0, 'Bytes of the copy.'),
      },
      'Copying its primary.',
    ),
  ),
  bigstore_ram_weight: reported(amount(1, 'Its share of the memory of a database on flash.')),
  redis_info: reported(anything('What the engine says of itself.')),
  report_timestamp: reported(text('', 'When this was seen, UTC.')),
}

export const ShardObject = objectOf('shard', fields)
