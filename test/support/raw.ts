/**
 * Connections on which tests write what no client would.
 */
import { connect as connectPlain, type Socket } from 'node:net'
import { connect } from 'node:tls'

export type RawConnection = {
  readonly socket: Socket
  /** What has come so far. */
  received(): string
  /** Resolves when either side has closed it. */
  readonly closed: Promise<void>
}

/** Over TLS; resolves when that stands. `from`: an address of this machine. */
export async function openTls(port: number, from?: string): Promise<RawConnection> {
  const local = from === undefined ? {} : { localAddress: from }
  const options = { host: '127.0.0.1', port, ...local, rejectUnauthorized: false }
  const socket = connect(options)
  const connection = watched(socket)
  await new Promise<void>((resolve, reject) => {
    socket.once('secureConnect', resolve)
    void connection.closed.then(() => reject(new Error('it was closed before TLS stood')))
  })
  return connection
}

/** Nothing but TCP. */
export async function openPlain(port: number): Promise<RawConnection> {
  const socket = connectPlain({ host: '127.0.0.1', port })
  const connection = watched(socket)
  await Promise.race([new Promise((resolve) => socket.once('connect', resolve)), connection.closed])
  return connection
}

function watched(socket: Socket): RawConnection {
  let text = ''
  socket.on('data', (chunk) => {
    text += chunk
  })
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  return { socket, received: () => text, closed }
}

/** What is answered to exactly this, until the other side has closed the connection. */
export async function talk(port: number, text: string): Promise<string> {
  const { socket, received, closed } = await openTls(port)
  socket.write(text)
  await closed
  return received()
}

/** The statuses of all answers in there, and the body of the last. */
export function answersIn(text: string): { statuses: number[]; code: string | undefined } {
  const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map((match) => Number(match[1]))
  return { statuses, code: /"error_code":"(\w+)"/.exec(text)?.[1] }
}
