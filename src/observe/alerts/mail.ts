/**
 * Mail about alerts: who gets it, and how it is sent. The mailer is loaded when the first mail is sent.
 */
import type { RaisedAlert } from '#model/alerts/board.ts'
import { type AlertNews, type Mail, mailOf } from '#model/alerts/message.ts'
import { parseObject } from '#model/alerts/object.ts'
import { permissionsOf } from '#model/permissions.ts'
import type { State } from '#store/state.ts'
import { NotAccepted } from './not-accepted.ts'
import type { Receiver } from './teller.ts'

const CONNECT_PATIENCE_MS = 10_000
const IDLE_PATIENCE_MS = 20_000

export type MailSettings = {
  readonly host: string
  readonly port: number
  readonly from: string
  readonly tls: 'none' | 'starttls' | 'tls'
  readonly user: string
  readonly password: string
}

/** Null: there is no server, or nobody to send as. */
export function mailSettings(state: State): MailSettings | null {
  const settings = state.cluster.get('')?.value.settings ?? {}
  const text = (name: string) => (typeof settings[name] === 'string' ? settings[name] : '')
  const [host, from] = [text('smtp_host'), text('email_from')]
  if (host === '' || from === '') return null
  const mode = text('smtp_tls_mode')
  const tls = mode === 'tls' || mode === 'starttls' ? mode : settings.smtp_use_tls === true ? 'starttls' : 'none'
  const port = typeof settings.smtp_port === 'number' ? settings.smtp_port : 25
  const password = state.mailSecret.get('')?.value.password ?? ''
  return { host, from, tls, port, user: text('smtp_username'), password }
}

/** Everybody who may get mail; what about, each says by `wants`. */
export function mailReceivers(state: State): Receiver[] {
  const settings = mailSettings(state)
  if (!settings) return []
  const people = [
    ...[...state.users.values()].map(({ value }) => ({ ...value, id: `mail-user-${value.uid}` })),
    ...[...state.ldapMappings.values()].map(({ value }) => ({
      ...value,
      id: `mail-mapping-${value.uid}`,
      email: typeof value.alerts.email === 'string' ? value.alerts.email : '',
    })),
  ]
  return people
    .filter(({ email, alerts }) => email !== '' && alerts.email_alerts !== false)
    .map(({ id, email, alerts, roleUids }) => ({
      id,
      name: `The mail to ${email}`,
      lane: 'mail',
      wants: (alert) => isAllowed(state, alert) && wants(alerts, alert) && maySee(state, roleUids, alert),
      send: (news, signal) => sendMail(settings, email, news, signal),
    }))
}

/** What the cluster, or the database, says about mail. */
function isAllowed(state: State, { object }: RaisedAlert): boolean {
  const { scope, uid } = parseObject(object) ?? { scope: 'cluster', uid: 0 }
  if (scope === 'bdb') return state.databases.get(uid ?? 0)?.value.config.email_alerts === true
  return state.cluster.get('')?.value.settings.email_alerts === true
}

/** What somebody has chosen: no list of databases means all of them. */
function wants(alerts: Readonly<Record<string, unknown>>, { object }: RaisedAlert): boolean {
  const { scope, uid } = parseObject(object) ?? { scope: 'cluster', uid: 0 }
  if (scope !== 'bdb') return alerts.cluster_email_alerts === true
  const chosen = Array.isArray(alerts.bdbs_email_alerts) ? alerts.bdbs_email_alerts.map(String) : []
  return chosen.length === 0 || chosen.includes('all') || chosen.includes(String(uid))
}

/** Nobody is sent what the API would not show them. */
function maySee({ roles }: State, roleUids: readonly number[], { object }: RaisedAlert): boolean {
  const { scope, uid } = parseObject(object) ?? { scope: 'cluster', uid: 0 }
  const permission = scope === 'bdb' ? 'view_bdb_alerts' : scope === 'node' ? 'view_node_alerts' : 'view_cluster_alerts'
  return roleUids.some((roleUid) => {
    const role = roles.get(roleUid)?.value
    if (!role || !permissionsOf(role.management).has(permission)) return false
    return scope !== 'bdb' || role.databaseUids === null || role.databaseUids.includes(uid ?? 0)
  })
}

function sendMail(settings: MailSettings, to: string, news: AlertNews, signal: AbortSignal): Promise<void> {
  return sendOneMail(settings, to, mailOf(news), signal)
}

/** Rejects with `NotAccepted` when the server took the connection, and not this mail. */
export async function sendOneMail(settings: MailSettings, to: string, mail: Mail, signal: AbortSignal): Promise<void> {
  const { host, port, from, tls, user, password } = settings
  const { createTransport } = await import('nodemailer')
  signal.throwIfAborted()
  const transport = createTransport({
    host,
    port,
    secure: tls === 'tls',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'none',
    tls: { minVersion: 'TLSv1.2' },
    ...(user === '' ? {} : { auth: { user, pass: password } }),
    connectionTimeout: CONNECT_PATIENCE_MS,
    greetingTimeout: CONNECT_PATIENCE_MS,
    socketTimeout: IDLE_PATIENCE_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  try {
    await transport.sendMail({
      from,
      to: { name: '', address: to },
      subject: mail.subject,
      text: mail.text,
      headers: { 'auto-submitted': 'auto-generated' },
      signal,
    })
  } catch (error) {
    throw told(error)
  } finally {
    transport.close()
  }
}

/** A refusal of the sender, the recipient or the text is about this mail; everything else is about the way. */
function told(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error))
  const code = 'code' in error ? error.code : undefined
  const message = error.message.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').slice(0, 400)
  return code === 'EENVELOPE' || code === 'EMESSAGE' ? new NotAccepted(message) : new Error(message, { cause: error })
}
