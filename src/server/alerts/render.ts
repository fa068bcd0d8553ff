/**
 * Alerts as the API shows them: what is set, and how they stand.
 */
import { ALERTS } from '#model/alerts/catalogue.ts'
import { settingIn } from '#model/alerts/kept.ts'
import type { AlertKind } from '#model/alerts/kind.ts'
import { CLUSTER, parseObject } from '#model/alerts/object.ts'
import type { AlertObject } from '#model/alerts/shown.ts'
import { wireTime } from '../databases/render.ts'
import type { Parts } from '../parts.ts'

export type How = { readonly ignoreSettings: boolean }

export function renderAlerts(parts: Parts, object: string, how: How): Record<string, AlertObject> {
  const { scope } = parseObject(object) ?? CLUSTER
  return Object.fromEntries(ALERTS[scope].map((kind) => [kind.name, renderAlert(parts, object, kind, how)]))
}

export function renderAlert(parts: Parts, object: string, kind: AlertKind, how: How): AlertObject {
  const { enabled, threshold } = settingIn(parts.state, parseObject(object) ?? CLUSTER, kind)
  const { isOn, changedAtMs, value } = parts.alerts.state(object, kind.name, how)
  const changedAt = changedAtMs === null ? beginningOf(parts, object) : new Date(changedAtMs).toISOString()
  return {
    enabled,
    state: isOn,
    ...(kind.threshold || kind.scope === 'bdb' ? { threshold } : {}),
    severity: kind.severity,
    change_time: wireTime(changedAt),
    change_value: { ...value, state: isOn },
  }
}

/** What was never raised is what it is since its object is there. */
function beginningOf({ state }: Parts, object: string): string {
  const { scope, uid } = parseObject(object) ?? CLUSTER
  if (scope === 'bdb') return state.databases.get(uid ?? 0)?.value.createdAt ?? ''
  if (scope === 'node') return state.nodes.get(uid ?? 0)?.value.createdAt ?? ''
  return state.cluster.get('')?.value.createdAt ?? ''
}
