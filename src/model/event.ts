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
  },
  { additionalProperties: false },
)
export type EventObject = Static<typeof EventObject>

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
