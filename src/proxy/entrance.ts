/**
 * How a client comes in: a plain one at once, one that has to speak TLS after its handshake, if it shows the certificate
 * that is asked for. Callers: the endpoint. The handshake happens in the process that will serve the client, so that
 * sockets can be handed from process to process before.
 *
 * New settings count from the next handshake on; whoever is inside stays as they are. `tls.Server` is used for its
 * handshakes alone, and listens to nobody.
 */
import type { X509Certificate } from 'node:crypto'
import type { Socket } from 'node:net'
import { createSecureContext, DEFAULT_CIPHERS, type SecureContext, type Server, type TLSSocket } from 'node:tls'
import { certificatesIn } from './certificates.ts'
import { hasNameOf, hasSubjectOf } from './client-subjects.ts'
import { HANDSHAKE_TIMEOUT_MS, MAX_HANDSHAKES, REFUSED_LOG_PAUSE_MS } from './limits.ts'
import type { ClientTls, TrustedClients } from './tls-config.ts'
import { handshakeServer } from './wire.ts'

export type EntrancePorts = {
  readonly databaseUid: number
  readonly nowMs: () => number
  readonly onTrouble: (message: string, detail: object) => void
  /** Takes a client that may come in. */
  readonly onClient: (socket: Socket) => void
}

type Waiting = { readonly socket: Socket; readonly since: number }

export class Entrance {
  readonly #ports: EntrancePorts
  #tls: ClientTls | undefined
  /** Null: plain. 'shut': there are settings, and they cannot be used. */
  #handshakes: Server | null | 'shut' = null
  #underWay = 0
  #waiting: Waiting[] = []
  #isClosed = false
  #loggedAt = Number.NEGATIVE_INFINITY
  #unlogged = 0

  constructor(ports: EntrancePorts) {
    this.#ports = ports
  }

  get isPlain(): boolean {
    return this.#handshakes === null
  }

  /** Those who have come, and are not inside yet. */
  get count(): number {
    return this.#underWay + this.#waiting.length
  }

  /** Settings that cannot be used are reported, and those from before go on; without any nobody is let in. */
  apply(tls: ClientTls | undefined): void {
    const isSame = JSON.stringify(tls) === JSON.stringify(this.#tls)
    if (isSame && this.#handshakes !== 'shut') return
    try {
      this.#handshakes = tls ? this.#serverFor(tls) : null
      this.#tls = tls
    } catch (error) {
      if (this.#handshakes === null) this.#handshakes = 'shut'
      const { databaseUid } = this.#ports
      this.#ports.onTrouble('the TLS settings of an endpoint cannot be used', { databaseUid, err: error })
    }
  }

  /** `socket` must not have been read from. */
  admit(socket: Socket): void {
    if (this.#handshakes === null) this.#ports.onClient(socket)
    else if (this.#handshakes === 'shut') socket.destroy()
    else if (this.#underWay >= MAX_HANDSHAKES) this.#waiting.push({ socket, since: this.#ports.nowMs() })
    else this.#begin(this.#handshakes, socket)
  }

  close(): void {
    this.#isClosed = true
    for (const { socket } of this.#waiting.splice(0)) socket.destroy()
  }

  #serverFor(tls: ClientTls): Server {
    const server = handshakeServer(contextOf(tls), {
      handshakeTimeout: HANDSHAKE_TIMEOUT_MS,
      pauseOnConnect: true,
      requestCert: tls.clients !== undefined,
      rejectUnauthorized: tls.clients !== undefined,
    })
    const trusted = tls.clients?.trusted.flatMap(certificatesIn) ?? []
    server.on('secureConnection', (socket) => {
      this.#end()
      const isIn = !tls.clients || isLetIn(tls.clients, trusted, socket.getPeerX509Certificate())
      if (isIn && !this.#isClosed) {
        this.#ports.onClient(socket)
        return
      }
      if (!isIn) this.#report(socket, `its subject is not authorized: ${subjectOf(socket)}`)
      socket.on('error', () => undefined)
      socket.destroy()
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#end()
      // One whose certificate is not trusted is closed by the runtime, which keeps the reason here.
      const reason = (socket.authorizationError as unknown as string | null) ?? error.code ?? error.message
      this.#report(socket, reason)
      socket.destroy()
    })
    return server
  }

  #begin(server: Server, socket: Socket): void {
    this.#underWay++
    socket.on('error', () => undefined)
    socket.setNoDelay(true)
    // Nobody ends a handshake after having said that they will say no more.
    socket.allowHalfOpen = false
    server.emit('connection', socket)
  }

  /** A handshake is over, well or not: the next in line begins. */
  #end(): void {
    this.#underWay--
    while (this.#underWay < MAX_HANDSHAKES) {
      const next = this.#waiting.shift()
      if (!next) return
      if (this.#ports.nowMs() - next.since > HANDSHAKE_TIMEOUT_MS) next.socket.destroy()
      else this.admit(next.socket)
    }
  }

  #report(socket: TLSSocket, reason: string): void {
    const nowMs = this.#ports.nowMs()
    if (nowMs - this.#loggedAt < REFUSED_LOG_PAUSE_MS) {
      this.#unlogged++
      return
    }
    const { databaseUid, onTrouble } = this.#ports
    const address = `${socket.remoteAddress ?? '?'}:${socket.remotePort ?? 0}`
    onTrouble('a client was not let in', { databaseUid, address, reason, unlogged: this.#unlogged })
    this.#loggedAt = nowMs
    this.#unlogged = 0
  }
}

/** Throws when a certificate or the key makes no sense, or they do not fit each other. */
function contextOf(tls: ClientTls): SecureContext {
  const { certificate, key, minVersion, clients } = tls
  return createSecureContext({
    cert: certificate,
    key,
    minVersion,
    ciphers: `${tls.ciphers ?? ofRuntime(false)}:${tls.cipherSuites ?? ofRuntime(true)}`,
    dhparam: 'auto',
    honorCipherOrder: true,
    sessionIdContext: 'holdfast proxy',
    // An authority in the middle of a chain, or a single client, may be trusted by itself.
    ...(clients && { ca: [...clients.trusted], allowPartialTrustChain: true }),
  })
}

/** Node takes both kinds in one list, and a list without any of one kind as turning that version off. */
function ofRuntime(forTls13: boolean): string {
  return DEFAULT_CIPHERS.split(':')
    .filter((name) => name.startsWith('TLS_') === forTls13)
    .join(':')
}

/**
 * Of a certificate that is valid and trusted. One that is in the list itself was chosen by somebody: nobody else's
 * subject has to be compared with it (as Redis Enterprise has it).
 */
function isLetIn(
  clients: TrustedClients,
  trusted: readonly X509Certificate[],
  shown: X509Certificate | undefined,
): boolean {
  if (clients.validation === 'disabled') return true
  if (!shown) return false
  if (trusted.some(({ raw }) => raw.equals(shown.raw))) return true
  const legacy = shown.toLegacyObject()
  return clients.validation === 'san_cn' ? hasNameOf(legacy, clients.subjects) : hasSubjectOf(legacy, clients.subjects)
}

function subjectOf(socket: TLSSocket): string {
  return socket.getPeerX509Certificate()?.subject.replaceAll('\n', ', ') ?? 'it has none'
}
