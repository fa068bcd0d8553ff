/**
 * Those who are told about alerts: webhooks, and people by mail. Made by main, asked by the routes.
 */
import { randomUUID } from 'node:crypto'
import type { RaisedAlert } from '#model/alerts/board.ts'
import type { AlertNews } from '#model/alerts/message.ts'
import type { DeliveryStatus, Notifier, TrialOutcome } from '#model/alerts/notifier.ts'
import type { WebhookDocument } from '#model/alerts/webhook.ts'
import type { State } from '#store/state.ts'
import { mailReceivers, mailSettings, sendOneMail } from './mail.ts'
import { type Receiver, Teller, type TellerOptions } from './teller.ts'
import { sendToWebhook } from './webhook.ts'

const TRIAL_PATIENCE_MS = 15_000
const RANKS = { INFO: 0, WARNING: 1, ERROR: 2 } as const

export type NotificationsOptions = Omit<TellerOptions, 'receivers'>

export class Notifications implements Notifier {
  readonly #state: State
  readonly #now: () => number
  readonly #teller: Teller

  constructor(options: NotificationsOptions) {
    this.#state = options.state
    this.#now = options.now
    this.#teller = new Teller({ ...options, receivers: () => [...this.#webhooks(), ...mailReceivers(this.#state)] })
  }

  start(): void {
    const { webhooks, cluster, view } = this.#state
    view.onChange((collection, id) => {
      if (collection === webhooks) this.#teller.forgive(receiverId(id))
      if (collection === cluster) this.#teller.forgive('mail')
    })
    this.#teller.start()
  }

  close(): Promise<void> {
    return this.#teller.close()
  }

  statusOf(webhookUid: number): DeliveryStatus {
    return this.#teller.status(receiverId(webhookUid))
  }

  tryWebhook(webhook: WebhookDocument): Promise<TrialOutcome> {
    return outcomeOf((signal) => sendToWebhook(webhook, this.#trial(), signal))
  }

  async tryMail(to: string): Promise<TrialOutcome> {
    const settings = mailSettings(this.#state)
    if (!settings) return 'Set smtp_host and email_from at PUT /v1/cluster first.'
    const { cluster } = this.#trial()
    const mail = { subject: `[${cluster}] Test`, text: `This mail was asked for, to see whether mail arrives.\n` }
    return await outcomeOf((signal) => sendOneMail(settings, to, mail, signal))
  }

  #webhooks(): Receiver[] {
    return [...this.#state.webhooks.values()]
      .map(({ value }) => value)
      .filter(({ enabled }) => enabled)
      .map((webhook) => ({
        id: receiverId(webhook.uid),
        name: `Webhook ${webhook.uid}`,
        lane: receiverId(webhook.uid),
        wants: (alert) => wants(webhook, alert),
        send: (news, signal) => sendToWebhook(webhook, news, signal),
      }))
  }

  /** Raised and over in one, so that nothing is left open; a name of its own, so that it stands for no alert. */
  #trial(): AlertNews {
    const nowMs = this.#now()
    const cluster = this.#state.cluster.get('')?.value.name ?? ''
    const alert = {
      key: `test/${randomUUID()}`,
      name: 'test',
      object: 'cluster',
      objectName: '',
      severity: 'INFO',
      says: 'This is a test',
      sinceMs: nowMs,
    } as const
    return { cluster, nowMs, raised: [{ ...alert, value: { state: true } }], cleared: [alert] }
  }
}

function receiverId(webhookUid: number | string): string {
  return `webhook-${webhookUid}`
}

function wants({ alerts, minSeverity }: WebhookDocument, { name, severity }: RaisedAlert): boolean {
  return (alerts.length === 0 || alerts.includes(name)) && RANKS[severity] >= RANKS[minSeverity]
}

async function outcomeOf(send: (signal: AbortSignal) => Promise<void>): Promise<TrialOutcome> {
  try {
    await send(AbortSignal.timeout(TRIAL_PATIENCE_MS))
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
