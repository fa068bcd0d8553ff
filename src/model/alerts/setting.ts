/**
 * Which alerts are on, and at which thresholds: the schemas of alert_settings and db_alerts_settings, made of the
 * catalogue, and what of them holds for one alert. Thresholds are strings on the wire.
 */
import type { Field } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import type { Problem } from '../problem.ts'
import { flag, objectOf, settings, text } from '../shapes.ts'
import { isObject } from '../values.ts'
import { ALERTS } from './catalogue.ts'
import { thresholdIn } from './evaluate.ts'
import type { AlertKind } from './kind.ts'

export type AlertSetting = { readonly enabled: boolean; readonly threshold: string }

/** As they are kept, by the name of the alert. */
type Kept = Readonly<Record<string, unknown>>

const THRESHOLD_MAX = 32

function described({ says, found, isRaised }: AlertKind): string {
  return isRaised ? `${says}.` : `Never raised. ${found}`
}

function withThreshold(kind: AlertKind): Field {
  return settings(
    {
      enabled: flag(kind.isOnByDefault, 'Whether the alert is on.'),
      threshold: text(kind.threshold?.preset ?? '', thresholdMeaning(kind), { maxLength: THRESHOLD_MAX }),
    },
    described(kind),
  )
}

function thresholdMeaning({ threshold }: AlertKind): string {
  return threshold ? `The number of ${threshold.unit} at which it is raised.` : 'It has none.'
}

/** Of the cluster and its nodes: without a threshold it is a mere switch. */
export const alertSettings = () =>
  settings(
    Object.fromEntries(
      [...ALERTS.cluster, ...ALERTS.node].map((kind) => [
        kind.name,
        kind.threshold ? withThreshold(kind) : flag(kind.isOnByDefault, described(kind)),
      ]),
    ),
    'Which alerts of the cluster and its nodes are on.',
  )

/** Of a database: all have both, whether or not the threshold means anything. */
export const DatabaseAlertSettings = objectOf(
  'db_alerts_settings',
  Object.fromEntries(ALERTS.bdb.map((kind) => [kind.name, withThreshold(kind)])),
)

/** What a caller got from a GET may be sent back: what an alert is at the moment is left out. */
const REPORTED = new Set(['state', 'severity', 'change_time', 'change_value'])

const parser = compileObject(DatabaseAlertSettings, { rules: [databaseAlertsProblem] })

export const databaseAlertsParser: ObjectParser = {
  parse: (input, mode, current) => parser.parse(isObject(input) ? withoutReported(input) : input, mode, current),
}

function withoutReported(input: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(input).map(([name, setting]) => [
      name,
      isObject(setting)
        ? Object.fromEntries(Object.entries(setting).filter(([member]) => !REPORTED.has(member)))
        : setting,
    ]),
  )
}

function databaseAlertsProblem(given: Kept): Problem | null {
  return settingsProblem(ALERTS.bdb, given, '')
}

/** A rule of the cluster object. */
export function alertSettingsProblem({ alert_settings: given }: Kept): Problem | null {
  return isObject(given) ? settingsProblem([...ALERTS.cluster, ...ALERTS.node], given, 'alert_settings.') : null
}

function settingsProblem(kinds: readonly AlertKind[], given: Kept, prefix: string): Problem | null {
  for (const kind of kinds) {
    if (!Object.hasOwn(given, kind.name) || !kind.threshold) continue
    const { enabled, threshold } = settingOf(kind, given)
    if (threshold === '' ? !enabled || !kind.isRaised : thresholdIn(threshold) !== null) continue
    const field = `${prefix}${kind.name}.threshold`
    const description = `${field} must be a number of ${kind.threshold.unit}, written as text: "80".`
    return { code: 'invalid_configuration', field, description }
  }
  return null
}

/** What holds for one alert, of what is kept for its object. */
export function settingOf(kind: AlertKind, kept: Kept | undefined): AlertSetting {
  const preset = { enabled: kind.isOnByDefault, threshold: kind.threshold?.preset ?? '' }
  const own = kept && Object.hasOwn(kept, kind.name) ? kept[kind.name] : undefined
  if (typeof own === 'boolean') return { ...preset, enabled: own }
  if (!isObject(own)) return preset
  const { enabled, threshold } = own
  return {
    enabled: typeof enabled === 'boolean' ? enabled : preset.enabled,
    threshold: typeof threshold === 'string' ? threshold : preset.threshold,
  }
}
