/**
 * The few shapes that fields have, each with a default and a bound: a schema here is one line, and nothing that a client
 * can send is unbounded. An object built here has no required members, because every field of this API may be left out;
 * the members of a list's items are required unless marked otherwise.
 */
import Type, {
  type Static,
  type TArray,
  type TBoolean,
  type TEnum,
  type TInteger,
  type TNumber,
  type TSchema,
  type TString,
  type TUnsafe,
} from 'typebox'
import type { Field, Fields } from './field.ts'

/** The largest value of a counter in the engine's C code. */
export const INT32_MAX = 2_147_483_647
/** Bytes go up to what a JSON number can say exactly. */
export const BYTES_MAX = Number.MAX_SAFE_INTEGER
/** Module settings are documented up to these; JavaScript rounds them, which is of no consequence at that end. */
export const INT64_MAX = 2 ** 63
export const UINT64_MAX = 2 ** 64
/** Lists of a request; a body of a mebibyte holds hardly more. */
export const ITEMS_MAX = 10_000
/** Long enough for any name, path or address. */
const TEXT_MAX = 1_024
/** A chain of certificates in PEM. */
export const PEM_MAX = 65_536

export function flag(preset: boolean, description: string): TBoolean & Field {
  return Type.Boolean({ default: preset, description })
}

type Range = { readonly minimum?: number; readonly maximum?: number }

export function whole(preset: number, description: string, range: Range = {}): TInteger & Field {
  const { minimum = 0, maximum = INT32_MAX } = range
  return Type.Integer({ default: preset, minimum, maximum, description })
}

/** The number of something that exists; there is no default for that. */
export function uidOf(description: string): TInteger & Field {
  return Type.Integer({ minimum: 1, maximum: INT32_MAX, description })
}

export function amount(preset: number, description: string, range: Range = {}): TNumber & Field {
  const { minimum = 0, maximum = BYTES_MAX } = range
  return Type.Number({ default: preset, minimum, maximum, description })
}

/** Something between 0 and 100. */
export function percent(description: string): TNumber & Field {
  return amount(0, description, { maximum: 100 })
}

type TextLimits = { readonly maxLength?: number; readonly pattern?: string }

export function text(preset: string, description: string, limits: TextLimits = {}): TString & Field {
  return Type.String({ default: preset, maxLength: TEXT_MAX, ...limits, description })
}

/** Text that is absent, not empty, until there is something to say. */
export function maybeText(description: string, limits: TextLimits = {}): TString & Field {
  return Type.String({ maxLength: TEXT_MAX, ...limits, description })
}

export function oneOf<const Values extends string[]>(
  values: readonly [...Values],
  preset: Values[number],
  description: string,
): TEnum<Values> & Field {
  return Type.Enum(values, { type: 'string', default: preset, description })
}

/** An enumeration that is absent until it has one of its values. */
export function maybeOneOf<const Values extends string[]>(
  values: readonly [...Values],
  description: string,
): TEnum<Values> & Field {
  return Type.Enum(values, { type: 'string', description })
}

export function oneOfNumbers<const Values extends number[]>(
  values: readonly [...Values],
  preset: Values[number],
  description: string,
): TEnum<Values> & Field {
  return Type.Enum(values, { type: 'integer', default: preset, description })
}

export function list<Item extends TSchema>(
  items: Item,
  description: string,
  maxItems: number = ITEMS_MAX,
): TArray<Item> {
  return Type.Array(items, { default: [], maxItems, description })
}

/** What a list consists of, or the answer of a route: these members and no others. */
export function record<Members extends Fields>(members: Members, description?: string) {
  const options = description === undefined ? {} : { description }
  return Type.Object(members, { additionalProperties: false, ...options })
}

/** Settings that belong together: a part of them may be sent, and what is left out stays as it is. */
export function settings<Members extends Fields>(
  members: Members,
  description: string,
): TUnsafe<{ [Name in keyof Members]: Static<Members[Name]> }> & Field {
  const preset = Object.fromEntries(
    Object.entries(members).flatMap(([name, field]) => (field.default === undefined ? [] : [[name, field.default]])),
  )
  const options = { additionalProperties: false, default: preset, description, 'x-partial': true as const }
  return asField(
    Type.Unsafe<{ [Name in keyof Members]: Static<Members[Name]> }>(Type.Object(allOptional(members), options)),
  )
}

/** One of several forms, told apart by its members; empty until one is chosen. */
export function choice<Members extends Fields>(
  members: Members,
  description: string,
): TUnsafe<{ [Name in keyof Members]?: Static<Members[Name]> }> & Field {
  const options = { additionalProperties: false, default: {}, description }
  return asField(
    Type.Unsafe<{ [Name in keyof Members]?: Static<Members[Name]> }>(Type.Object(allOptional(members), options)),
  )
}

/** An object whose members are nobody's business here. */
export function anything(description: string): TUnsafe<Readonly<Record<string, unknown>>> & Field {
  return asField(Type.Unsafe<Readonly<Record<string, unknown>>>(Type.Object({}, { default: {}, description })))
}

/** A whole object of the API: every field may be left out of a request. */
export type ObjectSchema = Field & { readonly type: 'object'; readonly properties: Fields }

export function objectOf(title: string, fields: Fields): ObjectSchema {
  const properties = allOptional(fields)
  return Object.assign(Type.Object(properties, { title }), { type: 'object' as const, properties })
}

function allOptional(fields: Fields): Record<string, Field> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, Type.Optional(field)]))
}

/** The same schema, in whose type the compiler can see the words that parsers read. */
function asField<T extends TSchema>(schema: T): T & Field {
  return Object.assign(schema, {})
}

type SettableName<F extends Fields> = {
  [Name in keyof F]: F[Name] extends { readonly 'x-effect': 'reported' } ? never : Name
}[keyof F]

/** The values of all fields that can be set. */
export type SettableOf<F extends Fields> = { [Name in SettableName<F>]: Static<F[Name]> }
