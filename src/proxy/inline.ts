/**
 * The words of a request that was typed rather than encoded: `SET key "a value"`. Callers: the client connection,
 * which then encodes them, so that everything behind it knows one form only. Quotes and escapes are the engine's:
 * "…" with \n, \r, \t, \b, \a and \xHH, '…' with \' only, and a closing quote is followed by a space or the end.
 */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }
const isSpace = (character: string | undefined) => character !== undefined && /[\s\0\v]/.test(character)

/** Null when a quote is not closed. `line` may end in CR LF, or LF. */
export function splitInline(line: Buffer): Buffer[] | null {
  // Each byte is one character here, and becomes the same byte again.
  const text = line.toString('latin1')
  const words: Buffer[] = []
  let at = 0
  for (;;) {
    while (isSpace(text[at])) at++
    if (at >= text.length) return words
    let word = ''
    while (at < text.length && !isSpace(text[at])) {
      const character = text[at] ?? ''
      const quoted = character === '"' ? readDouble(text, at) : character === "'" ? readSingle(text, at) : undefined
      if (quoted === null) return null
      if (quoted === undefined) {
        word += character
        at++
        continue
      }
      word += quoted.word
      at = quoted.next
      if (at < text.length && !isSpace(text[at])) return null
    }
    words.push(Buffer.from(word, 'latin1'))
  }
}

type Quoted = { readonly word: string; readonly next: number } | null

function readDouble(text: string, from: number): Quoted {
  let word = ''
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '"') return { word, next: at + 1 }
    if (text[at] !== '\\' || at + 1 >= text.length) {
      word += text[at]
      continue
    }
    const hex = /^\\x([0-9a-fA-F]{2})/.exec(text.slice(at, at + 4))?.[1]
    if (hex !== undefined) {
      word += String.fromCharCode(Number.parseInt(hex, 16))
      at += 3
    } else {
      const escaped = text[at + 1] ?? ''
      word += ESCAPES[escaped] ?? escaped
      at++
    }
  }
  return null
}

function readSingle(text: string, from: number): Quoted {
  let word = ''
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === "'") return { word, next: at + 1 }
    if (text[at] === '\\' && text[at + 1] === "'") at++
    word += text[at]
  }
  return null
}
