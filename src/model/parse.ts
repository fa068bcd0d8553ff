/**
 * From what somebody sent to the settable fields of one object, and from its schema to defaults and plain JSON Schema.
 * Callers: every route with a body, the renderers, /v1/jsonschema. Nothing here knows any particular object, and nothing
 * throws for any JSON whatsoever.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Field, Fields } from './field.ts'
import type { FieldRefusal, Problem } from './problem.ts'
import type { ObjectSchema } from './shapes.ts'
import { isObject, type Reading, readValue } from './values.ts'
import { shorten, unknownName } from './wording.ts'

export type Mode = 'create' | 'update'

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem }

export type ObjectParser<T = Readonly<Record<string, unknown>>> = {
  /**
   * Only the given fields that can be set, those of partial objects filled in. `current` is the object as it is shown
   * now: what may be chosen only once must equal it, and partial objects keep what was left out. Without it, the former
   * are dropped from an update and the latter start from their defaults.
   */
  parse(input: unknown, mode: Mode, current?: Readonly<Record<string, unknown>>): Parsed<T>
}

export type ParserOptions = {
  /** Names that known clients send although they mean nothing: accepted, and dropped. */
  readonly ignored?: readonly string[]
  /** Names that are documented for a request but are no field of the object, and cannot be had here. */
  readonly unavailable?: Readonly<
    Record<string, { readonly code: Problem['code'] | FieldRefusal; readonly why: string }>
  >
  /** What no schema can say about the given fields. */
  readonly rules?: ReadonlyArray<(given: Readonly<Record<string, unknown>>) => Problem | null>
}

/** `T` must be what the schema's settable fields hold: the one place where that is claimed rather than inferred. */
export function compileObject<T = Readonly<Record<string, unknown>>>(
  schema: ObjectSchema,
  options: ParserOptions = {},
): ObjectParser<T> {
  const { unavailable = {}, rules = [] } = options
  const ignored = new Set(options.ignored)
  const names = Object.keys(schema.properties)
  const { properties } = schema

  function parse(input: unknown, mode: Mode, current: Readonly<Record<string, unknown>> | undefined): Parsed<T> {
    if (!isObject(input)) return problem('invalid_field', '', 'The body must be a JSON object.')
    const given: Record<string, unknown> = {}
    for (const name of Object.keys(input)) {
      const field = Object.hasOwn(properties, name) ? properties[name] : undefined
      if (!field) {
        if (ignored.has(name)) continue
        const known = Object.hasOwn(unavailable, name) ? unavailable[name] : undefined
        if (known) return problem(known.code, name, `${name} cannot be sent here. ${known.why}`)
        return problem('unknown_field', shorten(name), unknownName(name, names, ''))
      }
      if (field['x-effect'] === 'reported') continue
      const reading = readValue(field, input[name], { path: name, secret: false, current: current?.[name] })
      if (mode === 'update' && field['x-create-only']) {
        // What it is may always be sent, even where it was not chosen through the API and is outside its range.
        if (current && !isDeepStrictEqual(current[name], input[name])) return unchangeable(name, field)
        if (current) continue
      }
      if (!reading.ok) return reading
      if (mode === 'create' || !field['x-create-only']) given[name] = reading.value
    }
    for (const rule of rules) {
      const found = rule(given)
      if (found) return { ok: false, problem: found }
    }
    return { ok: true, value: given as T }
  }
  return { parse: (input, mode, current) => parse(input, mode, current) }
}

function unchangeable(name: string, field: Field): Reading & { ok: false } {
  const why = field['x-why'] ?? 'It is chosen when the object is created.'
  return problem(field['x-refusal'] ?? 'invalid_configuration', name, `${name} cannot be changed. ${why}`)
}

function problem(code: Problem['code'], field: string, description: string): Reading & { ok: false } {
  return { ok: false, problem: { code, field, description } }
}

const defaults = new WeakMap<ObjectSchema, Readonly<Record<string, unknown>>>()

/** Every field with its default, also those that are only reported; a field that is absent until set has none. */
export function defaultsOf(schema: ObjectSchema): Record<string, unknown> {
  let known = defaults.get(schema)
  if (!known) {
    known = presets(schema.properties, () => true)
    defaults.set(schema, known)
  }
  return { ...known }
}

/** The defaults of the fields that can be set: what an object is stored with. `T` as for compileObject. */
export function settableDefaultsOf<T extends object>(schema: ObjectSchema): T {
  return presets(schema.properties, (field) => field['x-effect'] !== 'reported') as T
}

function presets(fields: Fields, wanted: (field: Field) => boolean): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).flatMap(([name, field]) =>
      field.default === undefined || !wanted(field) ? [] : [[name, deepFreeze(field.default)]],
    ),
  )
}

/** Defaults are shared by every object that has them, so that nobody may write into one. */
function deepFreeze(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}

/** Plain JSON Schema, with our own words beside JSON Schema's. */
export function jsonSchemaOf(schema: ObjectSchema): Record<string, unknown> {
  return JSON.parse(JSON.stringify({ $schema: 'https://json-schema.org/draft/2020-12/schema', ...schema }))
}
