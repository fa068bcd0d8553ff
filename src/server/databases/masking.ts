/**
 * Hiding the secrets of a database, and knowing them again when they come back hidden. Pure.
 */
import { secretDatabaseFields } from '#model/database/schema.ts'
import type { RenderedDatabase } from './render.ts'

/** What is shown instead of a secret; sent back in an update, it asks for nothing. */
/** What a secret is shown as, and what leaves it as it is when it comes back. */
export const MASK = '********'

/** Text becomes a mask; a structure that holds secrets is left out whole. */
export function masked(object: RenderedDatabase): RenderedDatabase {
  const shown: Record<string, unknown> = { ...object }
  for (const name of secretDatabaseFields) {
    const value = shown[name]
    if (typeof value === 'string' && value !== '') shown[name] = MASK
    else if (typeof value === 'object' && value !== null && Object.keys(value).length > 0) delete shown[name]
  }
  return shown
}

/** Without the secrets that come back as they were masked. */
export function withoutMasks(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const isMask = (name: string) => secretDatabaseFields.has(name) && body[name] === MASK
  return Object.keys(body).some(isMask)
    ? Object.fromEntries(Object.entries(body).filter(([name]) => !isMask(name)))
    : body
}
