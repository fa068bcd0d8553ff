/**
 * From a request and its answer to an event. The two ways back of `http/reply.ts` come here, and nothing else does: no
 * route records anything. Reads that succeed are not recorded.
 */
import { randomUUID } from 'node:crypto'
import { harmless, type NewEvent } from '#model/event.ts'
import { isPermission } from '#model/permissions.ts'
import type { Refusal } from '../errors.ts'
import type { Exchange } from '../http/exchange.ts'
import { DRY_RUN } from '../http/query.ts'
import { databaseParameter, type JsonAnswer, type Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { parseBasic } from '../users/credentials.ts'
import { carriedOutType, refusedType } from './types.ts'

const READS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])
const REQUEST_ID = /^[\w.:-]{1,64}$/

export function isRead({ request }: Exchange): boolean {
  return READS.has(request.method ?? '')
}

/** A change that has been carried out. */
export function recordCarriedOut(parts: Parts, exchange: Exchange, { json, caller }: JsonAnswer): void {
  const { route } = exchange
  if (caller) exchange.caller = caller
  if (!route) return
  const isDryRun = route.query?.includes(DRY_RUN) && exchange.query.dry_run !== undefined
  parts.events.record({
    type: isDryRun ? 'dry_run' : carriedOutType(route),
    severity: 'INFO',
    ...facts(parts, exchange, uidIn(json)),
    status: 200,
  })
}

/** A write that was refused, and any request of somebody who did not prove who they are, or who may not. */
export function recordRefused(parts: Parts, exchange: Exchange, refusal: Refusal): void {
  const { code, status } = refusal
  const type = refusedType(refusal)
  if (type === 'request_refused' && isRead(exchange)) return
  parts.events.recordRefusal({
    type,
    severity: status >= 500 ? 'ERROR' : 'WARNING',
    ...facts(parts, exchange, undefined),
    status,
    error_code: code,
  })
}

function facts(parts: Parts, exchange: Exchange, createdUid: string | undefined): Omit<NewEvent, 'type' | 'severity'> {
  const { request, caller, route, params } = exchange
  exchange.requestId = requestId(exchange)
  const { action } = params
  const named = params[Object.keys(params).find((name) => name.endsWith('uid')) ?? ''] ?? createdUid
  const database = route && databaseOf(route, params, createdUid)
  return {
    originator: caller ? harmless(caller.userName) : claimedName(request.headers.authorization),
    user_uid: caller?.userUid,
    remote_address: request.socket.remoteAddress ?? '',
    method: harmless(request.method ?? ''),
    path: route?.path,
    action: action === undefined ? undefined : harmless(action),
    object_uid: named === undefined ? undefined : harmless(named),
    ...(database === undefined ? {} : databaseFacts(parts, database)),
    permission: route && isPermission(route.access) ? route.access : undefined,
    request_id: exchange.requestId,
  }
}

function databaseOf(route: Route, params: Readonly<Record<string, string>>, createdUid: string | undefined) {
  const parameter = databaseParameter(route.path)
  if (parameter !== undefined) return params[parameter]
  return carriedOutType(route) === 'bdb_created' ? createdUid : undefined
}

/** The name is looked up when the answer goes out: a database that is being deleted still has one. */
export function databaseFacts({ state }: Pick<Parts, 'state'>, uid: string): Pick<NewEvent, 'bdb_uid' | 'bdb_name'> {
  const name = state.databases.get(uid)?.value.config.name
  return { bdb_uid: harmless(uid), ...(name === undefined ? {} : { bdb_name: harmless(name) }) }
}

/** The name before the password of Basic credentials; nothing at all of what has no such form. */
function claimedName(header: string | undefined): string | undefined {
  const name = header === undefined ? undefined : parseBasic(header)?.name
  return name === undefined ? undefined : harmless(name)
}

/** The caller's own, so that they find theirs in the log, if it looks like one. */
function requestId({ request }: Exchange): string {
  const theirs = request.headers['x-request-id']
  return typeof theirs === 'string' && REQUEST_ID.test(theirs) ? theirs : randomUUID()
}

/** The uid that a create gave out. */
function uidIn(json: JsonAnswer['json']): string | undefined {
  const object: unknown = typeof json === 'string' || Buffer.isBuffer(json) ? parsed(String(json)) : json
  const uid = typeof object === 'object' && object !== null && 'uid' in object ? object.uid : undefined
  return typeof uid === 'number' || typeof uid === 'string' ? String(uid) : undefined
}

function parsed(text: string): unknown {
  return text === '' ? null : JSON.parse(text)
}
