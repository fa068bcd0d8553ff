/**
 * What the configuration says about TLS: with what an endpoint shows itself to its clients and whom of them it lets in,
 * and whom it takes for its shards. Callers: the parser of the configuration, the two sides that use it.
 */
import type { ClientSubject } from './client-subjects.ts'
import { list, object, oneOf, string } from './config-fields.ts'

export type TlsVersion = 'TLSv1.2' | 'TLSv1.3'

export type ClientTls = {
  /** The chain in PEM, the endpoint's own certificate first. */
  readonly certificate: string
  /** Its key in PEM. */
  readonly key: string
  readonly minVersion: TlsVersion
  /** For TLS 1.2, OpenSSL's names joined by colons. Absent: those of the runtime. */
  readonly ciphers?: string
  /** The same for TLS 1.3. */
  readonly cipherSuites?: string
  /** Which clients have to show a certificate. Absent: none. */
  readonly clients?: TrustedClients
}

export type TrustedClients = {
  /** In PEM: of whoever signs the certificates of clients, at any place of a chain, or of single clients. */
  readonly trusted: readonly string[]
  /** How much of a client's subject is compared; `subjects` are then the only ones that are let in. */
  readonly validation: SubjectValidation
  readonly subjects: readonly ClientSubject[]
}

export type SubjectValidation = 'disabled' | 'san_cn' | 'full_subject'

export type ShardTls = {
  /** In PEM, one or several. */
  readonly trusted: string
  /**
   * True: a shard shows exactly one of `trusted`, whatever name is in it and however old it is. False: its certificate
   * is signed by one of them, valid, and for the host that was connected to.
   */
  readonly isPinned: boolean
  /** What the proxy shows to shards that ask for it. */
  readonly own?: { readonly certificate: string; readonly key: string }
}

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const VALIDATIONS = ['disabled', 'san_cn', 'full_subject'] as const

/** Throws an Error that names the place, and never repeats a key. */
export function parseClientTls(value: unknown, place: string): ClientTls {
  const { ciphers, cipherSuites, clients, ...fields } = object(value, place)
  return {
    certificate: string(fields.certificate, `${place}.certificate`),
    key: string(fields.key, `${place}.key`),
    minVersion: oneOf(fields.minVersion ?? 'TLSv1.2', `${place}.minVersion`, VERSIONS),
    ...(ciphers !== undefined && { ciphers: string(ciphers, `${place}.ciphers`) }),
    ...(cipherSuites !== undefined && { cipherSuites: string(cipherSuites, `${place}.cipherSuites`) }),
    ...(clients !== undefined && { clients: parseClients(clients, `${place}.clients`) }),
  }
}

function parseClients(value: unknown, place: string): TrustedClients {
  const fields = object(value, place)
  const trusted = list(fields.trusted, `${place}.trusted`).map((pem, index) =>
    string(pem, `${place}.trusted[${index}]`),
  )
  // An empty list would mean the authorities of the runtime: everybody's.
  if (trusted.length === 0) throw new Error(`${place}.trusted is empty: nobody could come in`)
  return {
    trusted,
    validation: oneOf(fields.validation ?? 'disabled', `${place}.validation`, VALIDATIONS),
    subjects: list(fields.subjects ?? [], `${place}.subjects`).map((subject, index) =>
      parseSubject(subject, `${place}.subjects[${index}]`),
    ),
  }
}

function parseSubject(value: unknown, place: string): ClientSubject {
  const { CN, OU, ...fields } = object(value, place)
  const units = OU === undefined ? undefined : list(OU, `${place}.OU`).map((unit) => string(unit, `${place}.OU`))
  const others = (['O', 'L', 'ST', 'C'] as const).filter((name) => fields[name] !== undefined)
  return {
    CN: string(CN, `${place}.CN`),
    ...Object.fromEntries(others.map((name) => [name, string(fields[name], `${place}.${name}`)])),
    ...(units && { OU: units }),
  }
}

/** Throws an Error that names the place, and never repeats a key. */
export function parseShardTls(value: unknown, place: string): ShardTls {
  const { own, ...fields } = object(value, place)
  const pair = own === undefined ? undefined : object(own, `${place}.own`)
  return {
    trusted: string(fields.trusted, `${place}.trusted`),
    isPinned: fields.isPinned === true,
    ...(pair && {
      own: {
        certificate: string(pair.certificate, `${place}.own.certificate`),
        key: string(pair.key, `${place}.own.key`),
      },
    }),
  }
}
