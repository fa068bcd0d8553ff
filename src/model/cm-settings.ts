/**
 * The cm_settings object of the API: how the user interface shows times.
 */
import { applied } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import type { Problem } from './problem.ts'
import { objectOf, text } from './shapes.ts'

export const CmSettings = objectOf('cm_settings', {
  timezone: applied(text('UTC', 'Time zone in which times are shown to people, as in US/Pacific.', { maxLength: 64 })),
})

const parser = compileObject(CmSettings, { rules: [timezoneProblem] })

export function cmSettingsParser(): ObjectParser {
  return parser
}

function timezoneProblem({ timezone }: Readonly<Record<string, unknown>>): Problem | null {
  if (timezone === undefined || isTimezone(String(timezone))) return null
  const description = `timezone must be a name of the IANA time zone database, such as UTC or Europe/Berlin; ${JSON.stringify(String(timezone).slice(0, 40))} is none.`
  return { code: 'invalid_configuration', field: 'timezone', description }
}

function isTimezone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
