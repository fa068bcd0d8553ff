/**
 * What can be asked for when a database is down and is to be recovered.
 */
import Type from 'typebox'
import { applied, refused } from '../field.ts'
import { compileObject } from '../parse.ts'
import { amount, flag, list, maybeText, objectOf, record, text } from '../shapes.ts'

export type RecoveryRequest = {
  readonly data_files?: readonly {
    readonly filename: string
    readonly node_uid?: string
    readonly shard_slots?: string
    readonly shard_uid?: string
  }[]
  readonly recover_without_data?: boolean
}

export const RecoveryRequestObject = objectOf('recovery', {
  data_files: applied(
    list(
      record({
        filename: text('', 'As the recovery plan has it.'),
        node_uid: Type.Optional(maybeText('On which node.')),
        shard_slots: Type.Optional(maybeText('For which slots.', { maxLength: 65_536 })),
        shard_uid: Type.Optional(maybeText('Of which shard.')),
        shard_role: Type.Optional(maybeText('What that is.')),
        last_modified: Type.Optional(amount(0, 'When it was written: seconds since 1970.')),
        size: Type.Optional(amount(0, 'Its bytes.')),
      }),
      'Which files to start from: those of the recovery plan.',
      1_000,
    ),
  ),
  recover_without_data: applied(flag(false, 'Processes that are down start without their data.')),
  ignore_errors: refused(flag(false, 'Go on with what can be read of a file that is damaged.'), {
    accepts: [false],
    why: 'An engine reads the whole of a file, or does not start; its own tools can mend one.',
  }),
})

export const recoveryParser = compileObject<RecoveryRequest>(RecoveryRequestObject)
