/**
 * POST /v1/bdbs/alerts/{uid}: which alerts of a database are on, and at which thresholds. No process has to learn of it, so
 * that it can be changed while the database itself is being changed.
 */

import { databaseObject } from '#model/alerts/object.ts'
import { databaseAlertsParser } from '#model/alerts/setting.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Held } from '#store/collection.ts'
import { noSuchDatabase } from '../databases/read.ts'
import { parseGiven } from '../http/parse.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeSettings } from '../settings-object.ts'
import { renderAlerts } from './render.ts'

/** Rejects with a Refusal. */
export async function changeDatabaseAlerts(request: ApiRequest, parts: Parts): Promise<Answer> {
  const find = (): Held<DatabaseDocument> => databaseIn(request, parts)
  const object = databaseObject(find().value.uid)
  let settings: Readonly<Record<string, unknown>> = {}
  await changeSettings(request, parts, parts.state.databases, find, (database) => {
    const current = settingsOf(parts, object)
    const given = parseGiven(databaseAlertsParser, request, 'update', current)
    settings = { ...current, ...given }
    return { ...database, alerts: { ...database.alerts, ...given } }
  })
  const shown = renderAlerts(parts, object, { ignoreSettings: false })
  return {
    json: Object.fromEntries(
      Object.entries(shown).map(([name, alert]) => [name, { ...alert, ...Object(settings[name]) }]),
    ),
  }
}

function settingsOf(parts: Parts, object: string): Record<string, unknown> {
  const shown = Object.entries(renderAlerts(parts, object, { ignoreSettings: false }))
  return Object.fromEntries(shown.map(([name, { enabled, threshold }]) => [name, { enabled, threshold }]))
}

export function databaseIn({ params }: ApiRequest, { state }: Parts): Held<DatabaseDocument> {
  return state.databases.get(params.uid ?? '') ?? noSuchDatabase(params.uid ?? '')
}
