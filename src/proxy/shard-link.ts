/**
 * How an endpoint's connections to its shards are opened: plain, or over TLS with a certificate that is looked at before
 * the first byte goes out. Callers: the endpoint, and its pools for every connection. New settings count from the next
 * connection on; there is no way from TLS settings that cannot be used to a plain connection.
 */
import { Socket } from 'node:net'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { certificatesIn } from './certificates.ts'
import type { ShardTls } from './tls-config.ts'
import { openSocket, readingInto, type TakeBytes } from './wire.ts'

export type ShardAddress = { readonly host: string; readonly port: number }
/** `onOpen`: what is written from now on reaches the shard, and nobody else. */
export type OpenShardSocket = (target: ShardAddress, take: TakeBytes, onOpen: () => void) => Socket

const NOT_USABLE = 'the TLS settings for shards cannot be used'

export class ShardLink {
  readonly #onTrouble: (error: unknown) => void
  #tls: ShardTls | undefined
  #open: OpenShardSocket = openPlain

  constructor(onTrouble: (error: unknown) => void) {
    this.#onTrouble = onTrouble
  }

  /** Settings that cannot be used are reported, and those from before go on; without any no connection is made. */
  apply(tls: ShardTls | undefined): void {
    if (JSON.stringify(tls) === JSON.stringify(this.#tls) && this.#open !== openNothing) return
    try {
      this.#open = tls ? openerFor(tls) : openPlain
      this.#tls = tls
    } catch (error) {
      if (this.#open === openPlain) this.#open = openNothing
      this.#onTrouble(error)
    }
  }

  open: OpenShardSocket = (target, take, onOpen) => this.#open(target, take, onOpen)
}

function openPlain(target: ShardAddress, take: TakeBytes, onOpen: () => void): Socket {
  return openSocket(target, take).once('connect', onOpen)
}

function openNothing(): Socket {
  const socket = new Socket()
  process.nextTick(() => socket.destroy(new Error(NOT_USABLE)))
  return socket
}

/** Throws when a certificate or a key makes no sense. */
function openerFor({ trusted, isPinned, own }: ShardTls): OpenShardSocket {
  const pinned = certificatesIn(trusted)
  const secureContext = createSecureContext({
    ca: trusted,
    allowPartialTrustChain: true,
    ...(own && { cert: own.certificate, key: own.key }),
  })
  const isPinnedOne = (socket: TLSSocket) => {
    const shown = socket.getPeerX509Certificate()
    return shown !== undefined && pinned.some(({ raw }) => raw.equals(shown.raw))
  }
  return ({ host, port }, take, onOpen) => {
    const socket = connect({
      ...{ host, port, secureContext, keepAlive: true, noDelay: true, onread: readingInto(take) },
      // Whoever has the key of a pinned certificate is the shard, even after the certificate has run out.
      rejectUnauthorized: !isPinned,
    })
    socket.once('secureConnect', () => {
      if (!isPinned || isPinnedOne(socket)) onOpen()
      else socket.destroy(new Error('the shard shows a certificate that is not trusted'))
    })
    return socket
  }
}
