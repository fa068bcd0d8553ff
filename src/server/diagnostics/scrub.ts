/**
 * Takes secrets out of texts that leave the house. None should be in them to begin with; this is for the day on which one
 * is. Callers: support packages.
 */

/** Shorter ones are in every text by chance: taking them out would leave nothing readable, and hide nothing. */
const SHORTEST = 4
const CENSORED = '[secret]'

export type Scrub = (text: string) => string

/** Also as they are written within JSON. */
export function scrubberOf(secrets: Iterable<string>): Scrub {
  const forms = [...secrets].flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
  const distinct = [...new Set(forms)].filter((form) => form.length >= SHORTEST)
  if (distinct.length === 0) return (text) => text
  // The longest first: of two that begin alike none may be left in part.
  distinct.sort((one, other) => other.length - one.length)
  const pattern = new RegExp(distinct.map((form) => RegExp.escape(form)).join('|'), 'g')
  return (text) => text.replace(pattern, CENSORED)
}
