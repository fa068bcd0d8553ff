/**
 * One question to one responder, over HTTP, answered in time or not at all.
 */
import type { X509Certificate } from 'node:crypto'
import type { OcspAnswer } from '#model/documents/ocsp.ts'
import { NoAnswer, ocspQuestion, readOcspAnswer } from './message.ts'

/** An answer with a certificate or two has some two thousand bytes. */
const MOST_BYTES = 65_536

export type Ask = {
  readonly certificate: X509Certificate
  readonly issuer: X509Certificate
  readonly responderUrl: string
  readonly timeoutMs: number
  readonly now: () => number
}

/** Rejects with NoAnswer, whatever it was, and at the latest after `timeoutMs`; or when `signal` says so. */
export async function askResponder(ask: Ask, { signal }: { signal: AbortSignal }): Promise<OcspAnswer> {
  const question = await ocspQuestion(ask.certificate, ask.issuer)
  const timeout = AbortSignal.timeout(ask.timeoutMs)
  const bytes = await post(ask.responderUrl, question.bytes, AbortSignal.any([signal, timeout])).catch((error) => {
    if (error instanceof NoAnswer) throw error
    if (timeout.aborted) throw new NoAnswer('the responder did not answer in time')
    throw new NoAnswer(`the responder cannot be reached: ${reasonOf(error)}`)
  })
  return await readOcspAnswer(bytes, question, ask.now())
}

async function post(url: string, body: Buffer, signal: AbortSignal): Promise<Buffer> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
    body,
    // It is named in a certificate: that is who may answer.
    redirect: 'error',
    signal,
  })
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of response.body ?? []) {
    length += chunk.length
    if (length > MOST_BYTES) throw new NoAnswer(`the responder sent more than ${MOST_BYTES} bytes`)
    chunks.push(chunk)
  }
  if (response.status !== 200) throw new NoAnswer(`the responder answered with HTTP status ${response.status}`)
  return Buffer.concat(chunks)
}

/** fetch hides it in the cause. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  if (cause instanceof AggregateError) return reasonOf(cause.errors[0])
  return cause instanceof Error ? cause.message : String(cause)
}
