/**
 * Directives → the text of an engine's configuration file. Callers: the agent, before it starts a process. Pure.
 *
 * The invariant: whatever a word holds (quotes, line breaks, zero bytes), the engine reads back exactly this word, and
 * it can never become a second line. Words are therefore written in the one form of the engine's own reader
 * (`sdssplitargs`) that can say every byte: double quotes with `\xHH` for all that is not plain printable ASCII.
 */

/** The name and its words: `['save', '3600', '1']`. */
export type Directive = readonly [name: string, ...words: string[]]

export function renderConfiguration(directives: readonly Directive[]): string {
  return directives.map((directive) => `${renderDirective(directive)}\n`).join('')
}

function renderDirective([name, ...words]: Directive): string {
  if (!/^[a-z][a-z0-9-]*$/.test(name)) throw new RangeError(`not the name of a directive: ${JSON.stringify(name)}`)
  return [name, ...words.map(quoteWord)].join(' ')
}

/** Plain words stay readable; everything else is quoted. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_./:*+-]+$/.test(word)) return word
  let quoted = ''
  for (const byte of Buffer.from(word, 'utf8')) quoted += quoteByte(byte)
  return `"${quoted}"`
}

function quoteByte(byte: number): string {
  const character = String.fromCharCode(byte)
  if (character === '"' || character === '\\') return `\\${character}`
  return byte >= 0x20 && byte < 0x7f ? character : `\\x${byte.toString(16).padStart(2, '0')}`
}
