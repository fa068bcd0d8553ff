/**
 * POST /v1/bdbs/alerts/{uid}: which alerts of a database are on, and at which thresholds. No process has to learn of it, so
 * that it can be changed while the database itself is being changed.
 */

import { databaseObject } from '#model/alerts/object.ts'
import { databaseAlertsParser } from '#model/alerts/setting.ts'
import type { DatabaseDocument } from '#model/documents/database.ts'
import type { Held } from '#store/collection.ts'
import { noSuchDatabase } from '../databases/read.ts'
import type { Answer, ApiRequest } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { changeSettings, parseSettings } from '../settings-object.ts'
import { renderAlerts } from './render.ts'

/** Rejects with a Refusal. */
export async function changeDatabaseAlerts(request: ApiRequest, parts: Parts): Promise<Answer> {
  const find = (): Held<DatabaseDocument> => databaseIn(request, parts)
  const object = databaseObject(find().value.uid)
  const current = Object.fromEntries(
    Object.entries(renderAlerts(parts, object, { ignoreSettings: false })).map(([name, { enabled, threshold }]) => [
      name,
      { enabled, threshold },
    ]),
  )
  const given = parseSettings(databaseAlertsParser, request, current)
  await changeSettings(request, parts, parts.state.databases, find, (database) => ({
    ...database,
    alerts: { ...database.alerts, ...given },
  }))
  const settings = { ...current, ...given }
  const shown = renderAlerts(parts, object, { ignoreSettings: false })
  return {
    json: Object.fromEntries(
      Object.entries(shown).map(([name, alert]) => [name, { ...alert, ...Object(settings[name]) }]),
    ),
  }
}

export function databaseIn({ params }: ApiRequest, { state }: Parts): Held<DatabaseDocument> {
  return state.databases.get(params.uid ?? '') ?? noSuchDatabase(params.uid ?? '')
}
