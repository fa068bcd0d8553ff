/**
 * Sends one message to a webhook: a POST that follows no redirect, has a bounded time and reads a bounded answer. The
 * body of the generic format is signed, so that the receiver can tell who it is from and that it is not an old one.
 */
import { createHmac } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { type AlertNews, bodiesOf } from '#model/alerts/message.ts'
import type { WebhookDocument } from '#model/alerts/webhook.ts'
import { NotAccepted } from './not-accepted.ts'

const IDLE_PATIENCE_MS = 10_000
/** Of an answer, which nobody reads but people who look for what is wrong. */
const ANSWER_BYTES = 400

/** Rejects with the reason. Several bodies go one after another; what was sent before is sent again with them. */
export async function sendToWebhook(webhook: WebhookDocument, news: AlertNews, signal: AbortSignal): Promise<void> {
  for (const body of bodiesOf(webhook.format, news, webhook.secret)) await post(webhook, body, news.nowMs, signal)
}

async function post(webhook: WebhookDocument, body: string, nowMs: number, signal: AbortSignal): Promise<void> {
  const { url, caCertificate } = webhook
  const bytes = Buffer.from(body)
  const { protocol } = new URL(url)
  const send = protocol === 'https:' ? httpsRequest : httpRequest
  const { status, text } = await new Promise<{ status: number; text: string }>((resolve, reject) => {
    const request = send(url, {
      method: 'POST',
      signal,
      agent: false,
      timeout: IDLE_PATIENCE_MS,
      headers: {
        'content-type': 'application/json',
        'content-length': bytes.length,
        'user-agent': 'holdfast',
        ...credentials(webhook, body, nowMs),
      },
      ...(caCertificate === '' ? {} : { ca: caCertificate }),
    })
    request.on('timeout', () => request.destroy(new Error('it did not answer in time')))
    request.on('error', reject)
    request.on('response', (response) => {
      let seen = Buffer.alloc(0)
      const done = () => resolve({ status: response.statusCode ?? 0, text: seen.toString('utf8') })
      response.on('data', (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk]).subarray(0, ANSWER_BYTES)
        // What is beyond is not waited for.
        if (seen.length >= ANSWER_BYTES) {
          done()
          request.destroy()
        }
      })
      response.on('end', done)
      response.on('error', reject)
    })
    request.end(bytes)
  })
  if (status >= 200 && status < 300) return
  if (status >= 300 && status < 400) throw new NotAccepted(`it answered ${status}: redirects are not followed`)
  throw new NotAccepted(`it answered ${status}: ${oneLine(text)}`)
}

function credentials({ format, secret }: WebhookDocument, body: string, nowMs: number): Record<string, string> {
  if (secret === '') return {}
  if (format === 'alertmanager') return { authorization: `Bearer ${secret}` }
  if (format !== 'json') return {}
  const time = String(Math.floor(nowMs / 1000))
  const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex')
  return { 'holdfast-timestamp': time, 'holdfast-signature': `sha256=${signature}` }
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim()
}
