/**
 * The sentences in which parsers tell what was got and what would be right. They never repeat a secret, never repeat
 * more than a few words of anything, and never walk into what they were sent.
 */
import { closest } from 'fastest-levenshtein'
import type { Field } from './field.ts'

const SHOWN_CHARACTERS = 40

/** "an integer from 1 to 99" */
export function expectation(field: Field): string {
  if (field.enum) return field.enum.length === 1 ? listOf(field.enum) : `one of ${listOf(field.enum)}`
  switch (field.type) {
    case 'integer':
      return `an integer${range(field)}`
    case 'number':
      return `a number${range(field)}`
    case 'boolean':
      return 'true or false'
    case 'string':
      return textExpectation(field)
    case 'array':
      return field.maxItems === undefined ? 'a list' : `a list of at most ${field.maxItems} items`
    case 'object':
      return 'an object'
    default:
      return 'plain JSON'
  }
}

function range({ minimum, maximum }: Field): string {
  if (minimum === undefined && maximum === undefined) return ''
  if (maximum === undefined) return ` of at least ${minimum}`
  return minimum === undefined ? ` of at most ${maximum}` : ` from ${minimum} to ${maximum}`
}

function textExpectation({ maxLength, pattern }: Field): string {
  const length = maxLength === undefined ? '' : ` of at most ${maxLength} characters`
  return `a string${length}${pattern === undefined ? '' : ` that matches ${pattern}`}`
}

/** "the number 7", "a string of 12 characters" */
export function describe(value: unknown, secret: boolean): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return `a list of ${value.length} items`
  switch (typeof value) {
    case 'string':
      return secret || value.length > SHOWN_CHARACTERS
        ? `a string of ${value.length} characters`
        : JSON.stringify(value)
    case 'number':
    case 'boolean':
      return secret ? `a ${typeof value}` : String(value)
    case 'object':
      return 'an object'
    default:
      return 'nothing'
  }
}

/** `false`, `"disabled"`, `1 or 2` */
export function listOf(values: readonly unknown[]): string {
  const words = values.map((value) => {
    const json = JSON.stringify(value)
    return json.length > 2 * SHOWN_CHARACTERS ? 'what it is by default' : json
  })
  const last = words.pop() ?? 'left out'
  return words.length === 0 ? last : `${words.join(', ')} or ${last}`
}

/** `where`: the object that lacks the name; empty for the whole body. */
export function unknownName(name: string, known: readonly string[], where: string): string {
  const shown = JSON.stringify(shorten(name))
  const place = where === '' ? '' : ` in ${where}`
  if (known.length === 0) return `There is no field ${shown}${place}; it has none.`
  return `There is no field ${shown}${place}; the nearest that there is: ${closest(shorten(name), known)}.`
}

export function shorten(name: string): string {
  return name.length > 2 * SHOWN_CHARACTERS ? `${name.slice(0, 2 * SHOWN_CHARACTERS)}…` : name
}
