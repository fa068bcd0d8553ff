/**
 * Certificates for tests: an authority, and whom it signs.
 */
import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

x509.cryptoProvider.set(webcrypto)
const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
const DAY_MS = 86_400_000

export type Issued = { readonly certificate: string; readonly key: string }
/** With its own key: what it has is self-signed. */
export type Authority = Issued & { issue(name: string, days?: number): Promise<Issued> }

/** `days` may be negative: then it has run out. */
export async function makeAuthority(name: string): Promise<Authority> {
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const own = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [name] }],
    notBefore: new Date(Date.now() - 10 * DAY_MS),
    notAfter: new Date(Date.now() + 100 * DAY_MS),
    signingAlgorithm: CURVE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  })
  const issue = async (subject: string, days = 30): Promise<Issued> => {
    const pair = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
    const made = await x509.X509CertificateGenerator.create({
      subject: [{ CN: [subject] }],
      issuer: own.subjectName,
      notBefore: new Date(Date.now() - 9 * DAY_MS),
      notAfter: new Date(Date.now() + days * DAY_MS),
      signingAlgorithm: CURVE,
      publicKey: pair.publicKey,
      signingKey: keys.privateKey,
      extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
    })
    return { certificate: made.toString('pem'), key: await keyPem(pair.privateKey) }
  }
  return { certificate: own.toString('pem'), key: await keyPem(keys.privateKey), issue }
}

async function keyPem(key: webcrypto.CryptoKey): Promise<string> {
  const text = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', key)).toString('base64')
  return `-----BEGIN PRIVATE KEY-----\n${(text.match(/.{1,64}/g) ?? []).join('\n')}\n-----END PRIVATE KEY-----\n`
}
