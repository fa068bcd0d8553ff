/**
 * TLS of the discovery service: whether it is spoken, and with what. The certificate is the one that the endpoints of
 * databases show, because the same applications look at both. It follows the state while it runs.
 */
import { createServer, type Server, type TLSSocket } from 'node:tls'
import type { State } from '#store/state.ts'
import { HANDSHAKE_MS } from './limits.ts'

/** `allowed`: whoever begins with a TLS handshake gets one, on the same port. */
export type TlsMode = 'allowed' | 'disabled' | 'required'

export class DiscoveryTls {
  readonly #state: State
  readonly #server: Server
  readonly #stopFollowing: () => void
  #hasCertificate = false

  constructor(state: State, onSecured: (socket: TLSSocket) => void) {
    this.#state = state
    this.#server = createServer({ handshakeTimeout: HANDSHAKE_MS }, onSecured)
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
    this.#stopFollowing = state.view.onChange((collection) => {
      if (collection === state.certificates || collection === state.cluster) this.#refresh()
    })
    this.#refresh()
  }

  get mode(): TlsMode {
    const { sentinel_tls_mode: mode } = this.#settings()
    return mode === 'disabled' || mode === 'required' ? mode : 'allowed'
  }

  /** Ends the connection when there can be no TLS. */
  secure(socket: import('node:net').Socket): void {
    if (this.mode === 'disabled' || !this.#hasCertificate) socket.destroy()
    else this.#server.emit('connection', socket)
  }

  close(): void {
    this.#stopFollowing()
    this.#server.close()
  }

  #settings(): Readonly<Record<string, unknown>> {
    return this.#state.cluster.get('')?.value.settings ?? {}
  }

  #refresh(): void {
    const held = this.#state.certificates.get('proxy')?.value
    if (!held) return
    const { min_sentinel_TLS_version: oldest, sentinel_cipher_suites: suites } = this.#settings()
    const ciphers = Array.isArray(suites) ? suites.map((name) => opensslName(String(name))).join(':') : ''
    this.#server.setSecureContext({
      key: held.key,
      cert: held.certificate,
      minVersion: oldest === '1.3' ? 'TLSv1.3' : 'TLSv1.2',
      ...(ciphers === '' ? {} : { ciphers: `${TLS13}:${ciphers}` }),
    })
    this.#hasCertificate = true
  }
}

/** Those of TLS 1.3 cannot be chosen: they are always on. */
const TLS13 = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256'

/** The API has the names of the standard: TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 is ECDHE-RSA-AES128-GCM-SHA256. */
function opensslName(name: string): string {
  return name
    .replace(/^TLS_/, '')
    .replace('_WITH_', '_')
    .replace(/AES_(\d+)/, 'AES$1')
    .replace('_CBC', '')
    .replace(/(POLY1305)_SHA256$/, '$1')
    .replaceAll('_', '-')
}
