/**
 * The certificates that a cluster makes for itself: when it has none, and anew before they run out.
 */
import { X509Certificate } from 'node:crypto'
import { OWN_CERTIFICATES } from '#model/certificate-names.ts'
import type { CertificateDocument } from '#model/documents/certificate.ts'
import type { State } from '#store/state.ts'
import { selfSignedCertificate } from './self-signed.ts'

const DAY_MS = 86_400_000
/** With less than this left of one that we cannot make anew, people are told. */
const WARN_BEFORE_MS = 45 * DAY_MS
const TRIES = 5

export type Names = readonly [string, ...string[]]

export async function ownCertificate(names: Names, nowMs: number): Promise<CertificateDocument> {
  const { key, cert } = await selfSignedCertificate(names, nowMs)
  return { certificate: cert, key, isOwn: true }
}

/**
 * Makes what is missing, and what runs out within so many days: clients that trust it need time to learn the next one.
 * `api`: what the API has used so far, if it has. */
export async function ensureCertificates(
  state: State,
  options: {
    readonly names: Names
    readonly nowMs: number
    readonly renewDays: number
    readonly api?: CertificateDocument
  },
): Promise<void> {
  const { names, nowMs, renewDays, api } = options
  const lacksTime = (one: CertificateDocument | undefined) =>
    !one || (one.isOwn && leftMs(one, nowMs) < renewDays * DAY_MS)
  for (let tries = 0; tries < TRIES; tries++) {
    const lacking = OWN_CERTIFICATES.filter((name) => lacksTime(state.certificates.get(name)?.value))
    if (lacking.length === 0) return
    const made = await Promise.all(
      lacking.map(async (name) => ({
        name,
        value: name === 'api' && api && !lacksTime(api) ? api : await ownCertificate(names, nowMs),
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
    const left = leftMs(value, nowMs)
    return left < WARN_BEFORE_MS ? [{ name: id, days: Math.floor(left / DAY_MS) }] : []
  })
}

function leftMs({ certificate }: CertificateDocument, nowMs: number): number {
  return new X509Certificate(certificate).validToDate.getTime() - nowMs
}
