/**
 * Whether the subject of a client's certificate is one of those that a database lets in. Pure. Callers: the entrance of
 * an endpoint, once the certificate itself is known to be valid.
 *
 * Attributes are compared as they are, by upper and lower case, and nothing stands for anything else: `*` in a subject
 * is a star.
 */
export type ClientSubject = {
  readonly CN: string
  readonly O?: string
  readonly OU?: readonly string[]
  readonly L?: string
  readonly ST?: string
  readonly C?: string
}

/** The part of a certificate that counts here, as `X509Certificate.toLegacyObject` has it. */
export type ShownCertificate = {
  /** An attribute that is there several times is a list. */
  readonly subject: Readonly<Record<string, unknown>>
  /** `DNS:a, IP Address:1.2.3.4`; a name with anything but plain characters in it is a JSON text. */
  readonly subjectaltname?: string
}

const ATTRIBUTES = ['CN', 'O', 'OU', 'L', 'ST', 'C'] as const

/** The common name, or a DNS name among the alternative ones, is the CN of one of the subjects. */
export function hasNameOf({ subject, subjectaltname }: ShownCertificate, subjects: readonly ClientSubject[]): boolean {
  const names = new Set([...valuesOf(subject.CN), ...dnsNamesIn(subjectaltname ?? '')])
  return subjects.some(({ CN }) => CN !== '' && names.has(CN))
}

/**
 * All six attributes are those of one of the subjects: what the certificate has and the subject has not makes a
 * difference too. The order of several units makes none.
 */
export function hasSubjectOf({ subject }: ShownCertificate, subjects: readonly ClientSubject[]): boolean {
  return subjects.some((wanted) => ATTRIBUTES.every((name) => isSame(valuesOf(wanted[name]), valuesOf(subject[name]))))
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  const sorted = [...others].sort()
  return some.length === others.length && [...some].sort().every((value, index) => value === sorted[index])
}

function valuesOf(value: unknown): string[] {
  const all = Array.isArray(value) ? value : [value]
  return all.filter((one): one is string => typeof one === 'string' && one !== '')
}

/**
 * Each entry is a kind, a colon, and either a JSON text or plain characters up to the next comma. A comma inside a JSON
 * text ends nothing: otherwise whoever may choose one name could smuggle a second one in.
 */
function dnsNamesIn(alternativeNames: string): string[] {
  const entries = alternativeNames.matchAll(/(?:^|, )([^:,"]+):("(?:[^"\\]|\\.)*"|[^,]*)/gy)
  return [...entries].flatMap(([, kind, name = '']) => {
    if (kind !== 'DNS') return []
    return name.startsWith('"') ? textIn(name) : [name]
  })
}

/** Names come from strangers: one that makes no sense is no name, and must not throw. */
function textIn(json: string): string[] {
  try {
    return [String(JSON.parse(json))]
  } catch {
    return []
  }
}
