/**
 * Who is asked about what: the certificate of the proxy, who signed it, and the responder that it names.
 */
import { X509Certificate } from 'node:crypto'
import { getCACertificates } from 'node:tls'
import type { State } from '#store/state.ts'
import { readCertificates } from '../certificates/check.ts'

export type Subject = {
  readonly certificate: X509Certificate
  readonly fingerprint: string
  /** Empty: it names none. */
  readonly responderUrl: string
}

export function ocspSubject({ certificates }: State): Subject | undefined {
  const pem = certificates.get('proxy')?.value.certificate
  if (pem === undefined) return undefined
  const certificate = new X509Certificate(pem)
  return { certificate, fingerprint: certificate.fingerprint256, responderUrl: responderOf(certificate) }
}

/** From the chain that came with it, else among the authorities that this system trusts; undefined: nowhere. */
export function issuerOf({ certificates }: State, certificate: X509Certificate): X509Certificate | undefined {
  const [, ...chain] = readCertificates(certificates.get('proxy')?.value.certificate, 'certificate')
  const signed = (one: X509Certificate) => certificate.checkIssued(one) && certificate.verify(one.publicKey)
  const found = chain.find(signed)
  if (found) return found
  for (const pem of getCACertificates('system')) {
    const one = new X509Certificate(pem)
    if (signed(one)) return one
  }
  return undefined
}

function responderOf({ infoAccess }: X509Certificate): string {
  const [, url = ''] = /^OCSP - URI:(https?:\/\/\S+)$/m.exec(infoAccess ?? '') ?? []
  return URL.canParse(url) ? url : ''
}
