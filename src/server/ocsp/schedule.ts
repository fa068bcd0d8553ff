/**
 * When the responder is asked next, and what remains of its last answer when it gives none. Pure. As long as it says
 * GOOD every `query_frequency`; after anything else `recovery_max_tries` times every `recovery_frequency`, during which
 * the last answer still counts; then it does not any more, and it is `query_frequency` again.
 */
import type { OcspAnswer, OcspStatusDocument } from '#model/documents/ocsp.ts'
import type { OcspSettings } from '#model/ocsp.ts'

export type Asked = { readonly fingerprint: string; readonly responderUrl: string; readonly atMs: number }
export type Outcome = { readonly answer: OcspAnswer } | { readonly problem: string }

/** Of the certificate with this fingerprint. 0: at once. */
export function nextQueryMs(
  settings: OcspSettings,
  status: OcspStatusDocument | undefined,
  fingerprint: string,
  nowMs: number,
): number {
  // Asked in the future: the clock was set back, and waiting for it could take years.
  if (status?.fingerprint !== fingerprint || status.askedAtMs > nowMs) return 0
  const isRecovering = status.tries > 0 && status.tries <= settings.recovery_max_tries
  return status.askedAtMs + 1000 * (isRecovering ? settings.recovery_frequency : settings.query_frequency)
}

export function afterQuery(
  settings: OcspSettings,
  before: OcspStatusDocument | undefined,
  asked: Asked,
  outcome: Outcome,
): OcspStatusDocument {
  const { fingerprint, responderUrl, atMs: askedAtMs } = asked
  const known = before?.fingerprint === fingerprint ? before : undefined
  const isGood = 'answer' in outcome && outcome.answer.status === 'GOOD'
  const tries = isGood ? 0 : (known?.tries ?? 0) + 1
  const base = { fingerprint, responderUrl, askedAtMs, tries }
  if ('answer' in outcome) return { ...base, answer: outcome.answer, problem: '' }
  const held = known?.answer ?? null
  const isOver = tries > settings.recovery_max_tries || (held?.nextUpdateMs ?? Number.POSITIVE_INFINITY) <= askedAtMs
  // Nobody un-revokes a certificate by keeping its responder from answering.
  return { ...base, answer: held?.status === 'GOOD' && isOver ? null : held, problem: outcome.problem }
}
