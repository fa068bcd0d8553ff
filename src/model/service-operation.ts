/**
 * What can be asked of the services of a node, and how they are.
 */
import Type, { type Static } from 'typebox'
import { applied } from './field.ts'
import { compileObject, type ObjectParser } from './parse.ts'
import { list, maybeOneOf, objectOf, text } from './shapes.ts'

export const OPERATIONS = ['stop', 'start', 'restart'] as const
export type Operation = (typeof OPERATIONS)[number]

/** More than there are. */
const SERVICES_MAX = 100

export const ServiceOperation = objectOf('service_operation', {
  operation_type: applied(maybeOneOf([...OPERATIONS], 'What is to be done.'), { 'x-shown': 'when-set' }),
  services: applied(list(text('', 'The name of a service.', { maxLength: 64 }), 'With which services.', SERVICES_MAX)),
})
export type ServiceOperation = { readonly operation_type?: Operation; readonly services?: readonly string[] }

const parser = compileObject<ServiceOperation>(ServiceOperation)

export function serviceOperationParser(): ObjectParser<ServiceOperation> {
  return parser
}

export const SERVICE_STATUSES = ['RESTARTING', 'RUNNING', 'STARTING', 'STOPPED'] as const
export type ServiceStatus = (typeof SERVICE_STATUSES)[number]

/** By the names of the services. */
export const ServicesShown = Type.Record(
  Type.String(),
  Type.Object({
    status: Type.Enum([...SERVICE_STATUSES], { type: 'string' }),
    start_time: Type.String({ description: 'UTC; empty while it does not run.' }),
    uptime: Type.String({ description: 'Such as 3 days, 0:58:59; empty while it does not run.' }),
  }),
)
export type ServicesShown = Static<typeof ServicesShown>

const DAY_SECONDS = 86_400
const HOUR_SECONDS = 3_600

/** `0:00:07`, `1 day, 23:59:59`, `3 days, 0:58:59`. */
export function uptimeText(seconds: number): string {
  const days = Math.floor(seconds / DAY_SECONDS)
  const two = (number: number) => String(number).padStart(2, '0')
  const hours = Math.floor((seconds % DAY_SECONDS) / HOUR_SECONDS)
  const clock = `${hours}:${two(Math.floor((seconds % HOUR_SECONDS) / 60))}:${two(Math.floor(seconds % 60))}`
  if (days === 0) return clock
  return `${days} ${days === 1 ? 'day' : 'days'}, ${clock}`
}
