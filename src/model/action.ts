/**
 * Actions as the API shows them, in its two forms. The first sends progress and time as strings, as the original does.
 * Its error fields are there only when something failed.
 */
import Type from 'typebox'
import { reported } from './field.ts'
import { anything, maybeText, objectOf, oneOf, percent, settings, text, whole } from './shapes.ts'

/** What strict clients know; the object page of the reference has more words, which they do not. */
export const ACTION_V1_STATUSES = ['pending', 'active', 'completed', 'failed'] as const
export const ACTION_V2_STATUSES = ['queued', 'running', 'completed', 'failed'] as const

const WHEN_SET = { 'x-shown': 'when-set' } as const

export const ActionV1 = objectOf('action', {
  action_uid: reported(text('', 'The action.')),
  name: reported(text('', 'What is done.')),
  status: reported(oneOf([...ACTION_V1_STATUSES], 'pending', 'How far it is.')),
  progress: reported(text('0', 'The same in percent, as text.')),
  creation_time: reported(text('0', 'When it began: seconds since 1970, as text.')),
  node_uid: reported(text('', 'The node that sees to it.')),
  object_name: reported(text('', 'What it is done to: bdb:1.')),
  state: reported(text('', 'In words: what happens now, or what it waits for.')),
  task_id: reported(text('', 'The action under its older name.')),
  pending_ops: reported(anything('What is under way on each shard.')),
  error: reported(maybeText('Why it failed.'), WHEN_SET),
  error_code: reported(maybeText('The same as a code.'), WHEN_SET),
  error_message: reported(maybeText('The same in words.'), WHEN_SET),
})

/** The changes of a database, as /v1/actions lists them beside the actions. */
const machineFields = () => ({
  action_uid: reported(text('', 'The action.')),
  name: reported(text('', 'What is done.')),
  object_name: reported(text('', 'What it is done to: bdb:1.')),
  status: reported(oneOf([...ACTION_V1_STATUSES], 'pending', 'How far it is.')),
  state: reported(text('', 'In words: what happens now, or what it waits for.')),
  progress: reported(percent('How much of it is done, in percent.')),
  heartbeat: reported(whole(0, 'When it was last heard of: seconds since 1970.', { maximum: Number.MAX_SAFE_INTEGER })),
  error: reported(maybeText('Why it failed.'), WHEN_SET),
})

const StateMachine = objectOf('state-machine', machineFields())

export const DatabaseAction = objectOf('action of a database', {
  ...machineFields(),
  pending_ops: reported(anything('What is under way on each shard.')),
})

export const ActionList = Type.Object(
  { actions: Type.Array(ActionV1), 'state-machines': Type.Array(StateMachine) },
  { title: 'actions' },
)

export const ActionV2 = objectOf('action', {
  action_uid: reported(text('', 'The action.')),
  action_type: reported(oneOf(['task', 'state-machine', 'other'], 'state-machine', 'What kind of action it is.')),
  creation_time: reported(whole(0, 'When it began: seconds since 1970.', { maximum: Number.MAX_SAFE_INTEGER })),
  name: reported(text('', 'What is done.')),
  progress: reported(percent('How much of it is done, in percent.')),
  status: reported(oneOf([...ACTION_V2_STATUSES], 'queued', 'How far it is.')),
  additional_info: reported(
    settings(
      {
        description: text('', 'In words: what happens now, or what it waits for.'),
        error: maybeText('Why it failed.'),
        object_type: text('', 'What it is done to: bdb.'),
        object_uid: text('', 'The number of that, as text.'),
        failover: anything(
          'What a failover cost: who, why, after how many milliseconds, and whether writes may be lost.',
        ),
        pending_ops: anything('What is under way on each shard.'),
      },
      'What there is to say beyond that.',
    ),
  ),
})

/** What runs on a node, or on the cluster as one. */
export const RunningActions = Type.Object({ actions: Type.Array(ActionV1) }, { title: 'actions' })

/** How the shards of a node were placed before it was emptied. */
export const NodeSnapshot = objectOf('node snapshot', {
  name: reported(text('', 'What it is called.')),
  created_time: reported(text('', 'When it was made, UTC.')),
  node_uid: reported(text('', 'Of which node, as text.')),
})
