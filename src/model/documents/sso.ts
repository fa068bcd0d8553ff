/**
 * How people sign in through an identity provider, and who has. A login is written down before it is answered: it is
 * what makes sure that an assertion is used once, and what tokens of that login stand on.
 */
import Type, { type Static } from 'typebox'

export const SsoDocument = Type.Object({
  /** In the API's field names. */
  settings: Type.Record(Type.String(), Type.Unknown()),
  /** Of the identity provider, in Base64 as it was uploaded; empty: its settings were given one by one. */
  metadata: Type.String(),
  /**
   * When it was last turned on, or another identity provider, or certificate of it, became the one, in milliseconds: earlier
   * logins are over.
   */
  sinceMs: Type.Integer({ minimum: 0 }),
})
export type SsoDocument = Static<typeof SsoDocument>

/** Times in milliseconds since the epoch. */
export const SsoLoginDocument = Type.Object({
  userUid: Type.Integer({ minimum: 1 }),
  /** As the settings had it. */
  sinceMs: Type.Integer({ minimum: 0 }),
  /** From then on it needs another login; a logout sets it to the moment of the logout. */
  endsAtMs: Type.Integer({ minimum: 0 }),
  /** Until then the assertion could be shown again. */
  assertionEndsAtMs: Type.Integer({ minimum: 0 }),
  /** How the identity provider knows this login, for the logout. */
  nameId: Type.String(),
  nameIdFormat: Type.String(),
  sessionIndex: Type.String(),
})
export type SsoLoginDocument = Static<typeof SsoLoginDocument>
