/**
 * The certificates that a cluster makes for itself: when it has none, and anew before they run out.
 */
import { X509Certificate } from 'node:crypto'
import { OWN_CERTIFICATES } from '#model/certificate-names.ts'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import type { State } from '#store/state.ts'
import { selfSignedCertificate } from './self-signed.ts'

const DAY_MS = 86_400_000
/** With less than this left it is made anew: clients that trust it need time to learn the next one. */
const RENEW_BEFORE_MS = 30 * DAY_MS
/** With less than this left of one that we cannot make anew, people are told. */
const WARN_BEFORE_MS = 45 * DAY_MS
const TRIES = 5

export type Names = readonly [string, ...string[]]

export async function ownCertificate(names: Names, nowMs: number): Promise<CertificateDocument> {
  const { key, cert } = await selfSignedCertificate(names, nowMs)
  return { certificate: cert, key, isOwn: true }
}

/** Makes what is missing or runs out. `api`: what the API has used so far, if it has. */
export async function ensureCertificates(
  state: State,
  options: { readonly names: Names; readonly nowMs: number; readonly api?: CertificateDocument },
): Promise<void> {
  const { names, nowMs, api } = options
  for (let tries = 0; tries < TRIES; tries++) {
    const lacking = OWN_CERTIFICATES.filter((name) => lacksTime(state.certificates.get(name)?.value, nowMs))
    if (lacking.length === 0) return
    const made = await Promise.all(
      lacking.map(async (name) => ({
        name,
        value: name === 'api' && api && !lacksTime(api, nowMs) ? api : await ownCertificate(names, nowMs),
      })),
    )
    const outcome = await state.view.commit({
      compare: made.map(({ name }) => state.certificates.unchanged(name, state.certificates.get(name))),
      changes: made.map(({ name, value }) => state.certificates.put(name, value)),
      configuration: true,
    })
    if (outcome.committed) return
  }
}

/** Names of what runs out soon and is somebody else's to replace, with the days that are left. */
export function runningOut(state: State, nowMs: number): { readonly name: string; readonly days: number }[] {
  return [...state.certificates.values()].flatMap(({ id, value }) => {
    const leftMs = new X509Certificate(value.certificate).validToDate.getTime() - nowMs
    return leftMs < WARN_BEFORE_MS ? [{ name: id, days: Math.floor(leftMs / DAY_MS) }] : []
  })
}

function lacksTime(certificate: CertificateDocument | undefined, nowMs: number): boolean {
  if (!certificate) return true
  if (!certificate.isOwn) return false
  return new X509Certificate(certificate.certificate).validToDate.getTime() - nowMs < RENEW_BEFORE_MS
}
