/**
 * The routes of services: how those of this node are, and stopping and starting those that can be without. Everything is
 * checked before anything is done.
 */
import Type from 'typebox'
import {
  type Operation,
  ServiceOperation,
  ServicesShown,
  serviceOperationParser,
  uptimeText,
} from '#model/service-operation.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { parseGiven } from '../http/parse.ts'
import type { Answer, ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import type { Service } from './desk.ts'

const REFUSALS: readonly RefusalCode[] = ['unknown_field', 'invalid_field', 'missing_field', 'unsupported_feature']

export const serviceRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/local/services',
    access: 'view_cluster_info',
    summary: 'The services of this node, and how long they have been running',
    answers: ServicesShown,
    refusals: [],
    handle: (_request, parts) => ({ json: shown(parts) }),
  },
  operationOn('/v1/local/services', 'Stop, start or restart services of this node'),
  operationOn('/v1/services', 'Stop, start or restart services of the primary node, which is this one'),
]

function operationOn(path: string, summary: string): Route {
  return {
    method: 'POST',
    path,
    access: 'update_cluster',
    summary,
    body: ServiceOperation,
    answers: Type.Record(Type.String(), Type.Boolean({ description: 'Whether it went well.' })),
    refusals: REFUSALS,
    handle: operate,
  }
}

function shown({ services, now }: Parts): ServicesShown {
  return Object.fromEntries(
    services.names.flatMap((name) => {
      const state = services.named(name)?.state()
      if (!state) return []
      const { status, startedAtMs } = state
      const seconds = startedAtMs === null ? 0 : Math.max(0, Math.floor((now() - startedAtMs) / 1000))
      const since = startedAtMs === null ? '' : `${new Date(startedAtMs).toISOString().slice(0, 19)}Z`
      return [[name, { status, start_time: since, uptime: startedAtMs === null ? '' : uptimeText(seconds) }]]
    }),
  )
}

async function operate(request: ApiRequest, parts: Parts): Promise<Answer> {
  const { operation_type: operation, services = [] } = parseGiven(serviceOperationParser(), request, 'create')
  if (operation === undefined)
    return refuse('missing_field', {
      field: 'operation_type',
      description: 'operation_type must say what is to be done.',
    })
  if (services.length === 0)
    return refuse('missing_field', { field: 'services', description: 'services must name one service at least.' })
  const wanted = new Map(services.map((name, index) => [name, find(parts, operation, name, `services[${index}]`)]))
  const outcomes = new Map<string, boolean>()
  for (const [name, service] of wanted) outcomes.set(name, await carriedOut(parts, operation, name, service))
  return { json: Object.fromEntries(outcomes) }
}

function find({ services }: Parts, operation: Operation, name: string, field: string): Service {
  const service = services.named(name)
  if (!service) {
    const description = `${field}: there is no service ${JSON.stringify(name)} on this node; there are ${services.names.join(', ')}.`
    return refuse('invalid_field', { field, description })
  }
  const objection = service.objection(operation)
  return objection === null ? service : refuse('unsupported_feature', { field, description: `${name}: ${objection}` })
}

async function carriedOut({ log }: Parts, operation: Operation, name: string, service: Service): Promise<boolean> {
  try {
    const isDone = await service.carryOut(operation)
    log.info({ service: name, operation, isDone }, 'a service was operated on')
    return isDone
  } catch (err) {
    log.warn({ err, service: name, operation }, 'an operation on a service failed')
    return false
  }
}
