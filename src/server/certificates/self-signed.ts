/**
 * The self-signed certificate that a node starts with: its names and addresses are in it, so that a client that trusts
 * it can also verify whom it talks to. ECDSA P-256, because every client of the last ten years knows it and a handshake
 * costs a fraction of RSA's.
 */
import { webcrypto } from 'node:crypto'
import { isIP } from 'node:net'

/** Browsers refuse server certificates of more than 825 days when they trust them. */
const VALID_DAYS = 820
const CURVE = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const

export type KeyAndCertificate = { readonly key: string; readonly cert: string }

/** Both as PEM. `names`: DNS names and IP addresses, the first one is the common name. */
export async function selfSignedCertificate(
  names: readonly [string, ...string[]],
  nowMs: number,
): Promise<KeyAndCertificate> {
  // Needed once in the life of a node, so it must not cost every start its loading time.
  await import('reflect-metadata')
  const x509 = await import('@peculiar/x509')
  x509.cryptoProvider.set(webcrypto)
  const keys = await webcrypto.subtle.generateKey(CURVE, true, ['sign', 'verify'])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [names[0]] }, { O: ['Holdfast'] }],
    notBefore: new Date(nowMs - 3_600_000),
    notAfter: new Date(nowMs + VALID_DAYS * 86_400_000),
    signingAlgorithm: CURVE,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      // A replica shows it to its primary.
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      new x509.SubjectAlternativeNameExtension(
        [...new Set(names)].map((value) => ({ type: isIP(value) === 0 ? ('dns' as const) : ('ip' as const), value })),
      ),
    ],
  })
  const key = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64')
  const lines = key.match(/.{1,64}/g) ?? []
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${lines.join('\n')}\n-----END PRIVATE KEY-----\n`,
    cert: certificate.toString('pem'),
  }
}
