/**
 * An alert that was raised or cleared, as an event of the log: with the type, and the members, that the reference documents.
 */
import type { AlertRecord } from '#model/alerts/document.ts'
import type { AlertKind } from '#model/alerts/kind.ts'
import { parseObject } from '#model/alerts/object.ts'
import { sentence } from '#model/alerts/wording.ts'
import { harmless, type NewEvent } from '#model/event.ts'
import type { State } from '#store/state.ts'

export type AlertChange = {
  readonly object: string
  readonly kind: AlertKind
  readonly enabled: boolean
  readonly record: AlertRecord
}

export function alertEvent(state: State, { object, kind, enabled, record }: AlertChange): NewEvent {
  const { uid } = parseObject(object) ?? { uid: null }
  const { isOn, changedAtMs, value } = record
  const ends = enabled ? 'This is over.' : 'The alert was switched off.'
  return {
    type: kind.event,
    severity: isOn ? kind.severity : 'INFO',
    object,
    state: isOn,
    enabled,
    change_time: `${new Date(changedAtMs).toISOString().slice(0, 19)}Z`,
    change_value: value,
    ...(uid !== null && kind.scope === 'node' ? { node_uid: uid } : {}),
    ...(uid !== null && kind.scope === 'bdb' ? databaseFacts(state, uid) : {}),
    description: isOn ? `${sentence(kind, value)}.` : `${sentence(kind, value)}: ${ends}`,
  }
}

function databaseFacts(state: State, uid: number): Pick<NewEvent, 'bdb_uid' | 'bdb_name'> {
  const name = state.databases.get(uid)?.value.config.name
  return { bdb_uid: String(uid), ...(name === undefined ? {} : { bdb_name: harmless(name) }) }
}
