/**
 * What the routes may ask of those who tell people about alerts: how it goes, and a message on trial.
 */
import type { WebhookDocument } from './webhook.ts'

export type DeliveryStatus = {
  /** Null: never. */
  readonly lastSuccessAtMs: number | null
  /** Null: the last attempt did not fail. */
  readonly lastError: string | null
  /** In a row. */
  readonly failures: number
  /** Alerts that the receiver knows to be raised. */
  readonly toldCount: number
}

/** Null: it arrived; otherwise why not, in words. */
export type TrialOutcome = string | null

export interface Notifier {
  statusOf(webhookUid: number): DeliveryStatus
  /** Sends a message that says that it is a test. Never rejects. */
  tryWebhook(webhook: WebhookDocument): Promise<TrialOutcome>
  tryMail(to: string): Promise<TrialOutcome>
}
