/**
 * What happened to the cluster, as GET /v1/logs shows it and as audit.log keeps it: who did or tried what, from where, and
 * how it ended. Only `time`, `type` and `severity` are always there. It never holds a password, a token or a body.
 */
import Type, { type Static } from 'typebox'

export const EventObject = Type.Object(
  {
    time: Type.String({ description: 'When it happened, UTC.' }),
    type: Type.String({ description: 'The event type: bdb_created, user_updated, login_failed, …' }),
    severity: Type.Enum(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']),
    originator: Type.Optional(
      Type.String({ description: 'Who did it; of a failed login, the name that was claimed.' }),
    ),
    user_uid: Type.Optional(Type.Integer({ description: 'Who did it. Absent for who did not prove to be anybody.' })),
    remote_address: Type.Optional(Type.String({ description: 'Where the request came from.' })),
    method: Type.Optional(Type.String()),
    path: Type.Optional(Type.String({ description: 'The path, with the names of its parameters in braces.' })),
    action: Type.Optional(Type.String({ description: 'The action that the path names.' })),
    object_uid: Type.Optional(Type.String({ description: 'The uid that the path names, or that was given out.' })),
    bdb_uid: Type.Optional(Type.String({ description: 'The database that it is about.' })),
    bdb_name: Type.Optional(Type.String({ description: 'The name that this database had then.' })),
    node_uid: Type.Optional(Type.Integer({ description: 'The node that it is about.' })),
    permission: Type.Optional(Type.String({ description: 'What the request needed.' })),
    status: Type.Optional(Type.Integer({ description: 'The HTTP status of the answer.' })),
    error_code: Type.Optional(Type.String()),
    request_id: Type.Optional(Type.String({ description: 'The x-request-id of the answer.' })),
    description: Type.Optional(Type.String({ description: 'A sentence for people.' })),
    count: Type.Optional(Type.Integer({ description: 'How many this one stands for.' })),
    object: Type.Optional(Type.String({ description: 'What an alert is about: cluster, node:1, bdb:7.' })),
    state: Type.Optional(Type.Boolean({ description: 'Whether the alert is raised now.' })),
    enabled: Type.Optional(
      Type.Boolean({ description: 'Whether the alert is on; one that is switched off is cleared.' }),
    ),
    change_time: Type.Optional(Type.String({ description: 'When it was raised or cleared, UTC.' })),
    change_value: Type.Optional(
      Type.Record(Type.String(), Type.Unknown(), { description: 'What was found then, and the threshold.' }),
    ),
  },
  { additionalProperties: false },
)
export type EventObject = Static<typeof EventObject>

/** Without its time, which the log gives it; what is undefined is left out. */
export type NewEvent = Pick<EventObject, 'type' | 'severity'> & {
  readonly [Name in Exclude<keyof EventObject, 'time' | 'type' | 'severity'>]?: EventObject[Name] | undefined
}

/** Long enough for any name, and short enough for a thousand to fit on a screen. */
const LONGEST_WORD = 128

/**
 * Text that others have chosen, fit for one line of a log: bounded, and with what a terminal would obey or hide written
 * out as `\u{1b}`.
 */
export function harmless(text: string, longest: number = LONGEST_WORD): string {
  const shown = text.length > longest ? `${text.slice(0, longest)}…` : text
  return shown.replace(
    /[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu,
    (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`,
  )
}
