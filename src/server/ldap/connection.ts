/**
 * One connection to one LDAP server: opened, encrypted where that is asked for, used for one login, closed. We make the
 * socket and hand it to the client library once, because by itself it connects anew when a connection is lost, and what
 * follows (a password, after StartTLS) would then go over a connection that nobody has encrypted.
 */
import { once } from 'node:events'
import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls, createSecureContext, getCACertificates, type SecureContext } from 'node:tls'
import type { LdapQuery } from '#model/access/ldap.ts'

/** `context` is asked for when the connection is to be encrypted. */
export type LdapServer = { readonly uri: string; readonly starttls: boolean; readonly context: () => SecureContext }

/** What we show to servers that ask who we are. In PEM. */
export type ClientCertificate = { readonly cert: string; readonly key: string }

export type Found = { readonly dn: string; readonly values: readonly string[] }

export type LdapConnection = {
  /** False when the server says that it is not them. Rejects when it says anything else. */
  bind(dn: string, password: string): Promise<boolean>
  /** Resolves when the server has answered anything at all. */
  hear(): Promise<void>
  /** The entries that are found, `most` at most, with the values of one attribute. Rejects when there is no such base. */
  search(query: LdapQuery, most: number, attribute?: string): Promise<Found[]>
  close(): void
}

const LDAP_PORT = 389
const LDAPS_PORT = 636
const START_TLS = '1.3.6.1.4.1.1466.20037'
/** Of everything a server may send for one login; the longest list of groups is far below. */
const MOST_BYTES = 8 * 1024 * 1024
/** "Give me no attributes." */
const NO_ATTRIBUTES = '1.1'
const SCOPES = { base: 'base', one: 'one', subtree: 'sub' } as const
/**
 * Answers to a bind that say something about the server, or about how it is asked, and not about who is asking: operations
 * and protocol errors, time limits, other methods, referrals, encryption that it insists on, busy, unavailable, loops.
 */
const ABOUT_THE_SERVER: ReadonlySet<number> = new Set([1, 2, 3, 7, 8, 10, 11, 12, 13, 14, 51, 52, 54, 80])

/** Whom we trust, and who we are. Takes a while, with all the authorities of a system: keep it. */
export function tlsContext(caCert: string, certificate: ClientCertificate | undefined): SecureContext {
  const ca = [...getCACertificates('system'), ...(caCert === '' ? [] : [caCert])]
  return createSecureContext({ ca, ...certificate, minVersion: 'TLSv1.2' })
}

/** Rejects with what went wrong, at the latest when `signal` says so; it also ends the connection later on. */
export async function openConnection(server: LdapServer, signal: AbortSignal): Promise<LdapConnection> {
  const { host, port, isTls } = addressOf(server.uri)
  const socket = connect({ host, port }).on('error', ignore)
  try {
    await once(socket, 'connect', { signal })
    if (server.starttls) await askForTls(socket, signal)
    const stream = isTls || server.starttls ? await encrypt(socket, host, server.context(), signal) : socket
    return await connectionOver(stream, socket, signal)
  } catch (error) {
    socket.destroy()
    throw signal.aborted ? signal.reason : error
  }
}

function addressOf(uri: string): { host: string; port: number; isTls: boolean } {
  const match = /^(ldaps?):\/\/(?:\[([^\]]+)\]|([^:]+))(?::(\d+))?$/.exec(uri)
  const isTls = match?.[1] === 'ldaps'
  return { host: match?.[2] ?? match?.[3] ?? '', port: Number(match?.[4] ?? (isTls ? LDAPS_PORT : LDAP_PORT)), isTls }
}

/** With a client of its own: whatever comes unencrypted beside the answer must not be taken for an answer later on. */
async function askForTls(socket: Socket, signal: AbortSignal): Promise<void> {
  const client = await clientOver(socket)
  const stop = () => socket.destroy()
  signal.addEventListener('abort', stop)
  try {
    await client.exop(START_TLS)
  } finally {
    signal.removeEventListener('abort', stop)
    socket.removeAllListeners('data')
  }
}

async function encrypt(
  socket: Socket,
  host: string,
  secureContext: SecureContext,
  signal: AbortSignal,
): Promise<Socket> {
  const name = isIP(host) === 0 ? { servername: host } : {}
  const stream = connectTls({ socket, host, ...name, secureContext }).on('error', ignore)
  try {
    await once(stream, 'secureConnect', { signal })
    return stream
  } catch (error) {
    stream.destroy()
    throw error
  }
}

/** A client that uses this socket, and never another. */
async function clientOver(stream: Socket) {
  const { Client } = await import('ldapts')
  let isTaken = false
  const createConnection = () => {
    if (isTaken || stream.destroyed) throw new Error('the connection has been closed')
    isTaken = true
    return stream
  }
  return new Client({ url: 'ldap://localhost', createConnection })
}

async function connectionOver(stream: Socket, socket: Socket, signal: AbortSignal): Promise<LdapConnection> {
  const { FilterParser, ResultCodeError, SASL_MECHANISMS } = await import('ldapts')
  const client = await clientOver(stream)
  const destroy = (error?: Error) => {
    stream.destroy(error)
    socket.destroy()
  }
  const stop = () => destroy(signal.reason)
  signal.addEventListener('abort', stop)
  stream.on('data', () => {
    if (stream.bytesRead > MOST_BYTES) destroy(new Error(`the server sends more than ${MOST_BYTES} bytes`))
  })
  const answer = async <T>(work: Promise<T>): Promise<T> => {
    signal.throwIfAborted()
    try {
      return await work
    } catch (error) {
      throw signal.aborted ? signal.reason : error
    }
  }
  return {
    bind: async (dn, password) => {
      // Without a password a server takes anybody for nobody, and says yes; so it does for the empty name.
      if (password === '' || dn.trim() === '') return false
      // The library would take it for another way to sign in.
      if (SASL_MECHANISMS.some((mechanism) => mechanism === dn)) throw new Error(`${dn} is no name to bind with`)
      try {
        await answer(client.bind(dn, password))
        return true
      } catch (error) {
        if (error instanceof ResultCodeError && !ABOUT_THE_SERVER.has(error.code)) return false
        throw error
      }
    },
    hear: async () => {
      try {
        await answer(client.search('', { scope: 'base', attributes: [NO_ATTRIBUTES] }))
      } catch (error) {
        if (!(error instanceof ResultCodeError)) throw error
      }
    },
    search: async ({ base, filter, scope }, most, attribute) => {
      const { searchEntries } = await answer(
        client.search(base, {
          scope: SCOPES[scope],
          filter: FilterParser.parseString(filter),
          attributes: [attribute ?? NO_ATTRIBUTES],
          sizeLimit: most,
        }),
      )
      return searchEntries.map(({ dn, ...values }) => ({ dn, values: textsIn(values) }))
    },
    close: () => {
      signal.removeEventListener('abort', stop)
      client.unbind().catch(() => undefined)
      destroy()
    },
  }
}

/** Whoever waits at that moment learns of it; without a listener it would end the program when nobody does. */
function ignore(): void {}

function textsIn(values: Readonly<Record<string, unknown>>): string[] {
  return Object.values(values)
    .flat()
    .map((value) => String(value))
}
