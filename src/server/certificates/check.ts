/**
 * Whether a certificate can be used: readable, not run out, with the key that belongs to it, and with those that signed
 * it in order. Each fault is refused by the name of the field.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { refuse } from '../errors.ts'

const PEM_BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
const WEAK_RSA_BITS = 2048

type Fields = { readonly certificate: string; readonly key: string }

/** All certificates of the text, in its order. Throws a Refusal. */
export function readCertificates(pem: unknown, field: string): X509Certificate[] {
  const blocks = typeof pem === 'string' ? (pem.match(PEM_BLOCK) ?? []) : []
  const unreadable = () =>
    refuse('invalid_certificate', { field, description: `${field} must be an X.509 certificate in PEM.` })
  if (blocks.length === 0) return unreadable()
  try {
    return blocks.map((block) => new X509Certificate(block))
  } catch {
    return unreadable()
  }
}

/** Throws a Refusal unless both belong together and can be used at `nowMs`. `fields`: what they are called. */
export function checkPair(pem: unknown, keyPem: unknown, nowMs: number, fields: Fields): void {
  const chain = readCertificates(pem, fields.certificate)
  const [leaf] = chain
  if (!leaf) return
  checkValidity(leaf, nowMs, fields.certificate)
  for (const [index, issuer] of chain.slice(1).entries()) {
    if (!chain[index]?.checkIssued(issuer)) {
      const description = `Certificate ${index + 2} of ${fields.certificate} did not sign the one before it.`
      refuse('invalid_certificate', { field: fields.certificate, description })
    }
  }
  const key = readKey(keyPem, fields.key)
  if (!leaf.checkPrivateKey(key)) {
    const description = `${fields.key} is not the key of the certificate.`
    refuse('certificate_key_mismatch', { field: fields.key, description })
  }
}

/** Throws a Refusal unless each can be trusted at `nowMs`. */
export function checkTrusted(pem: unknown, nowMs: number, field: string): void {
  for (const certificate of readCertificates(pem, field)) checkValidity(certificate, nowMs, field)
}

/** Throws a Refusal unless it stands for itself alone: engines trust whoever the same authority has signed. */
export function checkAlone(pem: unknown, field: string): void {
  const chain = readCertificates(pem, field)
  const [own] = chain
  if (own && chain.length === 1 && own.issuer === own.subject && own.verify(own.publicKey)) return
  const description = `${field} must be self-signed and alone: shards trust this certificate, and nobody else’s.`
  refuse('invalid_certificate', { field, description })
}

/** Throws a Refusal unless all their keys are RSA keys of today's length. */
export function checkRsa(pem: unknown, field: string): void {
  for (const { publicKey } of readCertificates(pem, field)) {
    const { asymmetricKeyType, asymmetricKeyDetails } = publicKey
    if (asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= WEAK_RSA_BITS) continue
    const description = `${field} must be of an RSA key of ${WEAK_RSA_BITS} bits or more: SAML signs with no other.`
    refuse('invalid_certificate', { field, description })
  }
}

function checkValidity(certificate: X509Certificate, nowMs: number, field: string): void {
  if (certificate.validToDate.getTime() <= nowMs)
    refuse('certificate_expired', { field, description: `The certificate ran out on ${certificate.validTo}.` })
  if (certificate.validFromDate.getTime() > nowMs)
    refuse('certificate_expired', {
      field,
      description: `The certificate is not valid before ${certificate.validFrom}.`,
    })
}

function readKey(pem: unknown, field: string): KeyObject {
  const refused = (description: string) => refuse('invalid_private_key', { field, description })
  if (typeof pem !== 'string' || pem === '') return refused(`${field} must be a private key in PEM.`)
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    return refused(`${field} must be a private key in PEM, without a passphrase.`)
  }
  if ((key.asymmetricKeyDetails?.modulusLength ?? WEAK_RSA_BITS) < WEAK_RSA_BITS)
    return refused(`${field} must have ${WEAK_RSA_BITS} bits or more.`)
  return key
}
