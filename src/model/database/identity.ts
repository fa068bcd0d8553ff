/**
 * What a database is called, what it is, and how it is doing.
 */
import Type from 'typebox'
import { applied, kept, refused, reported } from '../field.ts'
import { anything, flag, list, oneOf, percent, record, text, uidOf, whole } from '../shapes.ts'

/** The statuses that clients know; no other ever leaves. */
export const DATABASE_STATUSES = [
  'pending',
  'active',
  'active-change-pending',
  'delete-pending',
  'import-pending',
  'creation-failed',
  'recovery',
] as const

const tag = record({
  key: text('', 'What the tag says something about; unique on the database.'),
  value: text('', 'What it says.'),
  isSystem: Type.Optional(reported(flag(false, 'Whether the cluster set the tag itself; ignored when sent.'))),
})

const operation = record({
  status: text('idle', 'Whether something is under way.'),
  name: Type.Optional(text('', 'What is under way.')),
  error: Type.Optional(anything('Why it failed.')),
  progress: Type.Optional(percent('How much of it is done, in percent.')),
})

export const identityFields = {
  uid: applied(uidOf('The number of the database in its cluster; given out when left open.'), {
    'x-create-only': true,
  }),
  name: applied(text('', 'The name people call it by: letters, digits and hyphens.')),
  type: refused(oneOf(['redis', 'memcached'], 'redis', 'Which protocol it speaks.'), {
    accepts: ['redis'],
    why: 'Databases that speak the memcached protocol are not available; use redis.',
  }),
  redis_version: applied(
    text('', 'Version of the engine, such as 7.0; the newest that is installed when left open.', { maxLength: 40 }),
    { 'x-create-only': true },
  ),
  version: reported(text('', 'Full version of the engine that serves the database.')),
  tags: applied(list(tag, 'Keys and values by which people and tools find the database again.', 1_000)),
  status: reported(oneOf([...DATABASE_STATUSES], 'pending', 'Where in its life the database is.')),
  action_uid: reported(text('', 'The action that is under way; empty when none is.')),
  background_op: reported(
    Object.assign(list(operation, 'What is under way, in the older form; see the actions instead.'), {
      default: [{ status: 'idle' }],
    }),
    { deprecated: true },
  ),
  created_time: reported(text('', 'When it was created, UTC.')),
  last_changed_time: reported(text('', 'When its configuration last changed, UTC.')),
  wait_command: reported(flag(true, 'Whether the WAIT command works.')),
  traffic_manually_disabled: reported(flag(false, 'Whether somebody stopped its traffic.')),
  account_id: kept(whole(0, 'Number of an account outside the cluster.'), 'It means nothing to the cluster itself.'),
  auto_upgrade: refused(flag(false, 'Upgrade the engine when the cluster is upgraded.'), {
    accepts: [false],
    why: 'Engines are not upgraded by themselves.',
  }),
  email_alerts: applied(flag(false, 'Send mail about the alerts of this database.')),
  internal: refused(flag(false, 'A database that the cluster uses for itself.'), {
    accepts: [false],
    why: 'The cluster keeps its own state elsewhere.',
  }),
  metrics_export_all: kept(
    flag(false, 'Export the metrics of every shard one by one.'),
    'The metrics of every shard are always exported: which of them the original leaves out without it is not documented.',
  ),
}
