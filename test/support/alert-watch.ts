/**
 * Everybody who hears of alerts: the API, the log of events, a webhook and somebody with a mailbox. An alert counts as
 * raised, or over, when all four say so.
 */
import assert from 'node:assert/strict'
import type { CleanUps, Instance } from './instance.ts'
import { type MailServer, startMailServer } from './mail-server.ts'
import { until } from './wait.ts'
import { startWebhookReceiver, type WebhookReceiver } from './webhook-receiver.ts'

export type Noun = 'cluster' | 'nodes' | 'bdbs'

export class AlertWatch {
  readonly #it: Instance
  readonly #mails: MailServer
  readonly #receiver: WebhookReceiver

  constructor(it: Instance, mails: MailServer, receiver: WebhookReceiver) {
    this.#it = it
    this.#mails = mails
    this.#receiver = receiver
  }

  async set(settings: object): Promise<void> {
    const reply = await this.#it.api.put('/v1/cluster', settings)
    assert.equal(reply.status, 200, reply.text)
  }

  async setOf(uid: number, settings: object): Promise<void> {
    const reply = await this.#it.api.post(`/v1/bdbs/alerts/${uid}`, settings)
    assert.equal(reply.status, 200, reply.text)
  }

  /** Resolves with the value that it changed with. */
  // biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
  seen(noun: Noun, name: string, uid?: number): Promise<any> {
    return this.#everywhere(noun, name, uid, true)
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
  over(noun: Noun, name: string, uid?: number): Promise<any> {
    return this.#everywhere(noun, name, uid, false)
  }

  // biome-ignore lint/suspicious/noExplicitAny: answers are what the tests are about
  async #everywhere(noun: Noun, name: string, uid: number | undefined, isOn: boolean): Promise<any> {
    const { api } = this.#it
    const path = `/v1/${noun}/alerts${uid === undefined ? '' : `/${uid}`}/${name}`
    const { json } = await until(`${name} to be ${isOn}`, async () => {
      const reply = await api.get(path)
      if (reply.json.state !== isOn) throw new Error(reply.text)
      return reply
    })
    assert.ok(json.enabled)
    const object = noun === 'cluster' ? 'cluster' : `${noun === 'nodes' ? 'node' : 'bdb'}:${uid}`
    const event = name.replace(/^(cluster|node|bdb)_/, '')
    await until(`the event ${event}`, async () => {
      const { json: events } = await api.get('/v1/logs?order=desc&limit=40')
      return events.some(
        (one: Record<string, unknown>) => one.type === event && one.object === object && one.state === isOn,
      )
    })
    await until(`${name} at the webhook`, () =>
      this.#receiver.deliveries.some(({ body }) =>
        JSON.parse(body).alerts.some(
          (one: Record<string, unknown>) => one.name === name && one.object === object && one.state === isOn,
        ),
      ),
    )
    if (noun !== 'bdbs' || (await api.get(`/v1/bdbs/${uid}`)).json.email_alerts)
      await until(`${name} in a mail`, () =>
        this.#mails.mails.some(({ text }) => {
          const [raised = '', ended = ''] = unfolded(text).split(/^Over\r?$/m)
          return (isOn ? raised : ended).includes(name)
        }),
      )
    return json.change_value
  }
}

/** Has the cluster send its mails and webhooks, all of them, to receivers of the test's own. */
export async function watchAlerts(t: CleanUps, it: Instance): Promise<AlertWatch> {
  const mails = await startMailServer(t)
  const receiver = await startWebhookReceiver(t)
  const watch = new AlertWatch(it, mails, receiver)
  await watch.set({
    smtp_host: '127.0.0.1',
    smtp_port: mails.port,
    email_from: 'holdfast@example.com',
    email_alerts: true,
  })
  const people = await it.api.put('/v1/users/1', { cluster_email_alerts: true, email_alerts: true })
  assert.equal(people.status, 200, people.text)
  assert.equal((await it.api.post('/v1/webhooks', { url: receiver.url })).status, 200)
  return watch
}

/** Quoted-printable lines put together again. */
function unfolded(mail: string): string {
  return mail.slice(mail.indexOf('\r\n\r\n')).replace(/=\r?\n/g, '')
}
