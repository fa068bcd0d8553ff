/**
 * The patterns of PSUBSCRIBE: `*`, `?`, `[abc]`, `[^a-z]` and `\` before what is meant as it stands. Pure.
 *
 * When a letter does not fit, only the last `*` has to take one more: those before it need not be tried again. So a hostile
 * pattern costs its length times that of the text, and not a power of it.
 */
export function matchesGlob(pattern: string, text: string): boolean {
  let [at, from] = [0, 0]
  let star: { readonly next: number; took: number } | undefined
  while (from < text.length) {
    if (pattern[at] === '*') {
      star = { next: at + 1, took: from }
      at++
      continue
    }
    const after = afterOne(pattern, at, text[from] ?? '')
    if (after !== null) {
      at = after
      from++
    } else if (star) {
      star.took++
      from = star.took
      at = star.next
    } else return false
  }
  while (pattern[at] === '*') at++
  return at >= pattern.length
}

/** Where the pattern goes on when what stands at `at` fits this character; null when it does not. */
function afterOne(pattern: string, at: number, character: string): number | null {
  switch (pattern[at]) {
    case undefined:
      return null
    case '?':
      return at + 1
    case '[':
      return afterClass(pattern, at + 1, character)
    case '\\':
      // At the very end it stands for itself.
      return at + 1 < pattern.length ? fits(pattern[at + 1] === character, at + 2) : fits(character === '\\', at + 1)
    default:
      return fits(pattern[at] === character, at + 1)
  }
}

/** A class that is not closed goes on to the end, as it does in the engine. */
function afterClass(pattern: string, from: number, character: string): number | null {
  const isNegated = pattern[from] === '^'
  let at = isNegated ? from + 1 : from
  let isIn = false
  while (at < pattern.length && pattern[at] !== ']') {
    if (pattern[at] === '\\' && at + 1 < pattern.length) at++
    else if (pattern[at + 1] === '-' && at + 2 < pattern.length) {
      const [low = '', high = ''] = [pattern[at], pattern[at + 2]].sort()
      isIn ||= character >= low && character <= high
      at += 3
      continue
    }
    isIn ||= pattern[at] === character
    at++
  }
  return fits(isIn !== isNegated, at + 1)
}

function fits(does: boolean, next: number): number | null {
  return does ? next : null
}
