/**
 * One value against one schema: is it right, and if not, what would be? Walks the schema instead of compiling it, because
 * the sentence needs the path, the value and the range anyway, requests hold a handful of fields, and nothing has to be
 * compiled when the control plane starts. A test holds it to the verdict of TypeBox's own compiler for every field.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Field, Fields } from './field.ts'
import type { Problem } from './problem.ts'
import { describe, expectation, listOf, shorten, unknownName } from './wording.ts'

export type Reading = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly problem: Problem }

type Context = {
  /** Where we are: `snapshot_policy[0].secs`. */
  readonly path: string
  /** What is found here may not be repeated in an error. */
  readonly secret: boolean
  /** What the value is now, for objects of which a part may be sent. */
  readonly current: unknown
}

/** Free-form objects may nest this deep; every schema of ours stays below. */
const DEPTH_MAX = 16

/** The value as it will be kept: members that are only reported are left out, those that were left out are filled in. */
export function readValue(field: Field, given: unknown, context: Context): Reading {
  const secret = context.secret || field['x-secret'] === true
  const reading = readShape(field, given, { ...context, secret })
  if (!reading.ok || field['x-effect'] !== 'refused') return reading
  const accepts = field['x-accepts'] ?? []
  if (accepts.some((accepted) => isDeepStrictEqual(accepted, reading.value))) return reading
  const code = field['x-refusal'] ?? 'unsupported_feature'
  return wrong(
    context.path,
    `${context.path} can only be ${listOf(accepts)} here. ${field['x-why'] ?? ''}`.trim(),
    code,
  )
}

function readShape(field: Field, given: unknown, context: Context): Reading {
  if (field.enum) return field.enum.includes(given) ? right(given) : mismatch(field, given, context)
  switch (field.type) {
    case 'integer':
    case 'number':
      return isNumberFor(field, given) ? right(given === 0 ? 0 : given) : mismatch(field, given, context)
    case 'string':
      return isTextFor(field, given) ? right(given) : mismatch(field, given, context)
    case 'boolean':
      return typeof given === 'boolean' ? right(given) : mismatch(field, given, context)
    case 'array':
      return Array.isArray(given) ? readItems(field, given, context) : mismatch(field, given, context)
    case 'object':
      return isObject(given) ? readMembers(field, given, context) : mismatch(field, given, context)
    default:
      return isPlainJson(given, DEPTH_MAX) ? right(given) : wrong(context.path, `${context.path} is nested too deeply.`)
  }
}

function isNumberFor({ type, minimum, maximum }: Field, given: unknown): boolean {
  if (typeof given !== 'number' || !Number.isFinite(given)) return false
  if (type === 'integer' && !Number.isInteger(given)) return false
  return given >= (minimum ?? -Infinity) && given <= (maximum ?? Infinity)
}

function isTextFor({ maxLength, pattern }: Field, given: unknown): boolean {
  if (typeof given !== 'string' || given.length > (maxLength ?? Infinity)) return false
  return pattern === undefined || new RegExp(pattern, 'u').test(given)
}

function readItems(field: Field, given: readonly unknown[], context: Context): Reading {
  if (given.length > (field.maxItems ?? Infinity)) return mismatch(field, given, context)
  const { items } = field
  if (!items) return right(given)
  const values: unknown[] = []
  for (const [index, item] of given.entries()) {
    const reading = readValue(items, item, { ...context, path: `${context.path}[${index}]`, current: undefined })
    if (!reading.ok) return reading
    values.push(reading.value)
  }
  return right(values)
}

function readMembers(field: Field, given: Readonly<Record<string, unknown>>, context: Context): Reading {
  const { properties = {}, additionalProperties } = field
  if (additionalProperties !== false) {
    return isPlainJson(given, DEPTH_MAX)
      ? right(given)
      : wrong(context.path, `${context.path} has names that cannot be used.`)
  }
  const current = isObject(context.current) ? context.current : {}
  const values: Record<string, unknown> = field['x-partial'] ? present(properties, current) : {}
  for (const name of Object.keys(given)) {
    const path = `${context.path}.${shorten(name)}`
    const member = Object.hasOwn(properties, name) ? properties[name] : undefined
    if (!member) return wrong(path, unknownName(name, Object.keys(properties), context.path), 'unknown_field')
    if (member['x-effect'] === 'reported') continue
    const reading = readValue(member, given[name], { ...context, path, current: current[name] })
    if (!reading.ok) return reading
    values[name] = reading.value
  }
  const missing = (field.required ?? []).find((name) => !Object.hasOwn(given, name))
  if (missing === undefined) return right(values)
  return wrong(`${context.path}.${missing}`, `${context.path} lacks ${missing}.`)
}

/** What the members are without the request: what they are now, else their defaults. */
function present(properties: Fields, current: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, member]) => {
      const value = Object.hasOwn(current, name) ? current[name] : member.default
      return value === undefined ? [] : [[name, value]]
    }),
  )
}

/** No names that would reach behind the object, and an end to its depth. */
function isPlainJson(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true
  if (depth === 0) return false
  if (Array.isArray(value)) return value.every((item) => isPlainJson(item, depth - 1))
  return Object.entries(value).every(([name, item]) => !REACHES_BEHIND.has(name) && isPlainJson(item, depth - 1))
}

const REACHES_BEHIND = new Set(['__proto__', 'constructor', 'prototype'])

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function right(value: unknown): Reading {
  return { ok: true, value }
}

function wrong(field: string, description: string, code: Problem['code'] = 'invalid_field'): Reading {
  return { ok: false, problem: { code, field, description } }
}

function mismatch(field: Field, given: unknown, { path, secret }: Context): Reading {
  return wrong(path, `${path} must be ${expectation(field)}; got ${describe(given, secret)}.`)
}
