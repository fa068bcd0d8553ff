/**
 * The ocsp object of the API: whether and how often the authority that signed the certificate of the proxy is asked if
 * it still stands by it; and the ocsp_status object, what it said last.
 */
import { applied, reported } from './field.ts'
import { compileObject, type ObjectParser, settableDefaultsOf } from './parse.ts'
import { flag, maybeText, objectOf, oneOf, type SettableOf, text, whole } from './shapes.ts'

const fields = {
  ocsp_functionality: applied(flag(false, 'Whether the certificate of the proxy is checked by OCSP.')),
  query_frequency: applied(
    whole(3_600, 'Seconds between two queries while the answer is GOOD.', { minimum: 60, maximum: 86_400 }),
  ),
  response_timeout: applied(
    whole(1, 'Seconds in which the responder must have answered.', { minimum: 1, maximum: 60 }),
  ),
  recovery_frequency: applied(
    whole(60, 'Seconds between two queries while it is not.', { minimum: 60, maximum: 86_400 }),
  ),
  recovery_max_tries: applied(
    whole(5, 'After so many queries without GOOD the last answer counts no more, and query_frequency again.', {
      minimum: 1,
      maximum: 100,
    }),
  ),
  responder_url: reported(text('', 'The responder that the certificate of the proxy names; empty: none.')),
}

export const OcspObject = objectOf('ocsp', fields)

export type OcspSettings = SettableOf<typeof fields>

export const ocspParser: ObjectParser<Partial<OcspSettings>> = compileObject<Partial<OcspSettings>>(OcspObject)

export function ocspDefaults(): OcspSettings {
  return settableDefaultsOf<OcspSettings>(OcspObject)
}

export const CERTIFICATE_STATUSES = ['GOOD', 'REVOKED', 'UNKNOWN'] as const

const WHEN_SET = { 'x-shown': 'when-set' } as const

export const OcspStatusObject = objectOf('ocsp_status', {
  cert_status: reported(oneOf([...CERTIFICATE_STATUSES], 'UNKNOWN', 'UNKNOWN also when nobody has said anything yet.')),
  responder_url: reported(text('', 'Who was asked.')),
  produced_at: reported(maybeText('When the answer was signed.'), WHEN_SET),
  this_update: reported(maybeText('As of when it is right.'), WHEN_SET),
  next_update: reported(maybeText('When there will be a newer one; absent: at any time.'), WHEN_SET),
  revocation_time: reported(maybeText('When the certificate was revoked.'), WHEN_SET),
})
