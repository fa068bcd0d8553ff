/**
 * The alert object of the API.
 */
import Type, { type Static } from 'typebox'
import { ChangeValue } from './document.ts'

export const AlertObject = Type.Object(
  {
    enabled: Type.Boolean({ description: 'Whether the alert is on.' }),
    state: Type.Boolean({ description: 'Whether it is raised.' }),
    threshold: Type.Optional(Type.String({ description: 'What the value is held against, where there is one.' })),
    severity: Type.Enum(['DEBUG', 'INFO', 'WARNING', 'ERROR', 'CRITICAL']),
    change_time: Type.String({ description: 'When it was last raised or cleared, or since when it never was, UTC.' }),
    change_value: ChangeValue,
  },
  { additionalProperties: false },
)
export type AlertObject = Static<typeof AlertObject>
