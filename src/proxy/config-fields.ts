/**
 * Reading single fields of the configuration: each throws an Error that names the place, and never repeats the value.
 * Callers: the parsers of the configuration.
 */
export function object(value: unknown, place: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${place} is not an object`)
  return value as Record<string, unknown>
}
export function list(value: unknown, place: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${place} is not a list`)
  return value
}
export function string(value: unknown, place: string): string {
  if (typeof value !== 'string') throw new Error(`${place} is not a text`)
  return value
}
export function whole(value: unknown, place: string, low: number, high: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < low || value > high)
    throw new Error(`${place} is not a whole number from ${low} to ${high}`)
  return value
}
export const port = (value: unknown, place: string) => whole(value, place, 1, 65_535)
export function oneOf<T extends string>(value: unknown, place: string, all: readonly T[]): T {
  const found = all.find((one) => one === value)
  if (found === undefined) throw new Error(`${place} is none of ${all.join(', ')}`)
  return found
}
