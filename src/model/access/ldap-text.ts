/**
 * Names of people and groups in the notations of LDAP: distinguished names (RFC 4514) and search filters (RFC 4515). What
 * somebody typed as their name becomes part of either, and must stay one value in it, whatever it holds. Pure.
 */

/** `cn=%u,ou=people` for somebody called `name`, who can only be a value in it. */
export function filledDn(template: string, name: string): string {
  return template.replaceAll('%u', () => dnValue(name))
}

/** `(member=%D)`: `%u` is what was typed as the name, `%D` the DN. Replaced in one pass: a name may read "%D". */
export function filledFilter(filter: string, who: { readonly name: string; readonly dn: string }): string {
  return filter.replace(/%[uD]/g, (placeholder) => filterValue(placeholder === '%u' ? who.name : who.dn))
}

/** Everything but letters, digits and what names are made of is written as bytes, and so is space at either end. */
function dnValue(text: string): string {
  return text.replace(/[^\p{L}\p{N}\p{M}_.@ -]|^ | $/gu, (char) => bytesOf(char))
}

function filterValue(text: string): string {
  return text.replace(/[\\*()\0]/g, (char) => bytesOf(char))
}

function bytesOf(char: string): string {
  return Buffer.from(char).toString('hex').replace(/../g, '\\$&')
}

/**
 * The same text for DNs that name the same entry, however they are written: case, spaces around the separators and the
 * form of escapes do not count. Null: no DN, or the empty one.
 */
export function dnKey(dn: string): string | null {
  const rdns: string[][] = [[]]
  let rest = dn.trim()
  for (;;) {
    const type = TYPE.exec(rest)
    const value = type && VALUE.exec(rest.slice(type[0].length))
    if (!type?.[1] || !value) return null
    const plain = plainValue(value[0])
    if (plain === null) return null
    rdns.at(-1)?.push(JSON.stringify([type[1].toLowerCase(), plain]))
    rest = rest.slice(type[0].length + value[0].length)
    if (rest === '') return rdns.map((parts) => parts.sort().join('+')).join(',')
    if (rest[0] !== '+') rdns.push([])
    rest = rest.slice(1)
  }
}

const TYPE = /^\s*([a-z][a-z0-9-]*|\d+(?:\.\d+)*)\s*=/i
/** Up to the separator; a quote would start a notation that RFC 4514 has given up. */
const VALUE = /^(?:[^\\,;+"<>\0]|\\[0-9a-f]{2}|\\[^0-9a-f])+/i
const ESCAPES = /(?:\\[0-9a-f]{2})+|\\./gi

/** Directories compare names without regard to case and to the number of spaces. Null: nothing in it. */
function plainValue(written: string): string | null {
  const text = written.replace(ESCAPES, (escaped) =>
    /^\\[0-9a-f]{2}/i.test(escaped)
      ? Buffer.from(escaped.replaceAll('\\', ''), 'hex').toString('utf8')
      : escaped.slice(1),
  )
  const plain = text.normalize('NFKC').trim().replace(/\s+/g, ' ').toLowerCase()
  return plain === '' ? null : plain
}
