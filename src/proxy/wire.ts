/**
 * A socket that reads into a buffer which all sockets share. Callers: clients and connections to shards.
 *
 * node:net offers this (`onread`) only to sockets that connect, not to those that are accepted, where a new buffer per
 * read would be a third of all our work. An accepted socket is therefore given a second time to net.Socket, with the
 * option. This is the one place that touches parts of node:net that are not documented.
 */
import type { SendHandle } from 'node:child_process'
import { connect, type Server, Socket, type SocketConstructorOpts } from 'node:net'
import { createServer, type SecureContext, TLSSocket, type TlsOptions, type Server as TlsServer } from 'node:tls'
import { READ_BUFFER_BYTES } from './limits.ts'

const shared = Buffer.allocUnsafeSlow(READ_BUFFER_BYTES)

/** `take` gets a buffer that is only valid until it returns. */
export type TakeBytes = (bytes: Buffer, byteCount: number) => void

/** The option `onread` of node:net and node:tls. */
export function readingInto(take: TakeBytes) {
  return {
    buffer: shared,
    callback: (byteCount: number) => {
      take(shared, byteCount)
      return true
    },
  }
}

/** The kernel's side of a socket, as node:net keeps it. */
type Handle = { readonly fd: number }
type WithHandle = {
  readonly handle: Handle
  readonly onread: ReturnType<typeof readingInto>
  readonly allowHalfOpen: boolean
}

/** `accepted` must not have been read from, or not be read from any more; it must not be used afterwards. Reads when it is resumed. */
export function adoptSocket(accepted: Socket, take: TakeBytes): Socket {
  if (accepted instanceof TLSSocket) return readSecured(accepted, take)
  const holder = accepted as unknown as { _handle: Handle | null }
  const handle = holder._handle
  if (!handle) {
    accepted.destroy()
    return accepted
  }
  holder._handle = null
  const options: WithHandle = { handle, onread: readingInto(take), allowHalfOpen: true }
  const socket = new Socket(options as unknown as SocketConstructorOpts)
  socket.setNoDelay(true)
  return socket
}

/** So that it can be handed on after all: until then, and even when it is paused, this process would take what comes. */
export function stopReading(socket: Socket): void {
  const { _handle: handle } = socket as unknown as { _handle: { reading: boolean; readStop(): void } | null }
  if (!handle) return
  handle.reading = false
  handle.readStop()
}

/** What is decrypted comes in buffers of its own: beside the deciphering they cost little. */
function readSecured(socket: TLSSocket, take: TakeBytes): Socket {
  socket.allowHalfOpen = true
  socket.on('data', (bytes: Buffer) => take(bytes, bytes.length))
  socket.pause()
  return socket
}

/**
 * A server for handshakes on sockets that are emitted as its 'connection'. It takes its own options for the context, but
 * leaves `allowPartialTrustChain` out; without the context that it gets here every handshake fails.
 */
export function handshakeServer(context: SecureContext, options: TlsOptions): TlsServer {
  return Object.assign(createServer(options), { _sharedCreds: context })
}

/**
 * The kernel's side of a listening socket, to be sent to another process and listened on there. A net.Server that is
 * sent accepts clients the moment it arrives, before anybody can say what to do with them.
 */
export function listeningHandle(server: Server): SendHandle | undefined {
  return (server as unknown as { _handle: SendHandle | null })._handle ?? undefined
}

/** A handle that nobody will listen on: without this, clients would wait at it for ever. */
export function closeHandle(handle: SendHandle): void {
  ;(handle as unknown as { close(): void }).close()
}

export function openSocket(target: { host: string; port: number }, take: TakeBytes): Socket {
  const socket = connect({ ...target, keepAlive: true, onread: readingInto(take) })
  socket.setNoDelay(true)
  return socket
}
