/**
 * What is sent about alerts, in each format: mail for people, JSON for programs. Pure: a message is made of what changed,
 * and of nothing else.
 */
import type { RaisedAlert } from './board.ts'
import type { ToldAlert } from './telling.ts'
import type { WebhookFormat } from './webhook.ts'

export type AlertNews = {
  readonly cluster: string
  readonly raised: readonly RaisedAlert[]
  readonly cleared: readonly ToldAlert[]
  readonly nowMs: number
}

/** A line of a mail's head must not be longer, and holds names that others chose. */
const SUBJECT_MAX = 150

export type Mail = { readonly subject: string; readonly text: string }

export function mailOf({ cluster, raised, cleared }: AlertNews): Mail {
  const parts = [
    ...raised.map((alert) => `${alert.severity}: ${about(alert)}: ${alert.says}`),
    ...cleared.map((alert) => `OVER: ${about(alert)}: ${alert.says}`),
  ]
  const [first = ''] = parts
  const more = parts.length > 1 ? ` (and ${parts.length - 1} more)` : ''
  return {
    subject: oneLine(`[${cluster}] ${first}${more}`).slice(0, SUBJECT_MAX),
    text: [
      ...section(
        'Raised',
        raised.map((alert) => [...lineOf(alert), ...facts(alert)]),
      ),
      ...section('Over', cleared.map(lineOf)),
      `This mail was sent by the cluster ${cluster}.`,
      '',
    ].join('\n'),
  }
}

function section(title: string, entries: readonly (readonly string[])[]): string[] {
  return entries.length === 0 ? [] : [title, '', ...entries.flatMap((lines) => [...lines, ''])]
}

function lineOf(alert: ToldAlert | RaisedAlert): string[] {
  return [`${alert.severity}  ${about(alert)}`, `  ${alert.says}.`, `  ${alert.name}, since ${iso(alert.sinceMs)}`]
}

function facts({ value }: RaisedAlert): string[] {
  const shown = Object.entries(value).filter(([name]) => name !== 'state')
  return shown.length === 0 ? [] : [`  ${shown.map(([name, one]) => `${name} ${oneLine(String(one))}`).join(', ')}`]
}

/** `database orders (bdb:7)`, `node:1`, `cluster`. */
export function about({ object, objectName }: Pick<ToldAlert, 'object' | 'objectName'>): string {
  return objectName === '' ? object : `database ${oneLine(objectName)} (${object})`
}

export type WebhookBody = string

/** One body for all, or one for each change where the format has no lists. */
export function bodiesOf(format: WebhookFormat, news: AlertNews, secret: string): WebhookBody[] {
  switch (format) {
    case 'json':
      return [JSON.stringify(generic(news))]
    case 'slack':
      return [JSON.stringify(slack(news))]
    case 'alertmanager':
      return [JSON.stringify(alertmanager(news))]
    case 'pagerduty':
      return pagerDuty(news, secret).map((event) => JSON.stringify(event))
  }
}

function generic({ cluster, raised, cleared, nowMs }: AlertNews): object {
  return {
    version: 1,
    cluster,
    time: iso(nowMs),
    alerts: [
      ...raised.map((alert) => ({ state: true, ...shown(alert), change_value: alert.value })),
      ...cleared.map((alert) => ({ state: false, ...shown(alert) })),
    ],
  }
}

function shown({ name, object, objectName, severity, says, sinceMs }: ToldAlert | RaisedAlert): object {
  return { name, object, object_name: objectName, severity, description: says, since: iso(sinceMs) }
}

function slack({ cluster, raised, cleared }: AlertNews): object {
  const lines = [
    ...raised.map((alert) => `:rotating_light: *${alert.severity}* ${escaped(about(alert))}: ${escaped(alert.says)}`),
    ...cleared.map((alert) => `:white_check_mark: *over* ${escaped(about(alert))}: ${escaped(alert.says)}`),
  ]
  return { text: [`*${escaped(cluster)}*`, ...lines].join('\n') }
}

/** What Slack reads as its own: so nobody's name becomes a link or a mention. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** Version 2 of its API: an alert without an end is dropped after a while, unless it is sent again. */
function alertmanager({ cluster, raised, cleared, nowMs }: AlertNews): object[] {
  const labels = ({ name, object, objectName, severity }: ToldAlert | RaisedAlert) => ({
    alertname: name,
    cluster,
    object,
    ...(objectName === '' ? {} : { db_name: objectName }),
    severity: severity.toLowerCase(),
  })
  const annotations = ({ says }: ToldAlert | RaisedAlert) => ({ summary: says })
  return [
    ...raised.map((alert) => ({
      labels: labels(alert),
      annotations: annotations(alert),
      startsAt: new Date(alert.sinceMs).toISOString(),
      endsAt: new Date(nowMs + ALERTMANAGER_KEEPS_MS).toISOString(),
    })),
    ...cleared.map((alert) => ({
      labels: labels(alert),
      annotations: annotations(alert),
      startsAt: new Date(alert.sinceMs).toISOString(),
      endsAt: new Date(nowMs).toISOString(),
    })),
  ]
}

/** It is told when an alert is over; until then it must not think so by itself. */
const ALERTMANAGER_KEEPS_MS = 365 * 86_400_000

/** Events API v2: the key makes the end of an alert find its beginning. */
function pagerDuty({ cluster, raised, cleared }: AlertNews, routingKey: string): object[] {
  const keyOf = ({ key }: ToldAlert | RaisedAlert) => `${cluster}/${key}`.slice(-255)
  return [
    ...raised.map((alert) => ({
      routing_key: routingKey,
      event_action: 'trigger',
      dedup_key: keyOf(alert),
      payload: {
        summary: `${cluster}: ${about(alert)}: ${alert.says}`.slice(0, 1024),
        source: cluster,
        component: alert.object,
        class: alert.name,
        severity: alert.severity.toLowerCase(),
        timestamp: iso(alert.sinceMs),
        custom_details: alert.value,
      },
    })),
    ...cleared.map((alert) => ({ routing_key: routingKey, event_action: 'resolve', dedup_key: keyOf(alert) })),
  ]
}

function iso(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ')
}
