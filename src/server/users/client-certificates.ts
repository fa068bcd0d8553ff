/**
 * Callers who show a certificate instead of a password: how their subject is written, and which subjects may come in.
 */
import type { X509Certificate } from 'node:crypto'

/** One attribute of a subject, `CN` and its value; several units stand beside each other. */
type Attribute = readonly [name: string, value: string]
export type Subject = { readonly CN: string; readonly OU?: readonly string[] } & Readonly<Record<string, unknown>>
export type SubjectRule = 'disabled' | 'san_cn' | 'full_subject'

/** As RFC 2253 writes it, last attribute first: `CN=app,OU=Ops,O=Example`. */
export function subjectLine(certificate: X509Certificate): string {
  return attributesOf(certificate)
    .reverse()
    .map(([name, value]) => `${name}=${value.replace(/[,+"\\<>;]/g, '\\$&')}`)
    .join(',')
}

/** The same line, however somebody has spaced it. */
export function sameLine(one: string, other: string): boolean {
  const plain = (line: string) => line.trim().replace(/\s*(?<!\\),\s*/g, ',')
  return plain(one) === plain(other)
}

export function isAuthorized(certificate: X509Certificate, rule: SubjectRule, subjects: readonly Subject[]): boolean {
  switch (rule) {
    case 'disabled':
      return true
    case 'san_cn': {
      const names = new Set([...valuesOf(certificate, 'CN'), ...alternativeNames(certificate)])
      return subjects.some(({ CN }) => names.has(CN))
    }
    case 'full_subject':
      return subjects.some((subject) => isSubject(certificate, subject))
  }
}

/** Every attribute that either of them has must be the same in the other. */
function isSubject(certificate: X509Certificate, subject: Subject): boolean {
  return ['CN', 'O', 'OU', 'L', 'ST', 'C'].every((name) => {
    const wanted = subject[name]
    const values = Array.isArray(wanted) ? wanted : wanted === undefined || wanted === '' ? [] : [wanted]
    return values.map(String).sort().join('\n') === [...valuesOf(certificate, name)].sort().join('\n')
  })
}

function attributesOf({ subject }: X509Certificate): Attribute[] {
  return subject.split('\n').flatMap((line): Attribute[] => {
    const equals = line.indexOf('=')
    return equals < 0 ? [] : [[line.slice(0, equals), line.slice(equals + 1)]]
  })
}

function valuesOf(certificate: X509Certificate, wanted: string): string[] {
  return attributesOf(certificate).flatMap(([name, value]) => (name === wanted ? [value] : []))
}

function alternativeNames({ subjectAltName }: X509Certificate): string[] {
  return (subjectAltName ?? '').split(', ').flatMap((entry) => /^DNS:(.+)$/.exec(entry)?.[1] ?? [])
}
