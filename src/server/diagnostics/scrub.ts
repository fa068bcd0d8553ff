/**
 * Takes secrets out of texts that leave the house. None should be in them to begin with; this is for the day on which one
 * is. Callers: support packages, the diagnostic log.
 *
 * Whoever has a thousand databases has thousands of secrets: an expression of all of them takes many times as long.
 */

/** Shorter ones are in every text by chance: taking them out would leave nothing readable, and hide nothing. */
const SHORTEST = 4
const CENSORED = '[secret]'
/** Numbers of sixteen bits: each further character moves those before it by four. */
const MARKS = 2 ** 16

export type Scrub = (text: string) => string

/** Also as they are written within JSON. */
export function scrubberOf(secrets: Iterable<string>): Scrub {
  const forms = [...secrets].flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const distinct = [...new Set(forms)].filter((form) => form.length >= SHORTEST)
  if (distinct.length === 0) return (text) => text
  // The longest first: of two that begin alike none may be left in part.
  distinct.sort((one, other) => other.length - one.length)
  const byStart = Map.groupBy(distinct, (form) => form.slice(0, SHORTEST))
  const mayStart = new Uint8Array(MARKS)
  for (const form of distinct) mayStart[markOf(form)] = 1
  return (text) => {
    let scrubbed = ''
    let from = 0
    let mark = 0
    for (let end = 0; end < text.length; end++) {
      mark = markWith(mark, text.charCodeAt(end))
      const at = end - SHORTEST + 1
      if (mayStart[mark] === 0 || at < from) continue
      const found = byStart.get(text.slice(at, end + 1))?.find((form) => text.startsWith(form, at))
      if (found === undefined) continue
      scrubbed += text.slice(from, at) + CENSORED
      from = at + found.length
      end = from - 1
    }
    return scrubbed + text.slice(from)
  }
}

function markOf(form: string): number {
  let mark = 0
  for (let index = 0; index < SHORTEST; index++) mark = markWith(mark, form.charCodeAt(index))
  return mark
}

/** A number for the last four characters, of which the oldest has just fallen out; others may have the same one. */
function markWith(before: number, character: number): number {
  return ((before << 4) ^ character) % MARKS
}
