/**
 * A certificate with its private key: one of the cluster's by its name, or the one of a database.
 */
import Type, { type Static } from 'typebox'

export const CertificateDocument = Type.Object({
  /** PEM, the certificate itself first, then those that signed it. */
  certificate: Type.String(),
  /** PEM; empty for what only says whom to trust. Sealed at rest. */
  key: Type.String(),
  /** Made here and signed by itself: may be made anew before it runs out. */
  isOwn: Type.Boolean(),
})
export type CertificateDocument = Static<typeof CertificateDocument>
