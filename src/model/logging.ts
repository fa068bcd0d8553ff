/**
 * How much the control plane writes into its log; not in the original.
 */
import { applied } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { objectOf, oneOf } from './shapes.ts'

export const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export const LogSettings = objectOf('log_settings', {
  level: applied(oneOf([...LOG_LEVELS], 'info', 'What is less important is not written down.')),
})

const parser = compileObject(LogSettings)

export function logSettingsParser(): ObjectParser {
  return parser
}

/** `given`: the settings that were set. */
export function logLevelOf({ level }: Readonly<Record<string, unknown>>): LogLevel {
  return LOG_LEVELS.find((known) => known === level) ?? 'info'
}

export type LogRotation = { readonly fileBytes: number; readonly files: number; readonly maxAgeMs: number }

const UNITS: Readonly<Record<string, number>> = { k: 1024, M: 1024 ** 2, G: 1024 ** 3 }
const DAY_MS = 86_400_000

/** From `logrotate_settings` of the cluster; its schema has checked what is in there. */
export function logRotationOf({ maxage, maxsize, rotate }: Readonly<Record<string, unknown>>): LogRotation {
  const [, number = '200', unit = 'M'] = /^(\d+)([kMG])$/.exec(String(maxsize)) ?? []
  return {
    fileBytes: Number(number) * (UNITS[unit] ?? 1),
    files: (typeof rotate === 'number' ? rotate : 10) + 1,
    maxAgeMs: (typeof maxage === 'number' ? maxage : 7) * DAY_MS,
  }
}
