/**
 * What our schemas say beside JSON Schema's own words: whether a field does anything, and if not, why. Parsers, the
 * renderer, GET /v1/jsonschema and the table in docs/compatibility.md all read it here, so that none can claim otherwise.
 * A field whose acceptance would promise protection or durability that is not there is refused, never kept.
 */
import type { TSchema } from 'typebox'
import type { FieldRefusal } from './problem.ts'

export type Effect =
  /** It changes what runs, or how the cluster behaves. */
  | 'applied'
  /** It is kept and returned, because nothing here has the thing that it tunes. */
  | 'kept'
  /** Every value other than those in `x-accepts` is refused. */
  | 'refused'
  /** The cluster tells it; when it is sent back, it is dropped. */
  | 'reported'

export type Shown =
  | 'always'
  /** Only with `?extended=true`. */
  | 'extended'
  /** Written and never read back. */
  | 'never'
  /** An enumeration without a documented value for "nothing happened yet": absent until it has one. */
  | 'when-set'

export interface FieldNotes {
  readonly 'x-effect'?: Effect
  /** One sentence, for kept and refused fields. */
  readonly 'x-why'?: string
  /** The values of a refused field that ask for nothing, and may be sent. */
  readonly 'x-accepts'?: readonly unknown[]
  readonly 'x-refusal'?: FieldRefusal
  /** Chosen once; afterwards only what it is already may be sent. */
  readonly 'x-create-only'?: true
  /** Sealed at rest, never echoed in an error, masked where the cluster masks. */
  readonly 'x-secret'?: true
  readonly 'x-shown'?: Shown
  /** An object of which a part may be sent: what is left out stays as it is. */
  readonly 'x-partial'?: true
}

/** A schema as parsers and renderers look at it: JSON Schema's words and ours. */
export interface Field extends TSchema, FieldNotes {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly items?: Field
  readonly maxItems?: number
  readonly properties?: Fields
  readonly required?: readonly string[] | undefined
  readonly additionalProperties?: boolean
  readonly default?: unknown
  readonly description?: string
  readonly readOnly?: true
  readonly writeOnly?: true
  readonly deprecated?: true
}

export type Fields = Readonly<Record<string, Field>>

export type Marks = Pick<FieldNotes, 'x-create-only' | 'x-secret' | 'x-shown'> & Pick<Field, 'writeOnly' | 'deprecated'>

type Noted<T, E extends Effect> = T & FieldNotes & { readonly 'x-effect': E }

export function applied<T extends TSchema>(schema: T, marks: Marks = {}): Noted<T, 'applied'> {
  return Object.assign(schema, { 'x-effect': 'applied' as const, ...marks })
}

export function kept<T extends TSchema>(schema: T, why: string, marks: Marks = {}): Noted<T, 'kept'> {
  return Object.assign(schema, { 'x-effect': 'kept' as const, 'x-why': why, ...marks })
}

export type Refusal = {
  readonly accepts: readonly unknown[]
  readonly why: string
  readonly code?: FieldRefusal
}

export function refused<T extends TSchema>(schema: T, refusal: Refusal, marks: Marks = {}): Noted<T, 'refused'> {
  const { accepts, why, code = 'unsupported_feature' } = refusal
  return Object.assign(schema, {
    'x-effect': 'refused' as const,
    'x-why': why,
    'x-accepts': accepts,
    'x-refusal': code,
    ...marks,
  })
}

export function reported<T extends TSchema>(schema: T, marks: Marks = {}): Noted<T, 'reported'> {
  return Object.assign(schema, { 'x-effect': 'reported' as const, readOnly: true as const, ...marks })
}
