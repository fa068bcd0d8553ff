/**
 * The rules of tags. They may become labels of metrics, hence the forms; they are the reference's since its release 8.2.
 */
import type { Problem } from '../problem.ts'

type Tag = { readonly key: string; readonly value: string }

const TAGS_MAX = 30
const KEY = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/
const VALUE = /^[A-Za-z0-9 ._+\-@:/]{1,128}$/
/** Labels that the metrics have already. */
const SYSTEM_KEYS: ReadonlySet<string> = new Set(['redis', 'cluster', 'db'])

/** What may be the key of a tag that people give. */
export function isTagKey(key: string): boolean {
  return KEY.test(key) && !SYSTEM_KEYS.has(key)
}

export function tagsProblem(tags: readonly Tag[]): Problem | null {
  if (tags.length > TAGS_MAX) return found('tags', `A database can have ${TAGS_MAX} tags; got ${tags.length}.`)
  const seen = new Set<string>()
  for (const [index, { key, value }] of tags.entries()) {
    const at = `tags[${index}]`
    if (!KEY.test(key)) {
      return found(`${at}.key`, `${at}.key must be 1 to 64 letters, digits and underscores, not starting with a digit.`)
    }
    if (SYSTEM_KEYS.has(key)) return found(`${at}.key`, `${at}.key ${key} is reserved for the cluster.`)
    if (seen.has(key)) return found(`${at}.key`, `${at}.key ${key} is there twice; the keys of a database differ.`)
    if (!VALUE.test(value) || value.trim() === '') {
      return found(
        `${at}.value`,
        `${at}.value must be 1 to 128 letters, digits, spaces and the characters . _ + - @ : /`,
      )
    }
    seen.add(key)
  }
  return null
}

function found(field: string, description: string): Problem {
  return { code: 'invalid_bdb_tags', field, description }
}
