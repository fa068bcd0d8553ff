/**
 * Connecting to a unix socket wherever it lies. Callers: control connections to engines, and to the proxy.
 */
import { open } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { dirname } from 'node:path'

/** The kernel's limit for the path of a unix socket, without the closing zero byte. */
const MAX_SOCKET_PATH_BYTES = 107

/** Whatever anybody sends us lands here first. One read is over before the next begins. */
const LANDING = Buffer.allocUnsafeSlow(64 * 1024)

/**
 * Rejects with the kernel's own error (`code` ENOENT, ECONNREFUSED …) while nobody listens. `take` gets what comes, instead
 * of a listener for `data`, and must keep none of it: Node sets 64 kB aside for each piece that it emits, however short.
 */
export async function connectUnix(socketPath: string, take?: (piece: Buffer) => void): Promise<Socket> {
  if (Buffer.byteLength(socketPath) <= MAX_SOCKET_PATH_BYTES) return await connected(socketPath, take)
  // A folder that is open has a short name under /proc, however long its own is.
  await using folder = await open(dirname(socketPath), 'r')
  const shortPath = `/proc/self/fd/${folder.fd}/${socketPath.slice(dirname(socketPath).length + 1)}`
  if (Buffer.byteLength(shortPath) > MAX_SOCKET_PATH_BYTES)
    throw new RangeError(`the name of the socket is too long: ${socketPath}`)
  return await connected(shortPath, take)
}

function connected(path: string, take?: (piece: Buffer) => void): Promise<Socket> {
  const callback = (byteCount: number): boolean => {
    take?.(LANDING.subarray(0, byteCount))
    return true
  }
  return new Promise((resolve, reject) => {
    const socket = connect(take ? { path, onread: { buffer: LANDING, callback } } : { path })
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject)
      resolve(socket)
    })
  })
}
