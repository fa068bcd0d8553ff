/**
 * Where the settings of alerts are kept: those of the cluster and its nodes in the cluster, those of a database with it.
 */
import { isObject } from '../values.ts'
import type { AlertKind } from './kind.ts'
import type { AlertObject } from './object.ts'
import { type AlertSetting, settingOf } from './setting.ts'

type Settings = Readonly<Record<string, unknown>>

/** The part of the state that this needs. */
export type AlertSettingsHeld = {
  readonly databases: { get(uid: number): { readonly value: { readonly alerts?: Settings } } | undefined }
  readonly cluster: { get(id: ''): { readonly value: { readonly settings: Settings } } | undefined }
}

export function settingIn(state: AlertSettingsHeld, { scope, uid }: AlertObject, kind: AlertKind): AlertSetting {
  if (scope === 'bdb') return settingOf(kind, state.databases.get(uid ?? 0)?.value.alerts)
  const kept = state.cluster.get('')?.value.settings.alert_settings
  return settingOf(kind, isObject(kept) ? kept : undefined)
}
