/**
 * GET /v1/logs: the audit trail as the reference shows it. Somebody whose roles are limited to some databases sees what is
 * about those, and nothing else.
 */
import Type from 'typebox'
import { EventObject } from '#model/event.ts'
import { wireTime } from '../databases/render.ts'
import { refuse } from '../errors.ts'
import { TIMES, timeIn } from '../http/query.ts'
import type { ApiRequest, Caller, Route } from '../http/route.ts'
import { type EventQuery, MOST_EVENTS } from './event-log.ts'

const PERMISSION = 'view_logged_events'

export const eventRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/logs',
    access: PERMISSION,
    summary: 'What was changed and refused, and what became of databases',
    query: [
      ...TIMES,
      { name: 'order', description: 'asc, the default, or desc', schema: Type.Enum(['asc', 'desc']) },
      {
        name: 'limit',
        description: `How many at most, and never more than ${MOST_EVENTS}; the newest ${MOST_EVENTS} when neither limit nor offset is given`,
        schema: Type.Integer({ minimum: 0 }),
      },
      { name: 'offset', description: 'How many to skip first', schema: Type.Integer({ minimum: 0 }) },
    ],
    answers: Type.Array(EventObject),
    refusals: ['invalid_query'],
    handle: async (request, parts) => {
      const events = await parts.events.read(queryOf(request))
      return { json: events.map((event) => ({ ...event, time: wireTime(event.time) })) }
    },
  },
]

/** Throws a Refusal. */
function queryOf({ query, caller }: ApiRequest): EventQuery {
  const order = query.order || 'asc'
  if (order !== 'asc' && order !== 'desc')
    return refuse('invalid_query', { field: 'order', description: 'order is asc or desc.' })
  return {
    sinceMs: timeIn(query, 'stime', 0),
    // Times are shown in whole seconds: the last one is meant to its end.
    untilMs: timeIn(query, 'etime', Number.MAX_SAFE_INTEGER - 999) + 999,
    order,
    offset: countIn(query, 'offset') ?? 0,
    limit: countIn(query, 'limit'),
    isVisible: visibleTo(caller),
  }
}

function visibleTo(caller: Caller | undefined): EventQuery['isVisible'] {
  if (!caller?.rights.isLimited || caller.rights.mayEverywhere(PERMISSION)) return () => true
  return ({ bdb_uid: uid }) => uid !== undefined && caller.rights.mayIn(Number(uid), PERMISSION)
}

function countIn(query: ApiRequest['query'], name: string): number | undefined {
  const text = query[name]
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,15}$/.test(text))
    refuse('invalid_query', { field: name, description: `${name} must be a whole number, 0 or more.` })
  return Number(text)
}
