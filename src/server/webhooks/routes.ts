/**
 * /v1/webhooks (not in the original): where changes of alerts are sent, and a trial of mail. Secrets go in and never come
 * out; of an address nothing is shown that could be one.
 */
import { X509Certificate } from 'node:crypto'
import Type from 'typebox'
import {
  type GivenWebhook,
  incomplete,
  shownUrl,
  WEBHOOKS_MAX,
  type WebhookDocument,
  WebhookObject,
  webhookParser,
} from '#model/alerts/webhook.ts'
import type { Held } from '#store/collection.ts'
import { changeAccess, uidIn } from '../access/changes.ts'
import { wireTime } from '../databases/render.ts'
import { type RefusalCode, refuse } from '../errors.ts'
import { objectBody } from '../http/body.ts'
import { parseGiven } from '../http/parse.ts'
import { DRY_RUN } from '../http/query.ts'
import type { ApiRequest, Route } from '../http/route.ts'
import type { Parts } from '../parts.ts'
import { CHANGE_REFUSALS } from '../settings-object.ts'

const BAD: readonly RefusalCode[] = [
  'unknown_field',
  'invalid_field',
  'missing_field',
  'invalid_configuration',
  'invalid_certificate',
  ...CHANGE_REFUSALS,
]
const Outcome = Type.Object({ delivered: Type.Boolean(), error: Type.String() })

export const webhookRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/v1/webhooks',
    access: 'update_cluster',
    summary: 'Where changes of alerts are sent (not in the original)',
    answers: Type.Array(WebhookObject),
    refusals: [],
    handle: (_request, parts) => ({
      json: [...parts.state.webhooks.values()]
        .map(({ value }) => render(parts, value))
        .sort((one, other) => one.uid - other.uid),
    }),
  },
  {
    method: 'GET',
    path: '/v1/webhooks/{uid}',
    access: 'update_cluster',
    summary: 'One webhook, and whether it is reached',
    answers: WebhookObject,
    refusals: ['webhook_not_exist'],
    handle: (request, parts) => ({ json: render(parts, find(request, parts).value) }),
  },
  {
    method: 'POST',
    path: '/v1/webhooks',
    access: 'update_cluster',
    summary: 'Have changes of alerts sent somewhere',
    query: [DRY_RUN],
    body: WebhookObject,
    answers: WebhookObject,
    refusals: [...BAD, 'too_many_webhooks'],
    handle: async (request, parts) => ({ json: render(parts, await createWebhook(request, parts)) }),
  },
  {
    method: 'PUT',
    path: '/v1/webhooks/{uid}',
    access: 'update_cluster',
    summary: 'Change a webhook',
    query: [DRY_RUN],
    body: WebhookObject,
    answers: WebhookObject,
    refusals: [...BAD, 'webhook_not_exist'],
    handle: async (request, parts) => ({ json: render(parts, await updateWebhook(request, parts)) }),
  },
  {
    method: 'DELETE',
    path: '/v1/webhooks/{uid}',
    access: 'update_cluster',
    summary: 'Send nothing there any more',
    query: [DRY_RUN],
    refusals: ['webhook_not_exist', ...CHANGE_REFUSALS],
    handle: async (request, parts) => {
      const { webhooks } = parts.state
      const { id } = find(request, parts)
      await changeAccess(request, parts, () => ({
        changes: [webhooks.delete(id)],
        compare: [],
        result: undefined,
      }))
      return { json: {} }
    },
  },
  {
    method: 'POST',
    path: '/v1/webhooks/{uid}/test',
    access: 'update_cluster',
    summary: 'Send a test there now, and say how it went',
    answers: Outcome,
    refusals: ['webhook_not_exist'],
    handle: async (request, parts) => {
      const error = await parts.notifier.tryWebhook(find(request, parts).value)
      return { json: { delivered: error === null, error: error ?? '' } }
    },
  },
  {
    method: 'POST',
    path: '/v1/cluster/test_email',
    access: 'update_cluster',
    summary: 'Send a mail on trial now, and say how it went (not in the original)',
    body: Type.Object({ email: Type.String({ description: 'Who gets it.' }) }),
    answers: Outcome,
    refusals: ['unknown_field', 'invalid_field', 'missing_field'],
    handle: async (request, parts) => {
      const { email, ...rest } = objectBody(request.body)
      const [unknown] = Object.keys(rest)
      if (unknown !== undefined)
        refuse('unknown_field', { field: unknown.slice(0, 40), description: 'There is only email here.' })
      if (email === undefined) refuse('missing_field', { field: 'email', description: 'Say who gets the mail: email.' })
      if (typeof email !== 'string' || !ADDRESS.test(email))
        return refuse('invalid_field', { field: 'email', description: 'email must be an address: ops@example.com.' })
      const error = await parts.notifier.tryMail(email)
      return { json: { delivered: error === null, error: error ?? '' } }
    },
  },
]

const ADDRESS = /^[^\s<>(),;:"@]{1,64}@[^\s<>(),;:"@]{1,190}$/

function createWebhook(request: ApiRequest, parts: Parts): Promise<WebhookDocument> {
  const given = parseGiven(webhookParser, request, 'create')
  if (given.url === undefined) return refuse('missing_field', { field: 'url', description: 'A webhook needs a url.' })
  const { webhooks } = parts.state
  return changeAccess(request, parts, ({ uidOf }) => {
    if (webhooks.size >= WEBHOOKS_MAX) refuse('too_many_webhooks')
    const made = whole({ ...given }, { ...EMPTY, uid: uidOf('webhook') })
    return { changes: [webhooks.put(made.uid, made)], compare: [webhooks.unchanged(made.uid, undefined)], result: made }
  })
}

function updateWebhook(request: ApiRequest, parts: Parts): Promise<WebhookDocument> {
  const { webhooks } = parts.state
  return changeAccess(request, parts, () => {
    const held = find(request, parts)
    const { url, ...rest } = parseGiven(webhookParser, request, 'update', render(parts, held.value))
    // What was read can be sent back: the address with its secret left out means the one that there is.
    const isOther = url !== undefined && url !== shownUrl(held.value.url)
    const changed = whole(isOther ? { ...rest, url } : rest, held.value)
    if (rest.secret === undefined) checkSecretStays(held.value, changed)
    return {
      changes: [webhooks.put(changed.uid, changed)],
      compare: [webhooks.unchanged(changed.uid, held)],
      result: changed,
    }
  })
}

/** Throws a Refusal when a secret that is never shown would go to somebody else, or in the clear instead of in a signature. */
function checkSecretStays(before: WebhookDocument, changed: WebhookDocument): void {
  const isSame = new URL(before.url).origin === new URL(changed.url).origin && before.format === changed.format
  if (before.secret === '' || isSame) return
  const description = 'The secret was given for another receiver or format: send it anew, or "" for none.'
  refuse('missing_field', { field: 'secret', description })
}

const EMPTY: Omit<WebhookDocument, 'uid'> = {
  name: '',
  url: '',
  format: 'json',
  enabled: true,
  secret: '',
  caCertificate: '',
  alerts: [],
  minSeverity: 'INFO',
}

/** Throws a Refusal when something is missing. */
function whole(given: GivenWebhook, before: WebhookDocument): WebhookDocument {
  const { ca_certificate: caCertificate, min_severity: minSeverity, alerts, ...same } = given
  const made: WebhookDocument = {
    ...before,
    ...same,
    caCertificate: caCertificate ?? before.caCertificate,
    minSeverity: minSeverity ?? before.minSeverity,
    alerts: [...new Set(alerts ?? before.alerts)],
  }
  if (made.caCertificate !== '' && !isCertificate(made.caCertificate))
    refuse('invalid_certificate', { field: 'ca_certificate' })
  const problem = incomplete(made)
  return problem ? refuse('invalid_configuration', problem) : made
}

function isCertificate(pem: string): boolean {
  try {
    return new X509Certificate(pem).subject !== undefined
  } catch {
    return false
  }
}

function find(request: ApiRequest, { state }: Parts): Held<WebhookDocument> {
  return state.webhooks.get(uidIn(request, 'webhook_not_exist')) ?? refuse('webhook_not_exist')
}

function render(parts: Parts, webhook: WebhookDocument) {
  const { uid, name, url, format, enabled, secret, caCertificate, alerts, minSeverity } = webhook
  const { lastSuccessAtMs, lastError, failures, toldCount } = parts.notifier.statusOf(uid)
  return {
    uid,
    name,
    url: shownUrl(url),
    format,
    enabled,
    has_secret: secret !== '',
    ca_certificate: caCertificate,
    alerts,
    min_severity: minSeverity,
    last_success: lastSuccessAtMs === null ? '' : wireTime(new Date(lastSuccessAtMs).toISOString()),
    last_error: lastError ?? '',
    failures,
    told: toldCount,
  }
}
