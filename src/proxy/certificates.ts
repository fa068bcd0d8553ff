/**
 * Certificates as the configuration has them. Callers: both sides of the proxy that speak TLS.
 */
import { X509Certificate } from 'node:crypto'

/** All that are in a PEM text. Throws when there is none, or one makes no sense. */
export function certificatesIn(pem: string): X509Certificate[] {
  const all = pem.match(/-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----/gs) ?? []
  if (all.length === 0) throw new Error('there is no certificate in a PEM text')
  return all.map((one) => new X509Certificate(one))
}
