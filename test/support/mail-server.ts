/**
 * A real SMTP server of a test's own, that keeps what it gets: with or without TLS and logins, and one that refuses
 * certain people.
 */
import { once } from 'node:events'
import { SMTPServer, type SMTPServerOptions } from 'smtp-server'
import type { CleanUps } from './instance.ts'

export type ReceivedMail = { readonly to: readonly string[]; readonly text: string; readonly secure: boolean }

export type MailServer = { readonly port: number; readonly mails: ReceivedMail[] }

export type MailServerOptions = SMTPServerOptions & { readonly refuses?: string }

export async function startMailServer(t: CleanUps, options: MailServerOptions = {}): Promise<MailServer> {
  const { refuses, ...rest } = options
  const mails: ReceivedMail[] = []
  const server = new SMTPServer({
    disabledCommands: rest.onAuth ? [] : ['AUTH'],
    logger: false,
    ...rest,
    onRcptTo: ({ address }, _session, callback) => {
      callback(address === refuses ? Object.assign(new Error('nobody of that name'), { responseCode: 550 }) : null)
    },
    onData: (stream, session, callback) => {
      let text = ''
      stream.on('data', (chunk: Buffer) => {
        text += chunk
      })
      stream.on('end', () => {
        mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), text, secure: session.secure })
        callback(null)
      })
    },
  })
  server.on('error', () => undefined)
  const listening = server.listen(0, '127.0.0.1')
  await once(listening, 'listening')
  t.after(() => new Promise<void>((resolve) => server.close(() => resolve())))
  const address = listening.address()
  return { port: typeof address === 'object' && address ? address.port : 0, mails }
}
