/**
 * The webhook object of the API (not in the original): where changes of alerts are sent, and in whose format. The address
 * and the secret are sealed at rest; the secret is never shown, and of an address only what tells nothing: those of chats
 * hold the right to write there.
 */
import Type, { type Static } from 'typebox'
import { applied, reported } from '../field.ts'
import { compileObject, type ObjectParser } from '../parse.ts'
import type { Problem } from '../problem.ts'
import { flag, list, objectOf, oneOf, text, uidOf, whole } from '../shapes.ts'
import { ALERTS } from './catalogue.ts'

export const WEBHOOK_FORMATS = ['json', 'slack', 'pagerduty', 'alertmanager'] as const
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number]

const SEVERITIES = ['INFO', 'WARNING', 'ERROR'] as const
export const WEBHOOKS_MAX = 100
const URL_MAX = 2_048

const SECRET = { 'x-secret': true, 'x-shown': 'never', writeOnly: true } as const

const fields = {
  uid: reported(uidOf('The number of the webhook.')),
  name: applied(text('', 'What people call it.', { maxLength: 128 })),
  url: applied(
    text('', 'Where it is sent: https://… or http://…; shown without what may be secret.', {
      maxLength: URL_MAX,
    }),
    { 'x-secret': true },
  ),
  format: applied(oneOf([...WEBHOOK_FORMATS], 'json', 'In whose format.')),
  enabled: applied(flag(true, 'Whether anything is sent.')),
  secret: applied(
    text(
      '',
      'json: signs bodies; pagerduty: the routing key; alertmanager: a bearer token. Another receiver or format needs it anew.',
      { maxLength: 1_024 },
    ),
    SECRET,
  ),
  has_secret: reported(flag(false, 'Whether there is a secret.')),
  ca_certificate: applied(
    text('', 'PEM of who signed the certificate of the receiver; empty: those that everybody trusts.', {
      maxLength: 65_536,
    }),
  ),
  alerts: applied(list(text('', 'The name of an alert.', { maxLength: 64 }), 'These alerts alone; empty: all.', 100)),
  min_severity: applied(oneOf([...SEVERITIES], 'INFO', 'Alerts of this severity and above.')),
  last_success: reported(text('', 'When something was last delivered; empty: never since the start.')),
  last_error: reported(text('', 'Why the last attempt failed; empty: it did not.')),
  failures: reported(whole(0, 'Attempts in a row that failed.')),
  told: reported(whole(0, 'Alerts that the receiver knows to be raised.')),
}

export const WebhookObject = objectOf('webhook', fields)

export type GivenWebhook = {
  readonly name?: string
  readonly url?: string
  readonly format?: WebhookFormat
  readonly enabled?: boolean
  readonly secret?: string
  readonly ca_certificate?: string
  readonly alerts?: readonly string[]
  readonly min_severity?: (typeof SEVERITIES)[number]
}

export const WebhookDocument = Type.Object({
  uid: Type.Integer({ minimum: 1 }),
  name: Type.String(),
  url: Type.String(),
  format: Type.Enum([...WEBHOOK_FORMATS]),
  enabled: Type.Boolean(),
  secret: Type.String(),
  caCertificate: Type.String(),
  alerts: Type.Array(Type.String()),
  minSeverity: Type.Enum([...SEVERITIES]),
})
export type WebhookDocument = Static<typeof WebhookDocument>

export const webhookParser: ObjectParser<GivenWebhook> = compileObject<GivenWebhook>(WebhookObject, {
  rules: [urlProblem, alertsProblem],
})

function urlProblem({ url }: GivenWebhook): Problem | null {
  if (url === undefined) return null
  const parsed = URL.canParse(url) ? new URL(url) : null
  // Credentials in an address end up in logs of proxies and receivers.
  const isFine = parsed && /^https?:$/.test(parsed.protocol) && parsed.username === '' && parsed.password === ''
  if (isFine && parsed.hash === '') return null
  const description = 'url must be https://host/path or http://host/path, without a user name, password or fragment.'
  return { code: 'invalid_field', field: 'url', description }
}

function alertsProblem({ alerts = [] }: GivenWebhook): Problem | null {
  const known = new Set(Object.values(ALERTS).flatMap((kinds) => kinds.map(({ name }) => name)))
  const at = alerts.findIndex((name) => !known.has(name))
  if (at < 0) return null
  const description = `There is no alert ${JSON.stringify(alerts[at]?.slice(0, 64))}.`
  return { code: 'invalid_field', field: `alerts[${at}]`, description }
}

/** What one format needs beside the address; null: nothing is missing. */
export function incomplete({ format, secret }: Pick<WebhookDocument, 'format' | 'secret'>): Problem | null {
  if (format !== 'pagerduty' || secret !== '') return null
  return { code: 'invalid_configuration', field: 'secret', description: 'PagerDuty needs a routing key, as secret.' }
}

/** Host and port alone, where the path is as good as a password. */
export function shownUrl(url: string): string {
  const { protocol, host, pathname } = new URL(url)
  return pathname === '/' ? `${protocol}//${host}/` : `${protocol}//${host}/********`
}
