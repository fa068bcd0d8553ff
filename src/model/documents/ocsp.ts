/**
 * How the certificate of the proxy is checked by OCSP, and what came of it last. The second is written behind the
 * first, whenever somebody has been asked: a query is no change of the configuration.
 */
import Type, { type Static } from 'typebox'
import { CERTIFICATE_STATUSES } from '../ocsp.ts'

export const OcspDocument = Type.Object({
  /** In the API's field names. */
  settings: Type.Record(Type.String(), Type.Unknown()),
})
export type OcspDocument = Static<typeof OcspDocument>

/** What a responder has signed. Times in milliseconds since the epoch. */
export const OcspAnswer = Type.Object({
  status: Type.Enum([...CERTIFICATE_STATUSES]),
  producedAtMs: Type.Integer(),
  thisUpdateMs: Type.Integer(),
  nextUpdateMs: Type.Optional(Type.Integer()),
  revokedAtMs: Type.Optional(Type.Integer()),
})
export type OcspAnswer = Static<typeof OcspAnswer>

export const OcspStatusDocument = Type.Object({
  /** The SHA-256 of the certificate that was asked about: what was said of another one means nothing. */
  fingerprint: Type.String(),
  responderUrl: Type.String(),
  askedAtMs: Type.Integer({ minimum: 0 }),
  /** Queries since the last GOOD one. */
  tries: Type.Integer({ minimum: 0 }),
  /** The last one that counts; null: none. */
  answer: Type.Union([OcspAnswer, Type.Null()]),
  /** Why the last query gave no answer; empty: it gave one. */
  problem: Type.String(),
})
export type OcspStatusDocument = Static<typeof OcspStatusDocument>
